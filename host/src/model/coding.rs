//! Bodies that came compressed (RFC 9110 §8.4): which coding a request names, and what is
//! inside. Signatures are over the bytes as sent; whoever reads JSON reads this. Pure.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::Header;

/// What a decoded body may have, in bytes, however small it came, where a source does not
/// say. It bounds memory: a body of a few KiB can otherwise stand for gigabytes.
pub const DEFAULT_MAX_DECODED: usize = 16 << 20;
/// The most that a source may allow, and so what everybody reads who reads after the front
/// door: what was accepted stays readable when the source's limit is lowered.
pub const MAX_DECODED: usize = 256 << 20;

/// A coding that is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952; several members are one body.
    Gzip,
    /// The zlib format of RFC 1950, and the bare DEFLATE of RFC 1951 that some senders
    /// mean by the same word.
    Deflate,
}

/// Why there is nothing inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not of that coding, broken off, or followed by something else.
    #[error("the body is not what its content-encoding says")]
    Corrupt,
    /// More than this limit, in bytes.
    #[error("the body is larger than {0} bytes once it is decompressed")]
    TooLarge(usize),
}

impl Coding {
    /// The coding that the values of `content-encoding` name: one, in any case. Several, or
    /// one that is not known here, are left as they are.
    pub fn named<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let words = values.into_iter().flat_map(|value| value.split(|byte| *byte == b','));
        let mut words =
            words.map(<[u8]>::trim_ascii).filter(|word| !is(word, "identity") && !word.is_empty());
        let (word, None) = (words.next()?, words.next()) else { return None };
        match word {
            word if is(word, "gzip") || is(word, "x-gzip") => Some(Self::Gzip),
            word if is(word, "deflate") => Some(Self::Deflate),
            _ => None,
        }
    }

    /// The coding of a request that is read as its headers came.
    pub fn of_request(headers: &http::HeaderMap) -> Option<Self> {
        Self::named(headers.get_all(http::header::CONTENT_ENCODING).iter().map(http::HeaderValue::as_bytes))
    }

    /// The same of headers as an event keeps them.
    pub fn of_headers(headers: &[Header]) -> Option<Self> {
        let values = headers.iter().filter(|header| header.name == "content-encoding");
        Self::named(values.map(|header| header.value.as_bytes()))
    }

    /// What `body` holds. An empty body holds nothing.
    ///
    /// # Errors
    /// See [`DecodeError`]. At most one byte more than `limit` is ever made.
    pub fn decode(self, body: &[u8], limit: usize) -> Result<Bytes, DecodeError> {
        if body.is_empty() {
            return Ok(Bytes::new());
        }
        match self {
            Self::Gzip => all(&mut MultiGzDecoder::new(body), limit, |_| 0),
            Self::Deflate if is_zlib(body) => {
                all(&mut ZlibDecoder::new(body), limit, |decoder| decoder.get_ref().len())
            }
            Self::Deflate => all(&mut DeflateDecoder::new(body), limit, |decoder| decoder.get_ref().len()),
        }
    }
}

fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

/// RFC 1950 §2.2: the method is DEFLATE, and the two bytes are a multiple of 31.
fn is_zlib(body: &[u8]) -> bool {
    let [method, flags, ..] = body else { return false };
    method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0
}

/// Everything that comes out; `left` says how many bytes nobody has read then.
fn all<D: Read>(decoder: &mut D, limit: usize, left: impl Fn(&D) -> usize) -> Result<Bytes, DecodeError> {
    let mut made = Vec::new();
    let read = io::copy(&mut decoder.take((limit as u64).saturating_add(1)), &mut made);
    if made.len() > limit {
        return Err(DecodeError::TooLarge(limit));
    }
    if read.is_err() || left(decoder) > 0 {
        return Err(DecodeError::Corrupt);
    }
    Ok(made.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn bare(text: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn one_known_coding_in_any_case() {
        for (values, expected) in [
            (&["gzip"][..], Some(Coding::Gzip)),
            (&["GZip"], Some(Coding::Gzip)),
            (&["x-gzip"], Some(Coding::Gzip)),
            (&["Deflate"], Some(Coding::Deflate)),
            (&["identity, gzip"], Some(Coding::Gzip)),
            (&["identity"], None),
            (&[""], None),
            (&[], None),
            (&["br"], None),
            (&["gzip, gzip"], None),
            (&["gzip", "deflate"], None),
        ] {
            assert_eq!(Coding::named(values.iter().map(|value| value.as_bytes())), expected, "{values:?}");
        }
    }

    #[test]
    fn what_went_in_comes_out() {
        let text = b"{\"a\":1}";
        let two = [gzip(text), gzip(b"\n")].concat();
        for (coding, body, expected) in [
            (Coding::Gzip, gzip(text), &text[..]),
            (Coding::Gzip, two, b"{\"a\":1}\n"),
            (Coding::Gzip, gzip(b""), b""),
            (Coding::Gzip, Vec::new(), b""),
            (Coding::Deflate, zlib(text), text),
            (Coding::Deflate, bare(text), text),
        ] {
            assert_eq!(coding.decode(&body, 64).as_deref(), Ok(expected), "{coding:?} {body:?}");
        }
    }

    #[test]
    fn what_is_broken_in_any_way_is_corrupt() {
        let text = b"some text of some length";
        let mut flipped = gzip(text);
        let end = flipped.len() - 6;
        flipped[end] ^= 1;
        let cut = |body: Vec<u8>| body[..body.len() - 1].to_vec();
        let longer = |body: Vec<u8>| [body, b"x".to_vec()].concat();
        for (coding, body) in [
            (Coding::Gzip, text.to_vec()),
            (Coding::Gzip, flipped),
            (Coding::Gzip, cut(gzip(text))),
            (Coding::Gzip, longer(gzip(text))),
            (Coding::Gzip, zlib(text)),
            (Coding::Deflate, cut(zlib(text))),
            (Coding::Deflate, longer(zlib(text))),
            (Coding::Deflate, longer(bare(text))),
            (Coding::Deflate, gzip(text)),
        ] {
            assert_eq!(coding.decode(&body, 64), Err(DecodeError::Corrupt), "{coding:?} {body:?}");
        }
    }

    #[test]
    fn a_bomb_is_defused_at_the_limit() {
        const LIMIT: usize = 1 << 20;
        let above = gzip(&vec![b'x'; LIMIT + 1]);
        assert!(above.len() < 4 << 10);
        let many: Vec<u8> = std::iter::repeat_n(&above, 100).flatten().copied().collect();
        for (coding, body, limit, expected) in [
            (Coding::Gzip, gzip(&vec![b'x'; LIMIT]), LIMIT, Ok(LIMIT)),
            (Coding::Gzip, above.clone(), LIMIT + 1, Ok(LIMIT + 1)),
            (Coding::Gzip, above, LIMIT, Err(DecodeError::TooLarge(LIMIT))),
            (Coding::Gzip, many, LIMIT + 1, Err(DecodeError::TooLarge(LIMIT + 1))),
            (Coding::Deflate, zlib(b"xy"), 2, Ok(2)),
            (Coding::Deflate, zlib(b"xy"), 1, Err(DecodeError::TooLarge(1))),
            (Coding::Deflate, bare(b"xy"), 2, Ok(2)),
            (Coding::Deflate, bare(b"xy"), 1, Err(DecodeError::TooLarge(1))),
        ] {
            assert_eq!(coding.decode(&body, limit).map(|body| body.len()), expected, "{coding:?} {limit}");
        }
    }
}

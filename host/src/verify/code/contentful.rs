//! Contentful: a canonical request with the headers that it lists
//! (contentful.com/developers/docs/extensibility/app-framework/request-verification).

use http::HeaderValue;

use super::super::config::Encoding;
use super::super::extract::Reader;
use super::super::mac::MacHash;
use super::super::sign::{Made, Outgoing, SignError};
use super::super::timestamp;
use super::super::{Accepted, Documents, Request, SchemeError, Setup, Verdict};
use super::mac::Macs;
use super::{Coded, header, made_header, malformed, no_match, registered, unauthorized};
use crate::model::{Header, Millis};

const SIGNATURE: &str = "x-contentful-signature";
const LIST: &str = "x-contentful-signed-headers";
const TIME: &str = "x-contentful-timestamp";

/// Headers that one request lists at most; each is looked up.
const MAX_LISTED: usize = 64;

/// Marks that JavaScript's `encodeURIComponent` leaves alone beside letters and digits.
const MARKS: &[u8] = b"-_.!~*'()";
/// What `encodeURI` leaves alone besides.
const RESERVED: &[u8] = b";,/?:@&=+$#";

/// The scheme with its keys.
#[derive(Debug)]
pub(super) struct Contentful {
    keys: Macs,
    /// Seconds that the signed time may be off.
    tolerance: u32,
}

impl Contentful {
    pub(super) fn new(setup: &Setup<'_>, tolerance: u32) -> Result<Self, SchemeError> {
        Ok(Self { keys: Macs::of_text(setup, MacHash::Sha256)?, tolerance })
    }
}

impl Coded for Contentful {
    fn check(&self, reader: &Reader<'_>, now: Millis, _documents: &Documents) -> Result<Accepted, Verdict> {
        let signature = Encoding::Hex.decode(header(reader, SIGNATURE)?);
        let signature = signature.ok_or_else(|| unauthorized("the signature cannot be decoded"))?;
        let time = timestamp::digits(header(reader, TIME)?);
        let time = time.ok_or_else(|| malformed("the timestamp cannot be read"))?;
        if now.0.abs_diff(time) > u64::from(self.tolerance) * 1000 {
            return Err(unauthorized(format!("the timestamp is more than {} s off", self.tolerance)));
        }
        let headers = signed_headers(reader)?;
        let is_signed = |path: &String| {
            self.keys.accept(&[&head(reader.request, path, &headers), reader.request.body], &signature)
        };
        if paths(reader.request).iter().any(is_signed) { Ok(Accepted::default()) } else { Err(no_match()) }
    }

    fn signed_bytes(&self, reader: &Reader<'_>) -> Result<Vec<u8>, String> {
        let headers = signed_headers(reader).map_err(|verdict| verdict.to_string())?;
        let paths = paths(reader.request);
        let path = paths.first().ok_or("the path is not known")?;
        Ok([&head(reader.request, path, &headers), reader.request.body].concat())
    }

    fn sign(&self, outgoing: &Outgoing<'_>) -> Result<Made, SignError> {
        let url = outgoing.url.ok_or_else(|| SignError::Missing("the path of the URL".to_owned()))?;
        let mut headers = vec![
            made_header("x-contentful-idempotency-key", outgoing.id),
            made_header(LIST, ""),
            made_header(TIME, outgoing.now.0.to_string()),
        ];
        headers.extend(outgoing.event_type.map(|kind| made_header("x-contentful-topic", kind)));
        let names: Vec<_> = headers.iter().map(|header| header.name.as_str()).collect();
        let list = names.join(",");
        headers
            .iter_mut()
            .filter(|header| header.name == LIST)
            .for_each(|header| header.value.clone_from(&list));
        let (_, query) = registered::split(url);
        let path = normalised(registered::path(url), query);
        let canonical: Vec<_> = headers
            .iter()
            .map(|Header { name, value }| [name.as_bytes(), b":", value.as_bytes()].concat())
            .collect();
        let head = [outgoing.method.as_bytes(), path.as_bytes(), &canonical.join(&b';'), b""].join(&b'\n');
        let signature = hex::encode(self.keys.sign(&[&head, outgoing.body]));
        headers.push(made_header(SIGNATURE, signature));
        Ok(Made { headers, ..Made::default() })
    }
}

/// Everything before the body.
fn head(request: &Request<'_>, path: &str, headers: &[u8]) -> Vec<u8> {
    [request.method.as_bytes(), path.as_bytes(), headers, b""].join(&b'\n')
}

/// `name:value` of every listed header, by name, joined by semicolons.
fn signed_headers(reader: &Reader<'_>) -> Result<Vec<u8>, Verdict> {
    let list = std::str::from_utf8(header(reader, LIST)?);
    let list = list.map_err(|_| malformed(format!("header {LIST} is not text")))?;
    let mut names: Vec<_> = list.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    if names.len() > MAX_LISTED {
        return Err(malformed(format!("header {LIST} lists more than {MAX_LISTED} headers")));
    }
    names.sort();
    names.dedup();
    if !names.iter().any(|name| name == TIME) {
        return Err(unauthorized(format!("header {TIME} is not among those that are signed")));
    }
    let line = |name: &String| {
        let values: Vec<_> = reader.request.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        if values.is_empty() {
            return Err(unauthorized(format!("a header that {LIST} lists is missing")));
        }
        Ok([name.as_bytes(), b":", values.join(&b", "[..]).trim_ascii()].concat())
    };
    Ok(names.iter().map(line).collect::<Result<Vec<_>, _>>()?.join(&b';'))
}

/// The path as the provider's library writes it, and as it came where that is not the
/// same.
fn paths(request: &Request<'_>) -> Vec<String> {
    let path = request.public_url.map_or(request.path, registered::path);
    let plain = request.query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut paths = vec![normalised(path, request.query), plain];
    paths.dedup();
    paths
}

/// The library escapes the whole query, and then the path with it.
fn normalised(path: &str, query: Option<&str>) -> String {
    let uri = match query {
        Some(query) if !query.is_empty() => format!("{path}?{}", escaped(query, |_| false)),
        _ => path.to_owned(),
    };
    escaped(&uri, |byte| RESERVED.contains(&byte))
}

fn escaped(text: &str, is_kept: fn(u8) -> bool) -> String {
    let escape = |byte: u8| {
        if byte.is_ascii_alphanumeric() || MARKS.contains(&byte) || is_kept(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_as_the_library_writes_them() {
        for (path, query, expected) in [
            ("/in/contentful", None, "/in/contentful"),
            ("/in/contentful", Some(""), "/in/contentful"),
            ("/a b/é", None, "/a%20b/%C3%A9"),
            ("/a", Some("b=c&d=e f"), "/a?b%253Dc%2526d%253De%2520f"),
        ] {
            assert_eq!(normalised(path, query), expected);
        }
    }
}

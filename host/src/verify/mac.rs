//! HMAC (RFC 2104): the one place where it is computed.

use std::convert::Infallible;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

/// The hash that an HMAC is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MacHash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// A key, hashed once. It never prints.
#[derive(Clone)]
pub(super) enum MacKey {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl MacKey {
    pub(super) fn new(hash: MacHash, key: &[u8]) -> Self {
        match hash {
            MacHash::Sha1 => Self::Sha1(keyed(key)),
            MacHash::Sha256 => Self::Sha256(keyed(key)),
            MacHash::Sha384 => Self::Sha384(keyed(key)),
            MacHash::Sha512 => Self::Sha512(keyed(key)),
        }
    }

    /// The MAC of the pieces, joined.
    pub(super) fn of(&self, pieces: &[&[u8]]) -> Vec<u8> {
        let feed = |take: &mut dyn FnMut(&[u8])| {
            for piece in pieces {
                take(piece);
            }
            Ok::<_, Infallible>(())
        };
        let Ok(mac) = self.of_fed(feed);
        mac
    }

    /// The MAC of what `feed` hands over piece by piece.
    pub(super) fn of_fed<E>(
        &self,
        feed: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<(), E>,
    ) -> Result<Vec<u8>, E> {
        match self {
            Self::Sha1(key) => fed(key, feed),
            Self::Sha256(key) => fed(key, feed),
            Self::Sha384(key) => fed(key, feed),
            Self::Sha512(key) => fed(key, feed),
        }
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sha1(_) => "HmacSha1(***)",
            Self::Sha256(_) => "HmacSha256(***)",
            Self::Sha384(_) => "HmacSha384(***)",
            Self::Sha512(_) => "HmacSha512(***)",
        })
    }
}

fn keyed<M: KeyInit>(key: &[u8]) -> M {
    M::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn fed<M: Mac + Clone, E>(
    key: &M,
    feed: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<(), E>,
) -> Result<Vec<u8>, E> {
    let mut mac = key.clone();
    feed(&mut |piece| mac.update(piece))?;
    Ok(mac.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2, and RFC 2202's for SHA-1: key "Jefe".
    #[test]
    fn as_the_specifications_have_it() {
        for (hash, expected) in [
            (MacHash::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (MacHash::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                MacHash::Sha384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                MacHash::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let key = MacKey::new(hash, b"Jefe");
            assert_eq!(hex::encode(key.of(&[b"what do ya want ", b"for nothing?"])), expected, "{hash:?}");
            let shown = format!("{key:?}");
            assert!(shown.ends_with("(***)"), "{shown}");
        }
    }
}

//! Shared secrets as HMAC keys.

use ring::hmac::{Algorithm, Context, Key};

use super::super::compare::equal;
use super::super::{SchemeError, Setup};
use super::each_secret;

/// The configured secrets, ready for use. Never empty; it prints its algorithm alone.
#[derive(Clone, Debug)]
pub(super) struct Macs(Vec<Key>);

impl Macs {
    /// The secrets' own bytes.
    pub(super) fn of_text(setup: &Setup<'_>, algorithm: Algorithm) -> Result<Self, SchemeError> {
        Self::derived(setup, algorithm, |secret| Ok(secret.as_bytes().to_owned()))
    }

    /// What `derive` makes of each secret. The error says what is wrong with one, without
    /// quoting it.
    pub(super) fn derived(
        setup: &Setup<'_>,
        algorithm: Algorithm,
        derive: impl Fn(&str) -> Result<Vec<u8>, String>,
    ) -> Result<Self, SchemeError> {
        let keys = each_secret(setup, |secret| {
            if ["whpk_", "whsk_", "-----BEGIN"].iter().any(|start| secret.starts_with(start)) {
                return Err("is one key of a pair, and everybody may know the public one".to_owned());
            }
            derive(secret).map(|bytes| Key::new(algorithm, &bytes))
        });
        keys.map(Self)
    }

    /// Whether any of the keys made that signature of the pieces, joined.
    pub(super) fn accept(&self, message: &[&[u8]], signature: &[u8]) -> bool {
        self.0.iter().any(|key| equal(&tag(key, message), signature))
    }

    /// The first key's signature of the pieces, joined.
    pub(super) fn sign(&self, message: &[&[u8]]) -> Vec<u8> {
        self.0.first().map(|key| tag(key, message)).unwrap_or_default()
    }
}

fn tag(key: &Key, message: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::with_key(key);
    for piece in message {
        context.update(piece);
    }
    context.sign().as_ref().to_owned()
}

//! Shared secrets as HMAC keys.

use super::super::compare::equal;
use super::super::mac::{MacHash, MacKey};
use super::super::public;
use super::super::{SchemeError, Setup};
use super::each_secret;

/// The configured secrets, ready for use. Never empty; it prints its algorithm alone.
#[derive(Clone, Debug)]
pub(super) struct Macs(Vec<MacKey>);

impl Macs {
    /// The secrets' own bytes.
    pub(super) fn of_text(setup: &Setup<'_>, hash: MacHash) -> Result<Self, SchemeError> {
        Self::derived(setup, hash, |secret| Ok(secret.as_bytes().to_owned()))
    }

    /// What `derive` makes of each secret. The error says what is wrong with one, without
    /// quoting it.
    pub(super) fn derived(
        setup: &Setup<'_>,
        hash: MacHash,
        derive: impl Fn(&str) -> Result<Vec<u8>, String>,
    ) -> Result<Self, SchemeError> {
        let keys = each_secret(setup, |secret| {
            if public::is_of_a_pair(secret) {
                return Err("is one key of a pair, and everybody may know the public one".to_owned());
            }
            derive(secret).map(|bytes| MacKey::new(hash, &bytes))
        });
        keys.map(Self)
    }

    /// Whether any of the keys made that signature of the pieces, joined.
    pub(super) fn accept(&self, message: &[&[u8]], signature: &[u8]) -> bool {
        self.0.iter().any(|key| equal(&key.of(message), signature))
    }

    /// The first key's signature of the pieces, joined.
    pub(super) fn sign(&self, message: &[&[u8]]) -> Vec<u8> {
        self.0.first().map(|key| key.of(message)).unwrap_or_default()
    }
}

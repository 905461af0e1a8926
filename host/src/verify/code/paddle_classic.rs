//! Paddle Classic: all other fields of the form, sorted and written as PHP serialises an
//! array (classic.paddle.com/webhooks/verifying-webhooks).

use super::super::config::{Algorithm, Encoding};
use super::super::extract::Reader;
use super::super::public::PublicKey;
use super::super::{Accepted, Documents, SchemeError, Setup, Verdict};
use super::form::{self, Pair};
use super::{Coded, each_secret, malformed, no_match, unauthorized};
use crate::model::Millis;

const SIGNATURE: &str = "p_signature";

/// The scheme with its public keys.
#[derive(Debug)]
pub(super) struct PaddleClassic(Vec<PublicKey>);

impl PaddleClassic {
    pub(super) fn new(setup: &Setup<'_>) -> Result<Self, SchemeError> {
        each_secret(setup, |secret| PublicKey::new(Algorithm::RsaSha1, secret)).map(Self)
    }
}

impl Coded for PaddleClassic {
    fn check(&self, reader: &Reader<'_>, _now: Millis, _documents: &Documents) -> Result<Accepted, Verdict> {
        let mut pairs = form::all(reader.request.body)?;
        let signature = form::single(&pairs, SIGNATURE)?;
        let signature = signature.ok_or_else(|| unauthorized("p_signature is missing in the form"))?;
        let signature = Encoding::Base64.decode(signature);
        let signature = signature.ok_or_else(|| unauthorized("the signature cannot be decoded"))?;
        let message = serialised(&mut pairs)?;
        if self.0.iter().any(|key| key.verifies(&message, &signature)) {
            return Ok(Accepted::default());
        }
        Err(no_match())
    }

    fn signed_bytes(&self, reader: &Reader<'_>) -> Result<Vec<u8>, String> {
        let pairs = form::all(reader.request.body);
        pairs.and_then(|mut pairs| serialised(&mut pairs)).map_err(|verdict| verdict.to_string())
    }
}

/// `a:2:{s:1:"a";s:1:"1";s:1:"b";s:1:"2";}`, with lengths in bytes and the signature left
/// out. A name that comes twice is refused: PHP takes the last and others the first.
fn serialised(pairs: &mut Vec<Pair<'_>>) -> Result<Vec<u8>, Verdict> {
    pairs.retain(|(name, _)| **name != *SIGNATURE.as_bytes());
    pairs.sort();
    if pairs.windows(2).any(|two| two[0].0 == two[1].0) {
        return Err(malformed("a name is in the form more than once"));
    }
    let mut text = format!("a:{}:{{", pairs.len()).into_bytes();
    for bytes in pairs.iter().flat_map(|(name, value)| [name, value]) {
        text.extend_from_slice(format!("s:{}:\"", bytes.len()).as_bytes());
        text.extend_from_slice(bytes);
        text.extend_from_slice(b"\";");
    }
    text.push(b'}');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_php_writes_it() {
        for (body, expected) in [
            ("", Some("a:0:{}")),
            ("b=2&p_signature=x&a=1", Some("a:2:{s:1:\"a\";s:1:\"1\";s:1:\"b\";s:1:\"2\";}")),
            ("n=%C3%A9%22", Some("a:1:{s:1:\"n\";s:3:\"é\"\";}")),
            ("B=&a=", Some("a:2:{s:1:\"B\";s:0:\"\";s:1:\"a\";s:0:\"\";}")),
            ("a=1&b=2&a=1", None),
        ] {
            let found = serialised(&mut form::pairs(body.as_bytes()).collect()).ok();
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{body}");
        }
    }
}

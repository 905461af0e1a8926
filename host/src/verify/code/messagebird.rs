//! `MessageBird` (Bird): a token with hashes of the URL and the body
//! (developers.messagebird.com/api/#verifying-http-requests).

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::super::compare::equal;
use super::super::config::Encoding;
use super::super::extract::Reader;
use super::super::mac::MacHash;
use super::super::sign::{Made, Outgoing, SignError};
use super::super::{Accepted, Documents, SchemeError, Setup, Verdict};
use super::jws::{self, Jws};
use super::mac::Macs;
use super::{Coded, header, made_header, needs_public_url, no_match, registered, unauthorized};
use crate::model::Millis;

const TOKEN: &str = "messagebird-signature-jwt";

/// Who must have made the token.
const ISSUER: &str = "MessageBird";
/// Seconds that both clocks may differ: that of the provider's library.
const GRACE: i64 = 5;
/// Seconds that a token of ours is good for; the provider's are, too.
const LIFE: i64 = 60;

/// How tokens may be made. The secret is the same for all, and all are HMACs, so that the
/// token's own word opens nothing.
const ALGORITHMS: [(&str, MacHash); 3] =
    [("HS256", MacHash::Sha256), ("HS384", MacHash::Sha384), ("HS512", MacHash::Sha512)];

/// The scheme with its keys, for each algorithm.
#[derive(Debug)]
pub(super) struct Messagebird(Vec<(&'static str, Macs)>);

#[derive(serde::Deserialize)]
struct Claims {
    iss: String,
    nbf: i64,
    exp: i64,
    jti: String,
    url_hash: String,
    payload_hash: Option<String>,
}

impl Messagebird {
    pub(super) fn new(setup: &Setup<'_>) -> Result<Self, SchemeError> {
        needs_public_url(setup)?;
        let keys = |(name, algorithm)| Macs::of_text(setup, algorithm).map(|keys| (name, keys));
        ALGORITHMS.into_iter().map(keys).collect::<Result<_, _>>().map(Self)
    }
}

impl Coded for Messagebird {
    fn check(&self, reader: &Reader<'_>, now: Millis, _documents: &Documents) -> Result<Accepted, Verdict> {
        let token = Jws::parse(header(reader, TOKEN)?)?;
        let keys = self.0.iter().find(|(name, _)| *name == token.algorithm);
        let (_, keys) =
            keys.ok_or_else(|| unauthorized("the token is not made with HS256, HS384 or HS512"))?;
        if !token.is_made_by(keys) {
            return Err(no_match());
        }
        let claims: Claims = token.claims()?;
        if claims.iss != ISSUER {
            return Err(unauthorized("the token is of another issuer"));
        }
        if jws::is_to_come(claims.nbf, now, GRACE) || jws::is_over(claims.exp, now, GRACE) {
            return Err(unauthorized("the token is not good at this time"));
        }
        let url = registered::called(reader.request);
        let url = url.ok_or_else(|| unauthorized("the registered URL is not known"))?;
        if !is_hash(&claims.url_hash, url.as_bytes()) {
            return Err(unauthorized("the token is for another URL"));
        }
        let is_covered = match &claims.payload_hash {
            Some(hash) => is_hash(hash, reader.request.body),
            None => reader.request.body.is_empty(),
        };
        if !is_covered {
            return Err(unauthorized("the token is for another body"));
        }
        let id =
            Some(claims.jti).filter(|id| !id.is_empty() && id.len() <= 256 && !id.contains(char::is_control));
        Ok(Accepted { id, event_type: None })
    }

    fn signed_bytes(&self, reader: &Reader<'_>) -> Result<Vec<u8>, String> {
        let token = header(reader, TOKEN).and_then(Jws::parse).map_err(|verdict| verdict.to_string())?;
        Ok(token.signed.to_owned())
    }

    fn sign(&self, outgoing: &Outgoing<'_>) -> Result<Made, SignError> {
        let url = outgoing.url.ok_or_else(|| SignError::Missing("the public URL".to_owned()))?;
        let (name, keys) = self.0.first().ok_or(SignError::PublicKey)?;
        let now = outgoing.now.as_secs();
        let mut claims = json!({
            "iss": ISSUER, "nbf": now, "exp": now.saturating_add(LIFE), "jti": outgoing.id,
            "url_hash": hex::encode(Sha256::digest(url)),
        });
        if !outgoing.body.is_empty() {
            claims["payload_hash"] = hex::encode(Sha256::digest(outgoing.body)).into();
        }
        Ok(Made { headers: vec![made_header(TOKEN, jws::made(name, &claims, keys))], ..Made::default() })
    }
}

/// Whether that is the hexadecimal SHA-256 of the bytes.
fn is_hash(written: &str, bytes: &[u8]) -> bool {
    Encoding::Hex.decode(written.as_bytes()).is_some_and(|hash| equal(&Sha256::digest(bytes), &hash))
}

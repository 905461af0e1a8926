//! Netlify: a token with a hash of the body
//! (docs.netlify.com/deploy/deploy-notifications, "Payload signature"). It has no time.

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
use super::{Coded, header, made_header, no_match, unauthorized};
use crate::model::Millis;

const TOKEN: &str = "x-webhook-signature";
const ALGORITHM: &str = "HS256";

/// Who must have made the token.
const ISSUER: &str = "netlify";

/// The scheme with its keys.
#[derive(Debug)]
pub(super) struct Netlify(Macs);

#[derive(serde::Deserialize)]
struct Claims {
    iss: String,
    sha256: String,
}

impl Netlify {
    pub(super) fn new(setup: &Setup<'_>) -> Result<Self, SchemeError> {
        Macs::of_text(setup, MacHash::Sha256).map(Self)
    }
}

impl Coded for Netlify {
    fn check(&self, reader: &Reader<'_>, _now: Millis, _documents: &Documents) -> Result<Accepted, Verdict> {
        let token = Jws::parse(header(reader, TOKEN)?)?;
        token.must_be(ALGORITHM)?;
        if !token.is_made_by(&self.0) {
            return Err(no_match());
        }
        let claims: Claims = token.claims()?;
        if claims.iss != ISSUER {
            return Err(unauthorized("the token is of another issuer"));
        }
        let hash = Encoding::Hex.decode(claims.sha256.as_bytes()).unwrap_or_default();
        if !equal(&Sha256::digest(reader.request.body), &hash) {
            return Err(unauthorized("the token is for another body"));
        }
        Ok(Accepted::default())
    }

    fn signed_bytes(&self, reader: &Reader<'_>) -> Result<Vec<u8>, String> {
        let token = header(reader, TOKEN).and_then(Jws::parse).map_err(|verdict| verdict.to_string())?;
        Ok(token.signed.to_owned())
    }

    fn sign(&self, outgoing: &Outgoing<'_>) -> Result<Made, SignError> {
        let claims = json!({ "iss": ISSUER, "sha256": hex::encode(Sha256::digest(outgoing.body)) });
        let mut headers = vec![made_header(TOKEN, jws::made(ALGORITHM, &claims, &self.0))];
        headers.extend(outgoing.event_type.map(|kind| made_header("x-netlify-event", kind)));
        Ok(Made { headers, ..Made::default() })
    }
}

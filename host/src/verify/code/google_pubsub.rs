//! Google Pub/Sub push: an identity token that Google makes for a service account
//! (cloud.google.com/pubsub/docs/authenticate-push-subscriptions). It does not cover the
//! body, and any account can have a token made for our audience, so both are pinned.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::compare::equal;
use super::super::documents::Fetch;
use super::super::extract::Reader;
use super::super::{Accepted, Document, Documents, SchemeError, Setup, Verdict, Want};
use super::certificate::{Hash, RsaKey, is_certificate};
use super::jws::{self, Jws};
use super::{Coded, extra, header, no_match, texts, unauthorized, wanted};
use crate::model::Millis;

const KEYS: &str = "https://www.googleapis.com/oauth2/v1/certs";
const ALGORITHM: &str = "RS256";
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

/// Seconds that both clocks may differ: that of the provider's library.
const GRACE: i64 = 10;
/// Keys change about once a day, and the next is published before it signs.
const KEEP: Duration = Duration::from_hours(1);
/// An unknown key makes the gateway ask again, but not more often than this: strangers
/// can name keys at will.
const ASK_AGAIN: Duration = Duration::from_mins(5);

const UNFIT: &str =
    "the token is for another audience, of another account or issuer, or not good at this time";

/// The scheme with its audience and the service accounts that may push.
#[derive(Debug)]
pub(super) struct GooglePubsub {
    audience: String,
    accounts: Vec<String>,
}

#[derive(serde::Deserialize)]
struct Claims {
    aud: String,
    iss: String,
    email: String,
    email_verified: bool,
    iat: i64,
    exp: i64,
}

impl GooglePubsub {
    pub(super) fn new(setup: &Setup<'_>) -> Result<Self, SchemeError> {
        let remedy =
            "say what the subscription has as its audience; where it has none, the push endpoint's URL";
        let audience = extra(setup.extras.audience, "audience", remedy)?.to_owned();
        Ok(Self { audience, accounts: texts(setup)? })
    }

    fn fits(&self, claims: &Claims, now: Millis) -> bool {
        let is_ours = |account: &String| equal(account.as_bytes(), claims.email.as_bytes());
        equal(self.audience.as_bytes(), claims.aud.as_bytes())
            && ISSUERS.contains(&claims.iss.as_str())
            && claims.email_verified
            && self.accounts.iter().any(is_ours)
            && !jws::is_to_come(claims.iat, now, GRACE)
            && !jws::is_over(claims.exp, now, GRACE)
    }
}

impl Coded for GooglePubsub {
    fn check(&self, reader: &Reader<'_>, now: Millis, documents: &Documents) -> Result<Accepted, Verdict> {
        let token = Jws::parse(bearer(reader)?)?;
        token.must_be(ALGORITHM)?;
        // What needs no key is asked first, so that fewer strangers make the gateway ask
        // for one. They are not told which claim is wrong.
        if !self.fits(&token.claims()?, now) {
            return Err(unauthorized(UNFIT));
        }
        let key_id = token.key_id.as_deref().ok_or_else(|| unauthorized("the token names no key"))?;
        let certificate = certificate(documents, key_id, now)?;
        let key = RsaKey::of_certificate(certificate.as_bytes(), now).map_err(unauthorized)?;
        if key.accepts(Hash::Sha256, token.signed, &token.signature) {
            Ok(Accepted::default())
        } else {
            Err(no_match())
        }
    }

    fn signed_bytes(&self, reader: &Reader<'_>) -> Result<Vec<u8>, String> {
        let token = bearer(reader).and_then(Jws::parse).map_err(|verdict| verdict.to_string())?;
        Ok(token.signed.to_owned())
    }
}

fn bearer<'a>(reader: &Reader<'a>) -> Result<&'a [u8], Verdict> {
    const SCHEME: &[u8] = b"Bearer ";
    let value = header(reader, "authorization")?;
    let token = value.split_at_checked(SCHEME.len()).filter(|(start, _)| start.eq_ignore_ascii_case(SCHEME));
    token.map(|(_, token)| token).ok_or_else(|| unauthorized("authorization is not Bearer"))
}

/// The certificate of that key, among those that Google has now.
fn certificate(documents: &Documents, key_id: &str, now: Millis) -> Result<String, Verdict> {
    let want = |not_before| Want {
        name: KEYS.to_owned(),
        fetch: Fetch::get(KEYS),
        not_before,
        names_key: false,
        keep: KEEP,
        is_usable: is_set,
    };
    if let Some(found) = in_set(wanted(documents, want(None))?, key_id)? {
        return Ok(found);
    }
    let newer = wanted(documents, want(Some(now.before(ASK_AGAIN))))?;
    in_set(newer, key_id)?.ok_or_else(|| unauthorized("the key that signed is not known"))
}

fn in_set(document: &Document, key_id: &str) -> Result<Option<String>, Verdict> {
    let mut set: BTreeMap<String, String> = serde_json::from_slice(&document.body)
        .map_err(|_| unauthorized("the published keys cannot be read"))?;
    Ok(set.remove(key_id))
}

/// Whether that is a set with a key in it. One that cannot be used takes the others nothing.
fn is_set(body: &[u8]) -> bool {
    let set: Result<BTreeMap<String, String>, _> = serde_json::from_slice(body);
    set.is_ok_and(|set| set.values().any(|pem| is_certificate(pem.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wanted of a set that was fetched so many seconds ago.
    fn asked(key_id: &str, age: i64) -> Result<String, Verdict> {
        let now = Millis(1_700_000_000_000);
        let mut documents = Documents::default();
        let body = r#"{"k":"certificate"}"#.into();
        documents.insert(KEYS, Document { body, fetched: Millis(now.0 - age * 1000) });
        certificate(&documents, key_id, now)
    }

    #[test]
    fn what_is_a_set_has_a_certificate() {
        for body in
            ["", "[]", "{}", r#"{"error":"later"}"#, r#"{"k":"-----BEGIN CERTIFICATE-----"}"#, r#"{"k":1}"#]
        {
            assert!(!is_set(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn an_unknown_key_is_asked_for_again_but_not_at_once() {
        assert_eq!(asked("k", 3600).as_deref(), Ok("certificate"));
        for age in [0, 299, 300] {
            assert!(matches!(asked("other", age), Err(Verdict::Unauthorized(_))), "{age}");
        }
        let Err(Verdict::Wanted(want)) = asked("other", 301) else { panic!("it does not ask again") };
        assert_eq!(want.not_before, Some(Millis(1_699_999_700_000)));
    }
}

//! Schemes that fields cannot say: one small file each, named like its preset, and what
//! several of them share.

mod adyen;
mod aws_sns;
mod braintree;
mod certificate;
mod contentful;
mod form;
mod google_pubsub;
mod jws;
mod mac;
mod messagebird;
mod netlify;
mod paddle_classic;
mod paypal;
mod pinned;
mod plaid;
mod plivo_v3;
mod registered;
mod twilio;

use std::fmt;
use std::sync::Arc;

use super::config::VerifyConfig;
use super::documents::{Document, Documents, Want};
use super::extract::Reader;
use super::setup::Setup;
use super::sign::{Made, Outgoing, SignError};
use super::{Accepted, SchemeError, Verdict};
use crate::model::{Header, Millis};

/// A scheme written in Rust, with its secrets. Ids and types that are in one place of a
/// request are still data of its preset.
pub(super) trait Coded: fmt::Debug + Send + Sync {
    /// Whether the request is the provider's. What it returns of id and type counts
    /// before what the preset's extractors find.
    ///
    /// # Errors
    /// The verdict otherwise: not proven, not readable, or a document is wanted.
    fn check(&self, reader: &Reader<'_>, now: Millis, documents: &Documents) -> Result<Accepted, Verdict>;

    /// The bytes that are signed, for people who look for a mistake; never a secret.
    fn signed_bytes(&self, reader: &Reader<'_>) -> Result<Vec<u8>, String>;

    /// A request as the provider would send it, signed with the first secret.
    fn sign(&self, _outgoing: &Outgoing<'_>) -> Result<Made, SignError> {
        Err(SignError::PublicKey)
    }
}

/// The name of a coded scheme, as presets write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// Adyen payments: fields of every item are signed, in the body.
    Adyen,
    /// Amazon SNS: fields are signed with the key of a published certificate.
    AwsSns,
    /// Braintree: pairs of key and signature in a form.
    Braintree,
    /// Contentful: a canonical request with the headers that it lists.
    Contentful,
    /// Google Pub/Sub push: an identity token of a service account.
    GooglePubsub,
    /// `MessageBird`: a token that holds hashes of URL and body.
    Messagebird,
    /// Netlify: a token that holds a hash of the body.
    Netlify,
    /// Paddle Classic: the form as PHP serialises it.
    PaddleClassic,
    /// `PayPal`: a checksum of the body, signed with the key of a published certificate.
    Paypal,
    /// Plaid: a token that holds a hash of the body, with a key of Plaid's API.
    Plaid,
    /// Plivo: the URL rebuilt from its sorted parts.
    PlivoV3,
    /// Twilio: the URL and the sorted form, with the account's token.
    Twilio,
    /// Twilio with a key made for webhooks, whose algorithm the request may name.
    TwilioSharedkey,
}

impl Code {
    /// What it reads beside secrets, as the keys of a source.
    pub(super) const fn takes(self) -> &'static [&'static str] {
        match self {
            Self::Braintree => &["public_key"],
            Self::GooglePubsub => &["audience"],
            Self::Twilio | Self::TwilioSharedkey => &["pin_algorithm"],
            _ => &[],
        }
    }

    /// Whether it compares a signed time with the clock, so that `timestamp.tolerance`
    /// has a meaning.
    pub(super) const fn has_time(self) -> bool {
        matches!(self, Self::Contentful | Self::Plaid)
    }

    /// The scheme with its secrets, and what `config` says of it.
    pub(super) fn make(
        self,
        config: &VerifyConfig,
        setup: &Setup<'_>,
    ) -> Result<Arc<dyn Coded>, SchemeError> {
        Ok(match self {
            Self::Adyen => Arc::new(adyen::Adyen::new(setup)?),
            Self::AwsSns => Arc::new(aws_sns::AwsSns::new(setup)?),
            Self::Braintree => Arc::new(braintree::Braintree::new(setup)?),
            Self::Contentful => Arc::new(contentful::Contentful::new(setup, tolerance(config)?)?),
            Self::GooglePubsub => Arc::new(google_pubsub::GooglePubsub::new(setup)?),
            Self::Messagebird => Arc::new(messagebird::Messagebird::new(setup)?),
            Self::Netlify => Arc::new(netlify::Netlify::new(setup)?),
            Self::PaddleClassic => Arc::new(paddle_classic::PaddleClassic::new(setup)?),
            Self::Paypal => Arc::new(paypal::Paypal::new(setup)?),
            Self::Plaid => Arc::new(plaid::Plaid::new(setup, tolerance(config)?)?),
            Self::PlivoV3 => Arc::new(plivo_v3::PlivoV3::new(setup)?),
            Self::Twilio => Arc::new(twilio::Twilio::with_token(setup)?),
            Self::TwilioSharedkey => Arc::new(twilio::Twilio::with_shared_key(setup)?),
        })
    }
}

/// Seconds that a signed time may be off. Each provider has its own, which its preset says.
fn tolerance(config: &VerifyConfig) -> Result<u32, SchemeError> {
    let tolerance = config.timestamp.as_ref().and_then(|time| time.tolerance);
    tolerance.ok_or_else(|| SchemeError::new("verify.timestamp.tolerance", "is missing: seconds are due"))
}

fn unauthorized(reason: impl Into<String>) -> Verdict {
    Verdict::Unauthorized(reason.into())
}

fn malformed(reason: impl Into<String>) -> Verdict {
    Verdict::Malformed(reason.into())
}

/// The signature is there and can be read, but no configured key made it.
fn no_match() -> Verdict {
    unauthorized("the signature does not match")
}

/// The value of a header that must be there, and once: of two, nobody knows which one
/// the next reader takes.
fn header<'a>(reader: &Reader<'a>, name: &str) -> Result<&'a [u8], Verdict> {
    let mut values = reader.request.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Ok(value.as_bytes()),
        (Some(_), Some(_)) => Err(unauthorized(format!("header {name} is there more than once"))),
        _ => Err(unauthorized(format!("header {name} is missing"))),
    }
}

/// The configured secrets as texts, for schemes that hold no key in them.
fn texts(setup: &Setup<'_>) -> Result<Vec<String>, SchemeError> {
    each_secret(setup, |secret| Ok(secret.to_owned()))
}

/// Every configured secret made into something; at least one.
fn each_secret<T>(
    setup: &Setup<'_>,
    mut make: impl FnMut(&str) -> Result<T, String>,
) -> Result<Vec<T>, SchemeError> {
    if setup.secrets.is_empty() {
        let scheme = setup.scheme.unwrap_or("custom");
        let reason = format!("are missing: scheme {scheme:?} needs at least one");
        return Err(SchemeError::new("secrets", reason));
    }
    let all = setup.secrets.iter().enumerate().map(|(place, secret)| {
        let one = if secret.is_empty() { Err("is empty".to_owned()) } else { make(secret) };
        one.map_err(|reason| SchemeError::new(format!("secrets[{place}]"), reason))
    });
    all.collect()
}

/// Requests must come with the URL that the provider knows.
fn needs_public_url(setup: &Setup<'_>) -> Result<(), SchemeError> {
    if setup.has_public_url {
        return Ok(());
    }
    let reason = "is missing: the provider signs the URL, so say it as it is registered there";
    Err(SchemeError::new("public_url", reason))
}

/// What a key beside the secrets says; an error that names the key where it is missing.
fn extra<'a>(value: Option<&'a str>, field: &str, remedy: &str) -> Result<&'a str, SchemeError> {
    let found = value.filter(|value| !value.is_empty());
    found.ok_or_else(|| SchemeError::new(field, format!("is missing: {remedy}")))
}

/// That document, if it is kept and new enough.
fn wanted(documents: &Documents, want: Want) -> Result<&Document, Verdict> {
    let kept = documents.get(&want.name);
    let new_enough = |document: &&Document| want.not_before.is_none_or(|time| document.fetched >= time);
    kept.filter(new_enough).ok_or_else(|| Verdict::Wanted(Box::new(want)))
}

/// A header of a request to send.
fn made_header(name: &str, value: impl Into<String>) -> Header {
    Header { name: name.to_owned(), value: value.into() }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::super::{Extras, Request, Scheme};
    use super::*;

    const NOW: Millis = Millis(1_700_000_000_000);
    const URL: &str = "https://h.test/in/x";
    const FORM_BODY: &[u8] = b"MessageSid=SM1&SmsStatus=sent";
    /// A key on P-256 in base64 (RFC 5480).
    const P256: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElczAinQAoExRwT4xO9tn7tjYFV3HmJCmIqICB+qF21ij1kVMKiZ5xVw4\
                        m+qE5QzwAk9VPy5jb8ObcGjEvY+7CA==";
    const ITEMS: &[u8] = br#"{"notificationItems":[{"NotificationRequestItem":{"pspReference":"p"}}]}"#;

    fn extras(name: &str) -> Extras<'static> {
        Extras { public_key: (name == "braintree").then_some("public"), ..Extras::default() }
    }

    fn scheme(name: &str) -> Scheme {
        let extras = extras(name);
        let setup = Setup { has_public_url: true, extras, ..Setup::preset(name, &["0f"]) };
        Scheme::compile(&setup).unwrap()
    }

    fn verdict(scheme: &Scheme, made: &Made, body: &[u8]) -> Verdict {
        let mut headers = HeaderMap::new();
        for Header { name, value } in &made.headers {
            headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
        }
        let request = Request {
            method: "POST",
            path: "/in/x",
            query: made.query.as_deref(),
            headers: &headers,
            body: made.body.as_deref().unwrap_or(body),
            public_url: Some(URL),
        };
        scheme.verify(&request, NOW, &Documents::default())
    }

    #[test]
    fn what_is_made_is_accepted_and_nothing_else() {
        for (name, body, other) in [
            (
                "adyen",
                ITEMS,
                &br#"{"notificationItems":[{"NotificationRequestItem":{"pspReference":"q"}}]}"#[..],
            ),
            ("braintree", b"<kind>check</kind>", b"<kind>other</kind>"),
            ("contentful", b"{}", b"[]"),
            ("messagebird", b"{}", b"[]"),
            ("netlify", br#"{"id":"d","state":"s"}"#, b"{}"),
            ("plivo-v3", FORM_BODY, b"MessageSid=SM2"),
            ("twilio", FORM_BODY, b"MessageSid=SM2"),
            ("twilio", b"{}", b"[]"),
            ("twilio-sharedkey", FORM_BODY, b"MessageSid=SM2"),
            ("twilio-sharedkey", b"{}", b"[]"),
        ] {
            let scheme = scheme(name);
            let outgoing = |body| Outgoing {
                method: "POST",
                url: Some(URL),
                body,
                id: "i",
                event_type: Some("t"),
                now: NOW,
            };
            let made = scheme.sign(&outgoing(body)).unwrap();
            let accepted = verdict(&scheme, &made, body);
            assert!(matches!(accepted, Verdict::Accepted(_)), "{name}: {accepted}");
            // Where the signature is in the body, another body has none.
            let forged = Made { body: None, ..made };
            let refused = verdict(&scheme, &forged, other);
            assert!(matches!(refused, Verdict::Unauthorized(_)), "{name}: {refused}");
        }
    }

    #[test]
    fn what_a_source_must_say() {
        let setup = |name| Setup { has_public_url: true, ..Setup::preset(name, &["0f"]) };
        for (setup, expected) in [
            (Setup { secrets: &[], ..setup("netlify") }, "secrets: are missing: scheme \"netlify\" needs"),
            (Setup { secrets: &["a", ""], ..setup("netlify") }, "secrets[1]: is empty"),
            (Setup { secrets: &["-----BEGIN"], ..setup("netlify") }, "secrets[0]: is one key of a pair"),
            (Setup { secrets: &[P256], ..setup("netlify") }, "secrets[0]: is one key of a pair"),
            (Setup { secrets: &["hunter2"], ..setup("adyen") }, "secrets[0]: is not hexadecimal"),
            (Setup { secrets: &["hunter2"], ..setup("plaid") }, "secrets[0]: is not \"client id:secret\""),
            (Setup { secrets: &["hunter2"], ..setup("paddle-classic") }, "secrets[0]: is not a public key"),
            (Setup { has_public_url: false, ..setup("twilio") }, "public_url: is missing"),
            (Setup { has_public_url: false, ..setup("plivo-v3") }, "public_url: is missing"),
            (Setup { has_public_url: false, ..setup("messagebird") }, "public_url: is missing"),
            (setup("braintree"), "public_key: is missing"),
            (setup("google-pubsub"), "audience: is missing"),
        ] {
            let error = Scheme::compile(&setup).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains("hunter2"), "quotes the secret: {error}");
        }
    }

    #[test]
    fn a_signed_time_may_be_off_as_configured() {
        let verify: VerifyConfig = toml::from_str("timestamp = { tolerance = 60 }").unwrap();
        for (configured, late, expected) in
            [(None, 30, true), (None, 31, false), (Some(&verify), 60, true), (Some(&verify), 61, false)]
        {
            let setup = Setup { verify: configured, ..Setup::preset("contentful", &["s"]) };
            let scheme = Scheme::compile(&setup).unwrap();
            let now = Millis(NOW.0 - late * 1000);
            let outgoing =
                Outgoing { method: "POST", url: Some(URL), body: b"{}", id: "i", event_type: None, now };
            let verdict = verdict(&scheme, &scheme.sign(&outgoing).unwrap(), b"{}");
            assert_eq!(matches!(verdict, Verdict::Accepted(_)), expected, "{late} s: {verdict}");
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        for name in ["braintree", "contentful", "messagebird", "netlify", "plaid", "plivo-v3", "twilio"] {
            let secrets = ["hunter2:hunter2"];
            let setup = Setup { has_public_url: true, extras: extras(name), ..Setup::preset(name, &secrets) };
            let shown = format!("{:?}", Scheme::compile(&setup).unwrap());
            assert!(!shown.contains("hunter2"), "{name}: {shown}");
        }
    }
}

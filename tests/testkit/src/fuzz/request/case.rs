//! One request before one scheme, and the request that it was made of.

use hookloom::clock::Random;
use hookloom::model::{Header, Millis};
use hookloom::verify::{
    Documents, Given, Outgoing, Request, Scheme, Setup, Verdict, VerifyConfig, preset, registered_url,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::schemes::{self, SECRETS};
use super::sent::{REGISTERED, Sent};
use super::{below, one_of};

/// When requests are signed, in Unix seconds.
const NOW: i64 = 1_700_000_000;

pub(super) struct Case {
    /// A preset, or none: `verify` is the scheme.
    pub(super) preset: Option<String>,
    verify: Value,
    pub(super) secret: String,
    /// As it was signed; none where the scheme cannot be signed for.
    pub(super) original: Option<Sent>,
    pub(super) sent: Sent,
    /// Unix seconds at which it is judged.
    pub(super) now: i64,
}

impl Case {
    pub(super) fn random(random: &Random) -> Self {
        let is_preset = below(random, 2) == 0;
        let preset = is_preset.then(|| schemes::preset(random).to_owned());
        let verify = if is_preset { Value::Null } else { schemes::generic(random) };
        let secret = (*one_of(random, &SECRETS)).to_owned();
        let sent = Sent::unsigned(random);
        let mut case = Self { preset, verify, secret, original: None, sent, now: NOW };
        // Of those that fit, the first signs.
        let fitting = SECRETS.iter().find(|secret| case.scheme_with(secret).is_ok());
        if let Some(fitting) = fitting.filter(|_| below(random, 8) != 0) {
            (*fitting).clone_into(&mut case.secret);
        }
        case.sign();
        for _ in 0..below(random, 4) {
            case.sent.change(random);
        }
        if below(random, 3) == 0 {
            case.now += i64::try_from(below(random, 2000)).unwrap_or(0) - 1000;
        }
        case
    }

    pub(super) fn name(&self) -> String {
        self.preset.clone().unwrap_or_else(|| self.verify.to_string())
    }

    /// The words of its scheme.
    pub(super) fn config(&self) -> Option<VerifyConfig> {
        match &self.preset {
            Some(name) => preset(name).map(|preset| preset.verify.clone()),
            None => serde_json::from_value(self.verify.clone()).ok(),
        }
    }

    fn scheme_with(&self, secret: &str) -> Result<Scheme, String> {
        let verify: Option<VerifyConfig> =
            serde_json::from_value(self.verify.clone()).map_err(|error| error.to_string())?;
        let secrets = [secret];
        let setup = Setup {
            scheme: self.preset.as_deref(),
            verify: verify.as_ref(),
            secrets: &secrets,
            has_public_url: true,
            ..Setup::default()
        };
        Scheme::compile(&setup).map_err(|error| error.to_string())
    }

    /// Makes the request the provider's, if that can be done.
    fn sign(&mut self) {
        let Ok(scheme) = self.scheme_with(&self.secret) else { return };
        let url = self.sent.url();
        let outgoing = Outgoing {
            method: &self.sent.method,
            url: Some(&url),
            body: &self.sent.body,
            id: "id-1",
            event_type: Some("a.b"),
            now: Millis(NOW * 1000),
        };
        let given = Given { headers: &[], query: self.sent.query.as_deref() };
        let Ok(made) = scheme.sign_beside(&outgoing, given) else { return };
        let bytes = |Header { name, value }| (name, value.into_bytes());
        self.sent.headers = made.headers.into_iter().map(bytes).collect();
        if let Some(body) = made.body {
            self.sent.body = body;
        }
        if let Some(query) = made.query {
            self.sent.add_query(&query);
        }
        self.original = Some(self.sent.clone());
    }

    /// What the scheme says, or why there is none.
    pub(super) fn judge(&self) -> Result<Verdict, String> {
        let scheme = self.scheme_with(&self.secret)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.sent.headers {
            // What is no header never gets here.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value)) {
                headers.append(name, value);
            }
        }
        let (path, query) = (self.sent.path(), self.sent.query.as_deref());
        let url = registered_url(REGISTERED, &path, query);
        let request = Request {
            method: &self.sent.method,
            path: &path,
            query,
            headers: &headers,
            body: &self.sent.body,
            public_url: Some(&url),
        };
        drop(scheme.probe(&request));
        Ok(scheme.verify(&request, Millis(self.now * 1000), &Documents::default()))
    }

    pub(super) fn to_value(&self) -> Value {
        json!({
            "preset": self.preset,
            "verify": self.verify,
            "secret": self.secret,
            "now": self.now,
            "original": self.original.as_ref().map(Sent::to_value),
            "sent": self.sent.to_value(),
        })
    }

    pub(super) fn from_value(value: &Value) -> Option<Self> {
        Some(Self {
            preset: value["preset"].as_str().map(str::to_owned),
            verify: value["verify"].clone(),
            secret: value["secret"].as_str()?.to_owned(),
            original: Sent::from_value(&value["original"]),
            sent: Sent::from_value(&value["sent"])?,
            now: value["now"].as_i64()?,
        })
    }
}

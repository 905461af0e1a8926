//! One request before one scheme, and the request that it was made of.

use hookloom::clock::Random;
use hookloom::model::{Header, Millis};
use hookloom::verify::{Documents, Given, Outgoing, Request, Scheme, Setup, Verdict, VerifyConfig, preset};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::schemes::{self, SECRETS};
use super::{below, one_of, scratch};

pub(super) const URL: &str = "https://hooks.example.test/in/a?q=1";
/// When requests are signed, in Unix seconds.
const NOW: i64 = 1_700_000_000;

/// A request as bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Sent {
    pub(super) method: String,
    pub(super) query: String,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

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
        let sent = Sent { method: "POST".to_owned(), query: "q=1".to_owned(), ..Sent::default() };
        let mut case = Self { preset, verify, secret, original: None, sent, now: NOW };
        // Of those that fit, the first signs.
        let fitting = SECRETS.iter().find(|secret| case.scheme_with(secret).is_ok());
        if let Some(fitting) = fitting.filter(|_| below(random, 8) != 0) {
            (*fitting).clone_into(&mut case.secret);
        }
        let bodies = [&br#"{"id":"evt_1","type":"a.b","n":[1,2]}"#[..], b"a=1&b=2", b"", b"\xff\0x"];
        one_of(random, &bodies).clone_into(&mut case.sent.body);
        case.sign();
        for _ in 0..below(random, 4) {
            case.change(random);
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
        let outgoing = Outgoing {
            method: &self.sent.method,
            url: Some(URL),
            body: &self.sent.body,
            id: "id-1",
            event_type: Some("a.b"),
            now: Millis(NOW * 1000),
        };
        let Ok(made) = scheme.sign_beside(&outgoing, Given { headers: &[], query: Some("q=1") }) else {
            return;
        };
        let bytes = |Header { name, value }| (name, value.into_bytes());
        self.sent.headers = made.headers.into_iter().map(bytes).collect();
        if let Some(body) = made.body {
            self.sent.body = body;
        }
        if let Some(query) = made.query {
            self.sent.query = format!("q=1&{query}");
        }
        self.original = Some(self.sent.clone());
    }

    /// Changes one thing.
    fn change(&mut self, random: &Random) {
        let sent = &mut self.sent;
        let count = sent.headers.len();
        let at = below(random, count);
        match below(random, 10) {
            0 | 1 => scratch(&mut sent.body, random),
            2 => one_of(random, &["GET", "PUT", "post"]).clone_into(&mut sent.method),
            3 => one_of(random, &["", "q=2", "q=1&q=2", "key=x"]).clone_into(&mut sent.query),
            _ if count == 0 => sent.headers.push(("x-sig".to_owned(), b"v1=00,t=1700000000".to_vec())),
            4 => drop(sent.headers.remove(at)),
            5 => {
                let mut again = sent.headers[at].clone();
                scratch(&mut again.1, random);
                let to = below(random, count + 1);
                sent.headers.insert(to, again);
            }
            6 => {
                let other = sent.headers[below(random, count)].1.clone();
                let joint = one_of(random, &[", ", ",", " ", ";"]);
                let own = &mut sent.headers[at].1;
                *own = [own.as_slice(), joint.as_bytes(), &other].concat();
            }
            7 => {
                let other = below(random, count);
                let value = sent.headers[other].1.clone();
                sent.headers[at].1 = value;
            }
            _ => scratch(&mut sent.headers[at].1, random),
        }
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
        let request = Request {
            method: &self.sent.method,
            path: "/in/a",
            query: Some(&self.sent.query),
            headers: &headers,
            body: &self.sent.body,
            public_url: Some(URL),
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

impl Sent {
    fn to_value(&self) -> Value {
        json!({ "method": self.method, "query": self.query, "headers": self.headers, "body": self.body })
    }

    fn from_value(value: &Value) -> Option<Self> {
        Some(Self {
            method: value["method"].as_str()?.to_owned(),
            query: value["query"].as_str()?.to_owned(),
            headers: serde_json::from_value(value["headers"].clone()).ok()?,
            body: serde_json::from_value(value["body"].clone()).ok()?,
        })
    }

    /// The values of the headers of that name, or of all that begin so.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let is = move |own: &str| match name.strip_suffix('*') {
            Some(start) => own.starts_with(start),
            None => own == name,
        };
        self.headers.iter().filter(move |(own, _)| is(own)).map(|(_, value)| value.as_slice())
    }
}

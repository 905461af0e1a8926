//! Recorded requests: what `hookloom verify --case` judges.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    Document, Documents, Explanation, Extras, OneOrMany, Request, Scheme, Setup, Verdict, VerifyConfig,
};
use crate::model::Millis;

/// One recorded request. Fields that only explain it are not read.
#[derive(Clone, serde::Deserialize)]
pub struct Case {
    /// The preset's name.
    pub provider: String,
    /// What is tried.
    #[serde(default)]
    pub description: String,
    /// What the operator configures.
    secret: Option<String>,
    /// Wins over `secret`.
    secrets: Option<Vec<String>>,
    method: String,
    /// The public URL, as the provider knows it.
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, OneOrMany<String>>,
    #[serde(default)]
    body_base64: String,
    /// Unix seconds at which it is judged.
    now: i64,
    #[serde(default)]
    config: CaseConfig,
    /// What a fetch of a document returns, by its name.
    #[serde(default)]
    fixtures: BTreeMap<String, String>,
    /// What is due.
    pub expect: Expectation,
    /// The provider's id of the event, where the case knows it.
    id: Option<String>,
    /// What happened, where the case knows it.
    #[serde(rename = "type")]
    event_type: Option<String>,
}

#[derive(Clone, Default, serde::Deserialize)]
struct CaseConfig {
    public_url: Option<String>,
    public_key: Option<String>,
    audience: Option<String>,
    pin_algorithm: Option<String>,
    secondary_secret: Option<String>,
    verify_token: Option<String>,
}

impl CaseConfig {
    fn extras(&self) -> Extras<'_> {
        Extras {
            public_key: self.public_key.as_deref(),
            audience: self.audience.as_deref(),
            pin_algorithm: self.pin_algorithm.as_deref(),
            secondary_secret: self.secondary_secret.as_deref(),
            verify_token: self.verify_token.as_deref(),
        }
    }
}

/// What a case is to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// An event or a handshake.
    Accept,
    /// Malformed or unauthorized.
    Reject,
}

/// What a case came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whether that is what the case expects; never where it could not be judged.
    pub as_expected: bool,
    /// The verdict and its reason, or why there is none.
    pub explanation: String,
}

/// The cases of one file.
///
/// # Errors
///
/// Where the text is not a JSON list of cases.
pub fn parse(json: &[u8]) -> Result<Vec<Case>, serde_json::Error> {
    serde_json::from_slice(json)
}

impl Case {
    /// Verifies the request as a source of that preset would have at that time.
    pub fn judge(&self) -> Judgement {
        self.judgement(self.verdict())
    }

    /// The same by another scheme than the preset's, for tests that change one.
    pub fn judge_by(&self, verify: &VerifyConfig) -> Judgement {
        self.judgement(self.ask(None, Some(verify), Scheme::verify))
    }

    fn judgement(&self, verdict: Result<Verdict, String>) -> Judgement {
        match verdict {
            Ok(verdict) => {
                let accepted = matches!(verdict, Verdict::Accepted(_) | Verdict::Handshake(_));
                let as_expected = accepted == (self.expect == Expectation::Accept) && self.names(&verdict);
                Judgement { as_expected, explanation: verdict.to_string() }
            }
            Err(reason) => {
                Judgement { as_expected: false, explanation: format!("cannot be judged: {reason}") }
            }
        }
    }

    /// Whether id and type are those that the case knows.
    fn names(&self, verdict: &Verdict) -> bool {
        let Verdict::Accepted(accepted) = verdict else { return true };
        let is = |known: &Option<String>, found: &Option<String>| known.is_none() || known == found;
        is(&self.id, &accepted.id) && is(&self.event_type, &accepted.event_type)
    }

    /// The verdict on the request, step by step.
    ///
    /// # Errors
    /// Why it cannot be judged.
    pub fn explain(&self) -> Result<Explanation, String> {
        self.ask(Some(&self.provider), None, Scheme::explain)
    }

    fn verdict(&self) -> Result<Verdict, String> {
        self.ask(Some(&self.provider), None, Scheme::verify)
    }

    /// Asks a source with that scheme about the request at that time.
    fn ask<T>(
        &self,
        scheme: Option<&str>,
        verify: Option<&VerifyConfig>,
        question: impl FnOnce(&Scheme, &Request<'_>, Millis, &Documents) -> T,
    ) -> Result<T, String> {
        let secrets = self.secrets.as_deref().unwrap_or(self.secret.as_slice());
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let setup = Setup {
            scheme,
            verify,
            secrets: &secrets,
            has_public_url: true,
            extras: self.config.extras(),
            ..Setup::default()
        };
        let scheme = Scheme::compile(&setup).map_err(|error| error.to_string())?;
        let url = url::Url::parse(&self.url).map_err(|error| format!("url: {error}"))?;
        let body = STANDARD.decode(&self.body_base64).map_err(|error| format!("body_base64: {error}"))?;
        let request = Request {
            method: &self.method,
            path: url.path(),
            query: url.query(),
            headers: &self.header_map()?,
            body: &body,
            public_url: Some(self.config.public_url.as_deref().unwrap_or(&self.url)),
        };
        let now = Millis(self.now.saturating_mul(1000));
        Ok(question(&scheme, &request, now, &self.documents(now)))
    }

    fn documents(&self, now: Millis) -> Documents {
        let mut documents = Documents::default();
        for (name, body) in &self.fixtures {
            documents.insert(name, Document { body: body.clone().into(), fetched: now });
        }
        documents
    }

    fn header_map(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, values) in &self.headers {
            for value in &values.0 {
                let pair = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
                let (name, value) = pair.ok_or_else(|| format!("headers: {name:?} is not a header"))?;
                headers.append(name, value);
            }
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GitHub's published example.
    const CASE: &str = r#"{
        "provider": "github", "secret": "It's a Secret to Everybody", "method": "POST",
        "url": "https://hooks.example.test/in/github", "now": 1700000000, "expect": "accept",
        "headers": {"X-Hub-Signature-256": ["sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"]},
        "body_base64": "SGVsbG8sIFdvcmxkIQ==", "reason": "published"
    }"#;

    /// The example with one thing changed.
    fn judge(from: &str, to: &str) -> (bool, String) {
        assert!(CASE.contains(from), "{from} is not in the case");
        let cases = parse(format!("[{}]", CASE.replacen(from, to, 1)).as_bytes()).unwrap();
        let Judgement { as_expected, explanation } = cases[0].judge();
        (as_expected, explanation)
    }

    #[test]
    fn cases() {
        const WRONG: &str = "unauthorized: the signature does not match";
        for (from, to, as_expected, explanation) in [
            ("", "", true, "accepted: id -, type -"),
            ("\"accept\"", "\"reject\"", false, "accepted: id -, type -"),
            ("Everybody", "Nobody", false, WRONG),
            ("\"method\"", "\"secrets\": [\"x\"], \"method\"", false, WRONG),
            (
                "\"method\"",
                "\"secrets\": [\"x\", \"It's a Secret to Everybody\"], \"method\"",
                true,
                "accepted: id -, type -",
            ),
            ("\"github\"", "\"gihub\"", false, "cannot be judged: there is no scheme \"gihub\""),
            (
                "\"secret\"",
                "\"hint\"",
                false,
                "cannot be judged: secrets: are missing: scheme \"github\" needs at least one",
            ),
            ("https://", "", false, "cannot be judged: url: relative URL without a base"),
            ("SGVs", "*", false, "cannot be judged: body_base64: Invalid symbol 42, offset 0."),
            ("X-Hub", "X Hub", false, "cannot be judged: headers: \"X Hub-Signature-256\" is not a header"),
        ] {
            assert_eq!(judge(from, to), (as_expected, explanation.to_owned()), "{from} to {to}");
        }
    }

    #[test]
    fn what_is_no_list_of_cases_is_refused() {
        let maybe = format!("[{}]", CASE.replace("\"accept\"", "\"maybe\""));
        for text in ["", "{}", CASE, "[{}]", &maybe] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}

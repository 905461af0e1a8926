//! Tokens (RFC 7515) as attackers make them out of a true one, at every provider that
//! sends one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hookloom::app::Surroundings;
use hookloom::clock::Clock;
use hookloom::model::Millis;
use hookloom_testkit::gateway::Gateway;
use serde_json::Value;

use super::{NOW, mac};
use crate::gateway_vectors::{Published, config, post, stored};
use crate::recorded::{self, Recorded};

/// Which recorded request is true, and where its token is, behind what.
const SENDERS: [(&str, &str, &str, &str); 4] = [
    ("google-pubsub", "valid", "authorization", "Bearer "),
    ("messagebird", "valid, HS256", "messagebird-signature-jwt", ""),
    ("netlify", "valid", "x-webhook-signature", ""),
    ("plaid", "valid", "plaid-verification", ""),
];

/// Of other keys, curves and hashes, and none at all (RFC 7518, RFC 8812).
const ALGORITHMS: [&str; 16] = [
    "none", "None", "NONE", "", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "ES256",
    "ES384", "ES512", "ES256K", "EdDSA",
];

/// A true token, cut at its dots.
struct Token {
    header: Value,
    head: String,
    claims: String,
    signature: String,
}

impl Token {
    fn of(text: &str) -> Self {
        let mut parts = text.split('.').map(str::to_owned);
        let mut part = || parts.next().expect("a token has three parts");
        let (head, claims, signature) = (part(), part(), part());
        let header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&head).unwrap()).unwrap();
        Self { header, head, claims, signature }
    }

    /// Its header as it would be with another algorithm.
    fn head_with(&self, algorithm: &str) -> String {
        let mut header = self.header.clone();
        header["alg"] = algorithm.into();
        URL_SAFE_NO_PAD.encode(header.to_string())
    }

    /// What it can be made into, each with its name.
    fn forgeries(&self, public: &[Vec<u8>]) -> Vec<(String, String)> {
        let Self { header, head, claims, signature } = self;
        let mut all = vec![
            ("no signature".to_owned(), format!("{head}.{claims}.")),
            ("two segments".to_owned(), format!("{head}.{claims}")),
            ("four segments".to_owned(), format!("{head}.{claims}.{signature}.{signature}")),
            ("a signature alone".to_owned(), format!("..{signature}")),
            ("claims as the signature".to_owned(), format!("{head}.{claims}.{claims}")),
        ];
        for algorithm in ALGORITHMS.into_iter().filter(|own| header["alg"] != *own) {
            let head = self.head_with(algorithm);
            all.push((format!("called {algorithm:?}"), format!("{head}.{claims}.{signature}")));
            all.push((format!("called {algorithm:?}, unsigned"), format!("{head}.{claims}.")));
        }
        for (place, key) in public.iter().enumerate() {
            let input = format!("{}.{claims}", self.head_with("HS256"));
            let made = URL_SAFE_NO_PAD.encode(mac(key, &input));
            all.push((format!("HS256 by public text {place}"), format!("{input}.{made}")));
        }
        all
    }
}

/// Everything that anybody may know of keys: what is published, every text in it, and what
/// those texts are in base64url; and nothing at all.
fn public_texts(fixtures: &BTreeMap<String, String>) -> Vec<Vec<u8>> {
    fn collect(value: &Value, found: &mut Vec<Vec<u8>>) {
        match value {
            Value::String(text) => {
                found.push(text.clone().into_bytes());
                found.extend(URL_SAFE_NO_PAD.decode(text));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Object(members) => members.values().for_each(|member| collect(member, found)),
            _ => {}
        }
    }
    let mut found = vec![Vec::new()];
    for document in fixtures.values() {
        found.push(document.clone().into_bytes());
        collect(&serde_json::from_str(document).expect("keys are published in JSON"), &mut found);
    }
    found
}

fn true_requests() -> Vec<Recorded> {
    let all = recorded::all();
    let find = |(provider, description, ..): (&str, &str, &str, &str)| {
        let is = |case: &&Recorded| {
            case.provider == provider && case.description == description && case.now == NOW
        };
        all.iter().find(is).unwrap_or_else(|| panic!("{provider}, {description} is not recorded")).clone()
    };
    SENDERS.map(find).into()
}

async fn start(requests: &[Recorded]) -> Gateway {
    let fixtures = requests.iter().flat_map(|request| request.fixtures.clone()).collect();
    let surroundings = Surroundings {
        clock: Clock::standing(Millis(NOW * 1000)),
        fetcher: Some(Arc::new(Published { fixtures })),
        ..Surroundings::system()
    };
    let sources = requests.iter().map(|request| (request.provider.as_str(), request));
    Gateway::start_in(surroundings, &config(sources)).await
}

#[tokio::test]
async fn a_token_that_is_made_anew_proves_nothing() {
    let requests = true_requests();
    let gateway = start(&requests).await;
    for ((provider, _, name, before), request) in SENDERS.into_iter().zip(&requests) {
        let headers = request.headers();
        let (_, value) = headers.iter().find(|(own, _)| own == name).expect("the token is there");
        let token = Token::of(value.strip_prefix(before).unwrap());
        for (forgery, text) in token.forgeries(&public_texts(&request.fixtures)) {
            let forged = request.with_header(name, &format!("{before}{text}"));
            let answer = post(&gateway, provider, &forged).await;
            let said = String::from_utf8_lossy(&answer.body);
            assert_eq!(answer.status, 401, "{provider}, {forgery}: {said}");
            for secret in request.secrets() {
                assert!(!said.contains(&secret), "{provider}, {forgery}: the answer holds the secret");
            }
            assert_eq!(stored(&gateway, provider).await.len(), 0, "{provider}, {forgery}: stored");
        }
        let answer = post(&gateway, provider, request).await;
        assert_eq!(answer.status, 200, "{provider}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(stored(&gateway, provider).await.len(), 1, "{provider}");
    }
}

/// Strangers would learn, claim by claim, what is configured.
#[tokio::test]
async fn who_cannot_sign_is_not_told_which_claim_is_wrong() {
    let requests = true_requests();
    let gateway = start(&requests).await;
    let [(provider, _, name, before), ..] = SENDERS;
    let headers = requests[0].headers();
    let (_, value) = headers.iter().find(|(own, _)| own == name).expect("the token is there");
    let Token { head, claims, signature, .. } = Token::of(value.strip_prefix(before).unwrap());
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let mut said = BTreeSet::new();
    for (claim, other) in [
        ("aud", "https://other.example.test".into()),
        ("iss", "https://other.example.test".into()),
        ("email", "other@example.test".into()),
        ("exp", 1.into()),
    ] {
        let mut claims = claims.clone();
        claims[claim] = other;
        let text = format!("{before}{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let answer = post(&gateway, provider, &requests[0].with_header(name, &text)).await;
        assert_eq!(answer.status, 401, "{claim}");
        said.insert(answer.json()["error"].to_string());
    }
    assert_eq!(said.len(), 1, "{said:?}");
}

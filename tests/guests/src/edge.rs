//! The capabilities at the gateway's edges: `verify` and `classify`, as the
//! configuration says.

use serde_json::{Value, json};

use crate::exports::hookloom::plugin::{classify, verify};
use crate::hookloom::plugin::types::{Attribute, Header};
use crate::{Guest, config};

impl verify::Guest for Guest {
    /// Unless told otherwise, whoever sends `x-edge-key: let-me-in` is believed.
    fn verify(request: verify::Request, public_url: String, now_ms: u64) -> verify::Verification {
        let header = |name: &str| {
            request.headers.iter().find(|header| header.name == name).map(|header| header.value.clone())
        };
        match config()["verify"].as_str().unwrap_or("key") {
            "key" if header("x-edge-key").as_deref() != Some("let-me-in") => {
                let tried = header("x-edge-key").unwrap_or_default();
                verify::Verification::Unauthorized(format!("let-me-in was wanted, not {tried:?}"))
            }
            "key" => verify::Verification::Accepted(verify::Acceptance {
                id: header("x-edge-id"),
                event_type: header("x-edge-type"),
                attributes: header("x-edge-tenant")
                    .map(|value| attribute("tenant", &value))
                    .into_iter()
                    .collect(),
            }),
            "unsound" => verify::Verification::Accepted(verify::Acceptance {
                id: Some("x".repeat(257)),
                event_type: Some("line\nbreak".into()),
                attributes: vec![
                    attribute("", "nameless"),
                    attribute("long", &"x".repeat(257)),
                    attribute("twice", "first"),
                    attribute("twice", "second"),
                    attribute("empty", ""),
                ],
            }),
            "challenge" => respond(200, &[("content-type", "text/plain")], request.body),
            "cookie" => respond(200, &[("set-cookie", "a=b")], vec![]),
            "server-error" => respond(500, &[], vec![]),
            "saw" => respond(200, &[], saw(&request, &public_url, now_ms).to_string().into_bytes()),
            "malformed" => verify::Verification::Malformed("told to\nsay so".into()),
            "unavailable" => verify::Verification::Unavailable("told to".into()),
            "spin" => spin(),
            other => panic!("does not know how to verify by {other}"),
        }
    }
}

fn spin() -> ! {
    loop {
        std::hint::black_box(());
    }
}

fn attribute(name: &str, value: &str) -> Attribute {
    Attribute { name: name.into(), value: value.into() }
}

fn respond(status: u16, headers: &[(&str, &str)], body: Vec<u8>) -> verify::Verification {
    let header = |(name, value): &(&str, &str)| Header { name: (*name).into(), value: (*value).into() };
    verify::Verification::Respond(verify::Response {
        status,
        headers: headers.iter().map(header).collect(),
        body,
    })
}

fn saw(request: &verify::Request, public_url: &str, now_ms: u64) -> Value {
    json!({
        "method": request.method, "path": request.path, "query": request.query,
        "headers": pairs(&request.headers), "body": String::from_utf8_lossy(&request.body),
        "public_url": public_url, "now_ms": now_ms,
    })
}

fn pairs(headers: &[Header]) -> Vec<Value> {
    headers.iter().map(|header| json!([header.name, header.value])).collect()
}

impl classify::Guest for Guest {
    fn classify(response: classify::Response, attempt: u32) -> classify::Decision {
        let after = config()["ms"].as_u64();
        match config()["classify"].as_str().unwrap_or("default") {
            "default" => classify::Decision::Default,
            "done" => classify::Decision::Done,
            "retry" => classify::Decision::Retry(after),
            "retry-once" if attempt == 1 => classify::Decision::Retry(after),
            "retry-once" => classify::Decision::Default,
            "dead" => classify::Decision::Dead("told to".into()),
            "saw" => classify::Decision::Dead(
                json!({
                    "status": response.status, "headers": pairs(&response.headers),
                    "bytes": response.body.len(), "attempt": attempt,
                })
                .to_string(),
            ),
            "spin" => spin(),
            other => panic!("does not know how to classify by {other}"),
        }
    }
}

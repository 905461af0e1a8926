//! What it does with what it was granted: durable values, secrets, and metrics with
//! labels.

use serde_json::{Value, json};

use crate::exports::hookloom::plugin::transform::Outcome;
use crate::hookloom::plugin::types::Error;
use crate::hookloom::plugin::{kv, metrics};
#[cfg(feature = "secrets")]
use crate::hookloom::plugin::{reveal, secrets};

/// What `describe` finds of the values that it must not see.
pub fn describe() -> String {
    format!("before its capability: {}", shown(kv::get("k").map(|_| Value::Null)))
}

/// Passes the first event with that body and drops all others.
pub fn once(body: &[u8]) -> Outcome {
    let key = String::from_utf8_lossy(body);
    match kv::get(&key) {
        Ok(None) => match kv::set(&key, b"seen", None) {
            Ok(()) => Outcome::Unchanged,
            Err(error) => Outcome::Drop(format!("{error:?}")),
        },
        found => Outcome::Drop(format!("seen before: {}", found.is_ok())),
    }
}

/// Counts the events with that body: how many there were.
pub fn tally(body: &[u8]) -> String {
    shown(kv::increment(&String::from_utf8_lossy(body), 1, None).map(|sum| json!(sum)))
}

/// Does what `"acts"` lists, and returns the answers; `"end"` says how the call ends after
/// that.
pub fn act(config: &Value) -> Result<String, Error> {
    let answers = answers(config).to_string();
    match config["end"].as_str() {
        Some("error") => Err(Error::Other(answers)),
        Some("retry") => Err(Error::Retry(answers)),
        Some("misconfigured") => Err(Error::Misconfigured(answers)),
        Some("trap") => panic!("told to panic"),
        _ => Ok(answers),
    }
}

/// Does what `"acts"` lists: `["get", "key"]`, `["set", "key", "text", ttl]`, …
pub fn answers(config: &Value) -> Value {
    config["acts"].as_array().map(|acts| acts.iter().map(one).collect()).unwrap_or_default()
}

fn one(act: &Value) -> Value {
    let text = |at: usize| act[at].as_str().unwrap_or_default();
    let ttl = act[3].as_u64();
    Value::String(match text(0) {
        "get" => shown(kv::get(text(1)).map(|found| found.map_or(Value::Null, |bytes| read(&bytes)))),
        "set" => shown(kv::set(text(1), text(2).as_bytes(), ttl).map(|()| json!("set"))),
        "set-large" => {
            let size = act[2].as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
            shown(kv::set(text(1), &vec![b'x'; size], ttl).map(|()| json!("set")))
        }
        "delete" => shown(kv::delete(text(1)).map(|()| json!("deleted"))),
        "add" => shown(kv::increment(text(1), act[2].as_i64().unwrap_or(0), ttl).map(|sum| json!(sum))),
        "get-often" => {
            let times = act[2].as_u64().unwrap_or(0);
            let fine = (0..times).take_while(|_| kv::get(text(1)).is_ok()).count();
            format!("{fine} of {times}")
        }
        "count" => {
            metrics::count(text(1), act[2].as_u64().unwrap_or(0), &labels(&act[3]));
            "counted".into()
        }
        "observe" => {
            metrics::observe(text(1), act[2].as_f64().unwrap_or(0.0), &labels(&act[3]));
            "observed".into()
        }
        #[cfg(feature = "secrets")]
        "hmac" => match secrets::hmac_sha256(text(1), text(2).as_bytes()) {
            Ok(mac) => mac.iter().map(|byte| format!("{byte:02x}")).collect(),
            Err(error) => format!("{error:?}"),
        },
        #[cfg(feature = "secrets")]
        "reveal" => reveal::reveal(text(1)).unwrap_or_else(|error| format!("{error:?}")),
        other => format!("does not know how to {other}"),
    })
}

fn labels(labels: &Value) -> Vec<metrics::Label> {
    let label = |(name, value): (&String, &Value)| metrics::Label {
        name: name.clone(),
        value: value.as_str().unwrap_or_default().to_owned(),
    };
    labels.as_object().map(|labels| labels.iter().map(label).collect()).unwrap_or_default()
}

fn read(bytes: &[u8]) -> Value {
    json!(String::from_utf8_lossy(bytes))
}

fn shown(answer: Result<Value, kv::Error>) -> String {
    match answer {
        Ok(Value::String(text)) => text,
        Ok(value) => value.to_string(),
        Err(error) => format!("{error:?}"),
    }
}

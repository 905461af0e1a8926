//! A plugin that does what its configuration says, `{"do": "spin"}` for one: each
//! way in which a guest can misbehave, and the plain ones beside them.
//!
//! Tests make other versions of it by replacing one of the markers below in the
//! built component with another text of the same length.

#[cfg(not(feature = "lean"))]
mod calls;
#[cfg(feature = "edge")]
mod edge;
#[cfg(not(feature = "lean"))]
mod misbehave;
#[cfg(feature = "kv")]
mod state;

use std::hint::black_box;
use std::sync::OnceLock;

use serde_json::{Value, json};

#[cfg(not(feature = "lean"))]
use calls::Next;

#[cfg(not(any(feature = "lean", feature = "edge")))]
wit_bindgen::generate!({
    path: "../../wit/v0.1.0",
    inline: "package test:guest;
        world guest {
            include hookloom:plugin/filter-plugin@0.1.0;
            include hookloom:plugin/transform-plugin@0.1.0;
        }",
    world: "test:guest/guest",
    generate_all,
});

#[cfg(feature = "edge")]
wit_bindgen::generate!({
    path: "../../wit/v0.1.0",
    inline: "package test:guest;
        world guest {
            include hookloom:plugin/filter-plugin@0.1.0;
            include hookloom:plugin/transform-plugin@0.1.0;
            include hookloom:plugin/verify-plugin@0.1.0;
            include hookloom:plugin/classify-plugin@0.1.0;
        }",
    world: "test:guest/guest",
    generate_all,
});

#[cfg(feature = "lean")]
wit_bindgen::generate!({
    path: "../../wit/v0.1.0",
    inline: "package test:guest;
        world guest {
            include hookloom:plugin/transform-plugin@0.1.0;
        }",
    world: "test:guest/guest",
    generate_all,
});

#[cfg(not(feature = "lean"))]
use exports::hookloom::plugin::filter::Verdict;
use exports::hookloom::plugin::lifecycle::Metadata;
use exports::hookloom::plugin::transform::Outcome;
use hookloom::plugin::types::{Error, Event, Header, Message};

/// What `{"do": "version"}` answers.
static VERSION: &str = "guest-version-1";
/// `describe-panics` makes `describe` panic.
static DESCRIBE: &str = "describe-allows";
/// `configure-wants-v2` makes `configure` refuse all that has no `"v2"`,
/// `configure-hates-v2` all that has one.
static CONFIGURE: &str = "configure-wants-no";
/// `events-without-body` declares `needs-body: false` and one header, `x-wanted`.
static EVENTS: &str = "events-wholly-sent-";

static CONFIG: OnceLock<Value> = OnceLock::new();

struct Guest;

export!(Guest);

impl exports::hookloom::plugin::lifecycle::Guest for Guest {
    fn describe() -> Metadata {
        #[cfg(feature = "kv")]
        let description = state::describe();
        #[cfg(not(feature = "kv"))]
        let description = "Does what its configuration says.".into();
        assert!(black_box(DESCRIBE) != "describe-panics", "describe was told to panic");
        let sparing = black_box(EVENTS) == "events-without-body";
        Metadata {
            name: "test guest".into(),
            version: black_box(VERSION).into(),
            description,
            needs_body: !sparing,
            header_names: sparing.then(|| vec!["x-wanted".into()]),
            config_schema: None,
        }
    }

    fn configure(config: String) -> Result<(), String> {
        let config: Value = serde_json::from_str(&config).map_err(|e| e.to_string())?;
        match (black_box(CONFIGURE), config.get("v2")) {
            ("configure-wants-v2", None) => return Err("`v2` is missing".into()),
            ("configure-hates-v2", Some(_)) => return Err("`v2` is unknown".into()),
            _ => {}
        }
        match config.get("configure").and_then(Value::as_str) {
            Some("refuse") => return Err("told to refuse".into()),
            Some("panic") => panic!("configure was told to panic"),
            #[cfg(not(feature = "lean"))]
            Some("spin") => misbehave::spin(),
            #[cfg(feature = "kv")]
            Some("state") => return Err(state::answers(&config).to_string()),
            _ => {}
        }
        let _ = CONFIG.set(config);
        Ok(())
    }
}

fn config() -> &'static Value {
    CONFIG.get().unwrap_or(&Value::Null)
}

#[cfg(not(feature = "lean"))]
impl exports::hookloom::plugin::filter::Guest for Guest {
    fn filter(_event: Event) -> Result<Verdict, Error> {
        match config()["filter"].as_str() {
            Some("drop") => Ok(Verdict::Drop("told to".into())),
            Some("invalid-input") => Err(Error::InvalidInput("told to".into())),
            _ => Ok(Verdict::Pass),
        }
    }
}

impl exports::hookloom::plugin::transform::Guest for Guest {
    fn transform(event: Event) -> Result<Outcome, Error> {
        let config = config();
        let count = config["n"].as_u64().unwrap_or(1);
        #[cfg_attr(feature = "lean", expect(unused_mut, reason = "only the whole guest counts calls"))]
        let mut what = config["do"].as_str().unwrap_or("pass");
        #[cfg(not(feature = "lean"))]
        if what == "calls" {
            match calls::next(config) {
                Next::Answer(text) => return Ok(Outcome::Replace(body(text.into()))),
                Next::Do(then) => what = then,
            }
        }
        Ok(match what {
            "pass" => Outcome::Unchanged,
            "drop" => Outcome::Drop("told to".into()),
            "replace" => Outcome::Replace(body(b"replaced".to_vec())),
            "version" => Outcome::Replace(body(black_box(VERSION).into())),
            "split" => Outcome::Split((0..count).map(|i| body(i.to_string().into())).collect()),
            "same-suffix" => Outcome::Split(vec![suffixed("same"), suffixed("same")]),
            "echo" => Outcome::Replace(body(saw(&event).to_string().into())),
            "message" => Outcome::Replace(message(config)),
            "copy" => Outcome::Replace(body(event.body)),
            "json" => Outcome::Replace(body(rewrite(&event.body, count))),
            "invalid-input" => return Err(Error::InvalidInput("told to".into())),
            "misconfigured" => return Err(Error::Misconfigured("told to".into())),
            "retry" => return Err(Error::Retry("told to".into())),
            "other" => return Err(Error::Other("told to".into())),
            #[cfg(feature = "kv")]
            "once" => state::once(&event.body),
            #[cfg(feature = "kv")]
            "tally" => Outcome::Replace(body(state::tally(&event.body).into())),
            #[cfg(feature = "kv")]
            "state" => return state::act(config).map(|answers| Outcome::Replace(body(answers.into()))),
            #[cfg(not(feature = "lean"))]
            other => Outcome::Replace(body(misbehave::act(other, count).into())),
            #[cfg(feature = "lean")]
            other => return Err(Error::Other(format!("is too lean to {other}"))),
        })
    }
}

fn body(bytes: Vec<u8>) -> Message {
    Message {
        body: Some(bytes),
        content_type: None,
        set_headers: vec![],
        remove_headers: vec![],
        event_type: None,
        destinations: None,
        attributes: vec![],
        idempotency_suffix: None,
    }
}

fn suffixed(suffix: &str) -> Message {
    Message { idempotency_suffix: Some(suffix.into()), ..body(vec![]) }
}

/// A message with one header, `{"header": ["name", "value"]}`, a type, and the
/// destinations `{"to": ["name"]}`.
fn message(config: &Value) -> Message {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Message {
        set_headers: vec![Header { name: text(&config["header"][0]), value: text(&config["header"][1]) }],
        event_type: config["type"].as_str().map(Into::into),
        destinations: config["to"].as_array().map(|names| names.iter().map(text).collect()),
        idempotency_suffix: config["suffix"].as_str().map(Into::into),
        ..body(vec![])
    }
}

fn saw(event: &Event) -> Value {
    let headers: Vec<_> = event.headers.iter().map(|h| json!([h.name, h.value])).collect();
    let attributes: Vec<_> = event.attributes.iter().map(|a| json!([a.name, a.value])).collect();
    json!({
        "id": event.id, "source": event.source, "type": event.event_type, "at": event.received_at_ms,
        "method": event.method, "path": event.path, "query": event.query, "headers": headers,
        "content_type": event.content_type, "body": String::from_utf8_lossy(&event.body),
        "attributes": attributes,
    })
}

/// Parses a JSON body, changes a member and writes it again, `count` times over.
fn rewrite(bytes: &[u8], count: u64) -> Vec<u8> {
    let mut written = Vec::new();
    for _ in 0..count {
        let mut value: Value = serde_json::from_slice(black_box(bytes)).unwrap_or_default();
        value["seen"] = true.into();
        written = serde_json::to_vec(&value).unwrap_or_default();
    }
    written
}

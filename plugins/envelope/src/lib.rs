//! Wraps any payload in one and the same envelope, so that a receiver of many sources
//! reads a single shape: `{"id", "timestamp", "event", "version", "data"}`.

mod rfc3339;

use hookloom_sdk::serde_json::value::RawValue;
use hookloom_sdk::*;

#[config]
struct Config {
    /// Of the envelope, for receivers that know several.
    #[serde(default = "first")]
    version: String,
}

fn first() -> String {
    "1".to_owned()
}

#[derive(serde::Serialize)]
#[serde(crate = "hookloom_sdk::serde")]
struct Envelope<'a> {
    id: &'a str,
    timestamp: String,
    event: Option<&'a str>,
    version: &'a str,
    data: Data<'a>,
    /// Says that `data` is not the payload itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
}

#[derive(serde::Serialize)]
#[serde(crate = "hookloom_sdk::serde", untagged)]
enum Data<'a> {
    /// As it came, digit for digit: numbers keep their precision, objects their order.
    Json(&'a RawValue),
    Text(&'a str),
    Base64(String),
}

#[transform]
fn envelope(event: &Event, config: &Config) -> Result<Outcome> {
    let data = if let Ok(json) = event.json() {
        Data::Json(json)
    } else if let Ok(text) = event.text() {
        Data::Text(text)
    } else {
        Data::Base64(encoding::to_base64(&event.body))
    };
    let envelope = Envelope {
        id: &event.id,
        timestamp: rfc3339::format(event.received_at_ms),
        event: event.event_type.as_deref(),
        version: &config.version,
        encoding: matches!(data, Data::Base64(_)).then_some("base64"),
        data,
    };
    Ok(replace(Message::json(&envelope)?))
}

#[cfg(test)]
mod tests {
    use hookloom_sdk::serde_json::{Value, json};

    use super::*;

    fn wrapped(event: &Event) -> String {
        let config = testing::parse_config(&Value::Null).unwrap();
        let Outcome::Replace(message) = envelope(event, &config).unwrap() else { panic!("not replaced") };
        assert_eq!(message.content_type.as_deref(), Some("application/json"));
        String::from_utf8(message.body.unwrap()).unwrap()
    }

    #[test]
    fn json_is_kept_as_it_came() {
        let event =
            testing::event("s").event_type("t").body(r#"{"z":1.10,"a":12345678901234567890123}"#).build();
        assert_eq!(
            wrapped(&event),
            r#"{"id":"evt_test","timestamp":"2026-01-01T00:00:00.000Z","event":"t","version":"1","data":{"z":1.10,"a":12345678901234567890123}}"#
        );
    }

    #[test]
    fn text_is_a_string_and_bytes_are_base64() {
        let data = |body: &[u8]| {
            let wrapped: Value =
                serde_json::from_str(&wrapped(&testing::event("s").body(body).build())).unwrap();
            (wrapped["data"].clone(), wrapped["encoding"].clone())
        };
        assert_eq!(data(b"a=1&b=2"), (json!("a=1&b=2"), Value::Null));
        assert_eq!(data(b""), (json!(""), Value::Null));
        assert_eq!(data(&[0xff, 0xfe, 0x00, 0x01]), (json!("//4AAQ=="), json!("base64")));
    }

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", envelope);
    }
}

//! Replaces values in a JSON body, wherever the configured JSON Pointers (RFC 6901)
//! lead; `*` stands for every element of an array or every key of an object.

use hookloom_sdk::serde_json::Value;
use hookloom_sdk::*;

#[config]
struct Config {
    /// `"/sender/email"`, `"/items/*/card"`.
    paths: Vec<Path>,
    /// What is there instead.
    #[serde(default = "redacted")]
    replacement: String,
}

fn redacted() -> String {
    "[redacted]".to_owned()
}

/// A JSON Pointer, taken apart once when the plugin is configured.
#[derive(serde::Deserialize)]
#[serde(crate = "hookloom_sdk::serde", try_from = "String")]
struct Path(Vec<String>);

impl TryFrom<String> for Path {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rest = text.strip_prefix('/').ok_or(format!("the path `{text}` does not begin with `/`"))?;
        Ok(Self(rest.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")).collect()))
    }
}

#[transform]
fn redact(event: &Event, config: &Config) -> Result<Outcome> {
    let mut body: Value = event.json()?;
    let replaced: usize =
        config.paths.iter().map(|path| replace_at(&mut body, &path.0, &config.replacement)).sum();
    if replaced == 0 {
        return Ok(unchanged());
    }
    // `bytes` keeps the event's own content type, `application/cloudevents+json` say.
    Ok(replace(Message::bytes(body.to_string())))
}

/// How many values were replaced.
fn replace_at(value: &mut Value, path: &[String], replacement: &str) -> usize {
    let Some((token, rest)) = path.split_first() else {
        *value = replacement.into();
        return 1;
    };
    match value {
        Value::Array(items) if token == "*" => {
            items.iter_mut().map(|item| replace_at(item, rest, replacement)).sum()
        }
        Value::Object(map) if token == "*" => {
            map.values_mut().map(|item| replace_at(item, rest, replacement)).sum()
        }
        Value::Array(items) => {
            let item = token.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            item.map_or(0, |item| replace_at(item, rest, replacement))
        }
        Value::Object(map) => map.get_mut(token).map_or(0, |item| replace_at(item, rest, replacement)),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use hookloom_sdk::serde_json::json;

    use super::*;

    /// The body after redaction, or `None` where it is unchanged.
    fn redacted_by(paths: &[&str], body: Value) -> Option<Value> {
        let config = testing::parse_config(&json!({ "paths": paths, "replacement": "x" })).unwrap();
        match redact(&testing::event("s").json(body).build(), &config).unwrap() {
            Outcome::Replace(message) => serde_json::from_slice(&message.body.unwrap()).unwrap(),
            other => {
                assert_eq!(other, unchanged());
                None
            }
        }
    }

    #[test]
    fn replaces_whatever_is_there() {
        let body = json!({"sender": {"email": "a@example.com", "id": 1}});
        assert_eq!(
            redacted_by(&["/sender/email"], body.clone()),
            Some(json!({"sender": {"email": "x", "id": 1}}))
        );
        assert_eq!(redacted_by(&["/sender"], body), Some(json!({"sender": "x"})));
        assert_eq!(redacted_by(&["/a~1b/~0"], json!({"a/b": {"~": 1}})), Some(json!({"a/b": {"~": "x"}})));
    }

    #[test]
    fn a_star_is_every_element_or_key() {
        let body = json!({"items": [{"card": 1}, {"card": 2}, {"other": 3}]});
        let expected = json!({"items": [{"card": "x"}, {"card": "x"}, {"other": 3}]});
        assert_eq!(redacted_by(&["/items/*/card"], body), Some(expected));
        assert_eq!(
            redacted_by(&["/*/0"], json!({"a": [1, 2], "b": []})),
            Some(json!({"a": ["x", 2], "b": []}))
        );
    }

    #[test]
    fn nothing_there_is_unchanged() {
        assert_eq!(redacted_by(&["/sender/email", "/items/9", "/n/x"], json!({"items": [1], "n": 1})), None);
    }

    #[test]
    fn a_path_that_is_no_pointer_is_a_config_error() {
        let refusal = testing::parse_config::<Config>(&json!({"paths": ["/a", "b"]})).err().unwrap();
        assert!(refusal.starts_with("/paths: the path `b` does not begin with `/`"), "{refusal}");
    }

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", redact);
    }
}

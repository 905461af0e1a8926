//! A value inside JSON as a key: the one walk of all who name things by what a body holds.

/// What `json` has at `pointer` (RFC 6901): text as it is, anything else as it is written.
/// `None`: it is not JSON, has nothing there, or null.
pub fn pointed(json: &[u8], pointer: &str) -> Option<String> {
    let mut json: serde_json::Value = serde_json::from_slice(json).ok()?;
    match json.pointer_mut(pointer)?.take() {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_as_it_is_and_the_rest_as_written() {
        const JSON: &[u8] = br#"{"text":"a","number":7,"none":null,"list":[{"x":true}]}"#;
        for (pointer, expected) in [
            ("/text", Some("a")),
            ("/number", Some("7")),
            ("/list", Some(r#"[{"x":true}]"#)),
            ("/list/0/x", Some("true")),
            ("/none", None),
            ("/absent", None),
        ] {
            assert_eq!(pointed(JSON, pointer).as_deref(), expected, "{pointer}");
        }
        assert_eq!(pointed(b"a=b", "/text"), None);
    }
}

//! Reads JSON, as deep as a plugin's stack allows, and says where in a document an error
//! lies: `serde_json` gives line and column; people want the field.

use std::fmt::Write;

use serde::Deserialize;

use crate::{Error, Result};

/// How deep a document may be nested. The stack that plugins are linked with holds this
/// with room to spare; `serde_json` alone stops one level before it.
const MAX_DEPTH: usize = 128;

/// The longest pointer shown; a document chooses its own depth and keys.
const MAX_POINTER: usize = 200;

/// A body, read as JSON. What does not fit is `invalid-input`, with the place in the
/// document.
pub(crate) fn read_body<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T> {
    read(body).map_err(|error| Error::InvalidInput(explain(body, &error)))
}

/// Reads a document of at most [`MAX_DEPTH`] levels.
fn read<'de, T: Deserialize<'de>>(document: &'de [u8]) -> serde_json::Result<T> {
    match serde_json::from_slice(document) {
        // Only a document that is too deep for `serde_json` is looked at twice.
        Err(error) if is_recursion_limit(&error) && depth(document) <= MAX_DEPTH => {
            let mut deserializer = serde_json::Deserializer::from_slice(document);
            deserializer.disable_recursion_limit();
            let value = T::deserialize(&mut deserializer)?;
            deserializer.end()?;
            Ok(value)
        }
        result => result,
    }
}

fn is_recursion_limit(error: &serde_json::Error) -> bool {
    error.is_syntax() && error.to_string().starts_with("recursion limit exceeded")
}

/// How deep the brackets of a document are nested, whether it is valid or not.
fn depth(document: &[u8]) -> usize {
    let (mut open, mut deepest, mut at) = (0_usize, 0, 0);
    while let Some(byte) = document.get(at) {
        match byte {
            b'{' | b'[' => open += 1,
            b'}' | b']' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
        at = if *byte == b'"' { end_of_string(document, at) } else { at + 1 };
    }
    deepest
}

/// The error's text behind a JSON Pointer to the value that it is about; without a
/// pointer for the document itself.
pub(crate) fn explain(document: &[u8], error: &serde_json::Error) -> String {
    let pointer = pointer_at(document, offset_of(document, error.line(), error.column()));
    if pointer.is_empty() {
        return error.to_string();
    }
    let shown = &pointer[..pointer.floor_char_boundary(MAX_POINTER)];
    let more = if shown.len() < pointer.len() { "…" } else { "" };
    format!("{shown}{more}: {error}")
}

/// Lines count from 1; a column is the number of bytes read in its line.
fn offset_of(document: &[u8], line: usize, column: usize) -> usize {
    let before: usize =
        document.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (before + column).min(document.len())
}

/// What is open at some point of a document.
enum Open {
    Object { key: Option<String> },
    Array { index: usize },
}

/// The JSON Pointer to the value that a reader is in, or has just finished, once it
/// has read `offset` bytes. It only follows brackets, strings and commas, so that a
/// broken document has a place as well.
fn pointer_at(document: &[u8], offset: usize) -> String {
    let mut open = Vec::new();
    let mut at = 0;
    while at < offset {
        let byte = document[at];
        let end = if byte == b'"' { end_of_string(document, at) } else { at + 1 };
        match byte {
            b'{' => open.push(Open::Object { key: None }),
            b'[' => open.push(Open::Array { index: 0 }),
            b'}' | b']' => {
                open.pop();
            }
            b',' => match open.last_mut() {
                Some(Open::Array { index }) => *index += 1,
                Some(Open::Object { key }) => *key = None,
                None => {}
            },
            b'"' if end <= offset => {
                if let Some(Open::Object { key: key @ None }) = open.last_mut() {
                    *key = serde_json::from_slice(&document[at..end]).ok();
                }
            }
            _ => {}
        }
        at = end;
    }
    write_pointer(&open)
}

/// Just behind the closing quote of the string that starts at `start`.
fn end_of_string(document: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = document.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    document.len()
}

fn write_pointer(open: &[Open]) -> String {
    let mut pointer = String::new();
    for level in open {
        match level {
            Open::Object { key: Some(key) } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Open::Object { key: None } => {}
            Open::Array { index } => {
                let _ = write!(pointer, "/{index}");
            }
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The pointer when everything before `▲` was read.
    fn at(marked: &str) -> String {
        let offset = marked.find('▲').unwrap();
        pointer_at(marked.replace('▲', "").as_bytes(), offset)
    }

    #[test]
    fn points_at_the_value_being_read() {
        assert_eq!(at(r#"{"a":▲1}"#), "/a");
        assert_eq!(at(r#"{"a": {"b": [1, {"c": tr▲ue}]}}"#), "/a/b/1/c");
        assert_eq!(at(r#"{"a": [1, 2], "b"▲: 3}"#), "/b");
        assert_eq!(at(r#"{"a": "x, \"}{", "b": ▲3}"#), "/b");
        assert_eq!(at(r#"{"a/b~": ▲3}"#), "/a~1b~0");
        assert_eq!(at("[[],▲"), "/1");
        assert_eq!(at(r#"{"a": 1}▲"#), "");
    }

    #[test]
    fn a_string_that_ends_nowhere_is_no_way_out_of_the_document() {
        assert_eq!(at(r#"{"a": "x\▲"#), "/a");
        assert_eq!(at(r#"{"a▲"#), "");
    }

    #[test]
    fn explains_with_the_field() {
        type Numbers = BTreeMap<String, BTreeMap<String, u8>>;
        let document = b"{\"a\":\n {\"b\": \"x\"}}";
        let error = serde_json::from_slice::<Numbers>(document).unwrap_err();
        assert_eq!(explain(document, &error), format!("/a/b: {error}"));
        let error = serde_json::from_slice::<u8>(b"x").unwrap_err();
        assert_eq!(explain(b"x", &error), error.to_string());
    }

    #[test]
    fn a_document_may_be_as_deep_as_the_stack_holds() {
        let nested = |depth: usize| "[".repeat(depth) + "\"]]]\"" + &"]".repeat(depth);
        for depth in [1, 127, 128] {
            let document = nested(depth);
            let value: serde_json::Value = read(document.as_bytes()).unwrap();
            assert_eq!(value.to_string(), document, "{depth}");
        }
        let error = read::<serde_json::Value>(nested(129).as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with("recursion limit exceeded"), "{error}");
        // Trailing text is an error at any depth.
        assert!(read::<serde_json::Value>((nested(128) + "x").as_bytes()).is_err());
    }

    #[test]
    fn a_document_cannot_make_the_message_long() {
        let document = "[".repeat(400);
        let error = serde_json::from_str::<serde_json::Value>(&document).unwrap_err();
        let message = explain(document.as_bytes(), &error);
        assert!(message.starts_with("/0/0/0"), "{message}");
        assert!(message.contains("…: recursion limit exceeded"), "{message}");
        assert!(message.len() < 300, "{message}");
    }
}

//! Two bodies as texts, and what differs between them, line by line.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};
use similar::{ChangeTag, TextDiff};

use super::figures::bytes;
use crate::cli::style::Style;

/// Lines around a change that are shown with it.
const AROUND: usize = 3;
/// Characters of a line that are shown.
const WIDTH: usize = 400;

/// Both as texts that can be compared line by line. JSON is spread over lines, and the
/// second one's keys stand in the order of the first's, so that what differs is what it
/// says and not how it was written. Bytes that are no text are named by size and digest.
pub(super) fn comparable(old: &[u8], new: &[u8]) -> (String, String) {
    match (serde_json::from_slice::<Value>(old), serde_json::from_slice::<Value>(new)) {
        (Ok(old), Ok(new)) => (pretty(&old), pretty(&ordered_like(new, &old))),
        _ => (readable(old), readable(new)),
    }
}

/// A body as a text of several lines.
pub(super) fn readable(body: &[u8]) -> String {
    serde_json::from_slice(body).map_or_else(|_| text(body), |json| pretty(&json))
}

/// What differs, each line behind `indent`; nothing when nothing does.
pub(super) fn lines(old: &str, new: &str, indent: &str, style: Style) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut text = String::new();
    for (i, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if i > 0 {
            // Writing to a `String` does not fail.
            let _ = writeln!(text, "{indent}{}", style.faint("  …"));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = cut(change.value());
            let line = match change.tag() {
                ChangeTag::Equal => format!("  {line}"),
                ChangeTag::Delete => style.bad(&format!("- {line}")),
                ChangeTag::Insert => style.good(&format!("+ {line}")),
            };
            let _ = writeln!(text, "{indent}{line}");
        }
    }
    text
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.ends_with('\n') || text.is_empty() => text.to_owned(),
        Ok(text) => format!("{text}\n"),
        Err(_) => binary(bytes),
    }
}

fn binary(content: &[u8]) -> String {
    let digest = hex::encode(Sha256::digest(content));
    format!("{} that are no text, SHA-256 {digest}\n", bytes(content.len() as u64))
}

/// The same value with the keys that `model` has in its order, and others behind them.
fn ordered_like(value: Value, model: &Value) -> Value {
    match (value, model) {
        (Value::Object(mut object), Value::Object(model)) => {
            let mut ordered = serde_json::Map::with_capacity(object.len());
            for (key, model) in model {
                if let Some(value) = object.shift_remove(key) {
                    ordered.insert(key.clone(), ordered_like(value, model));
                }
            }
            ordered.extend(object);
            Value::Object(ordered)
        }
        (Value::Array(list), Value::Array(models)) => {
            let models = models.iter().map(Some).chain(std::iter::repeat(None));
            let ordered = list.into_iter().zip(models);
            ordered.map(|(value, model)| ordered_like(value, model.unwrap_or(&Value::Null))).collect()
        }
        (value, _) => value,
    }
}

/// One line of bounded width, without what a terminal would obey.
fn cut(line: &str) -> String {
    let line = line.trim_end_matches(['\n', '\r']);
    let safe = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
    let mut cut: String = line.chars().take(WIDTH).map(safe).collect();
    if line.chars().nth(WIDTH).is_some() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_order_is_no_change() {
        let (old, new) = comparable(br#"{"b":1,"a":[{"d":1,"c":2}]}"#, br#"{"a":[{"c":2,"d":1}],"b":1}"#);
        assert_eq!(old, new);
    }

    #[test]
    fn changed_lines_stand_among_their_neighbours() {
        let list: Vec<_> = (0..20).collect();
        let old = serde_json::json!({ "a": "x", "list": list, "z": true }).to_string();
        let new = old.replace("\"x\"", "\"y\"").replace("true", "false");
        let (old, new) = comparable(old.as_bytes(), new.as_bytes());
        let expected = "\
|  {
|-   \"a\": \"x\",
|+   \"a\": \"y\",
|    \"list\": [
|      0,
|      1,
|  …
|      18,
|      19
|    ],
|-   \"z\": true
|+   \"z\": false
|  }
";
        assert_eq!(lines(&old, &new, "|", Style::PLAIN), expected);
    }

    #[test]
    fn text_is_compared_as_text_and_bytes_by_their_digest() {
        assert_eq!(comparable(b"a", b"b\n"), ("a\n".to_owned(), "b\n".to_owned()));
        let (old, new) = comparable(b"{}", &[0xff]);
        assert_eq!(old, "{}\n");
        let digest = "a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89";
        assert_eq!(new, format!("1 B that are no text, SHA-256 {digest}\n"));
    }

    #[test]
    fn nothing_in_a_line_is_obeyed_and_colours_name_both_sides() {
        let diff = lines("a\u{1b}[31m\n", &"x".repeat(WIDTH + 1), "> ", Style::COLOURED);
        assert!(diff.contains("> \u{1b}[31m- a\u{fffd}[31m\u{1b}[0m\n"), "{diff:?}");
        assert!(diff.contains(&format!("+ {}…", "x".repeat(WIDTH))), "{diff:?}");
        assert_eq!(lines("same\n", "same\n", "", Style::PLAIN), "");
    }
}

//! Writes what a call came to into its fixture's `expect`, and touches nothing else of
//! the file.

use std::ops::Range;

use serde_json::Value;

/// The file's text with `expect` as that of its fixture, the `index`th if it holds a
/// list. `None`: there is no such fixture in it.
pub(super) fn with_expect(text: &str, index: Option<usize>, expect: &Value) -> Option<String> {
    let mut at = Scanner { bytes: text.as_bytes(), at: 0 };
    if let Some(index) = index {
        at.open(b'[')?;
        for _ in 0..index {
            at.value()?;
            at.open(b',')?;
        }
    }
    let members = at.members()?;
    let (last_key, last_value) = members.last()?;
    let indent = indent(text, last_key.start);
    let (place, before) = match members.iter().find(|(key, _)| &text[key.clone()] == "\"expect\"") {
        Some((_, value)) => (value.clone(), String::new()),
        None => {
            let gap = indent.map_or_else(|| " ".to_owned(), |indent| format!("\n{indent}"));
            (last_value.end..last_value.end, format!(",{gap}\"expect\": "))
        }
    };
    let written = match indent {
        Some(indent) => format!("{expect:#}").replace('\n', &format!("\n{indent}")),
        None => expect.to_string(),
    };
    Some(format!("{}{before}{written}{}", &text[..place.start], &text[place.end..]))
}

/// Whether that fixture of the file is an event alone, which has no place for what is
/// expected of it.
pub(super) fn is_bare(text: &str, index: Option<usize>) -> bool {
    let Ok(file) = serde_json::from_str::<Value>(text) else { return false };
    let fixture = match index {
        Some(index) => file.get(index),
        None => Some(&file),
    };
    fixture.is_some_and(|fixture| fixture.get("event").is_none() && fixture.get("source").is_some())
}

/// The spaces before what begins its line there; `None` when something stands before it.
fn indent(text: &str, at: usize) -> Option<&str> {
    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let before = &text[line..at];
    before.chars().all(char::is_whitespace).then_some(before)
}

/// Finds where values of a text begin and end. The text was parsed before, so that what
/// is not JSON only has to end the scan.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    /// The byte that comes next, behind spaces.
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    /// Steps over that byte.
    fn open(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Steps over a value and says where it is.
    fn value(&mut self) -> Option<Range<usize>> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => self.string()?,
            b'{' | b'[' => self.nested()?,
            _ => {
                let ends = |b: &u8| b.is_ascii_whitespace() || b",]}".contains(b);
                let length = self.bytes[start..].iter().position(ends);
                self.at = length.map_or(self.bytes.len(), |length| start + length);
            }
        }
        Some(start..self.at)
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return Some(());
            }
        }
    }

    /// Steps over an object or a list, however deep.
    fn nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// The members of an object: of each, where its key with the quotes is, and its value.
    fn members(&mut self) -> Option<Vec<(Range<usize>, Range<usize>)>> {
        self.open(b'{')?;
        let mut members = Vec::new();
        while self.peek()? == b'"' {
            let key = self.value()?;
            self.open(b':')?;
            members.push((key, self.value()?));
            if self.open(b',').is_none() {
                break;
            }
        }
        Some(members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_expectation_changes() {
        let text = "{\n  \"event\": { \"source\":  \"s\", \"expect\": 1 },\n  \"expect\": { \"verdict\":\n\"pass\" },\n  \"now\": 1\n}\n";
        let updated = with_expect(text, None, &json!({ "verdict": "drop", "reason": "x" })).unwrap();
        let expected = "{\n  \"event\": { \"source\":  \"s\", \"expect\": 1 },\n  \"expect\": {\n    \"verdict\": \"drop\",\n    \"reason\": \"x\"\n  },\n  \"now\": 1\n}\n";
        assert_eq!(updated, expected);
    }

    #[test]
    fn a_missing_one_is_added_behind_the_last_member() {
        let text = "{\n    \"event\": {\"source\": \"}\\\"]\"}\n}";
        let updated = with_expect(text, None, &json!({ "error": "retry" })).unwrap();
        assert_eq!(
            updated,
            "{\n    \"event\": {\"source\": \"}\\\"]\"},\n    \"expect\": {\n      \"error\": \"retry\"\n    }\n}"
        );
        let line = r#"{"event": {"source": "s"}}"#;
        let updated = with_expect(line, None, &json!({ "error": "retry" })).unwrap();
        assert_eq!(updated, r#"{"event": {"source": "s"}, "expect": {"error":"retry"}}"#);
    }

    #[test]
    fn an_event_alone_is_told_from_a_fixture() {
        let list = r#"[{"event": {"source": "s"}}, {"source": "s"}]"#;
        assert_eq!([0, 1, 2].map(|index| is_bare(list, Some(index))), [false, true, false]);
        assert!(is_bare(r#"{"source": "s"}"#, None));
        assert!(!is_bare(r#"{"event": {"source": "s"}, "expect": {}}"#, None));
    }

    #[test]
    fn one_of_a_list_is_meant_by_its_place() {
        let text = r#"[{"event": [1, {"a": "]"}], "expect": 1}, {"event": -1.5e3, "expect": true}]"#;
        let updated = with_expect(text, Some(1), &json!(2)).unwrap();
        assert_eq!(updated, r#"[{"event": [1, {"a": "]"}], "expect": 1}, {"event": -1.5e3, "expect": 2}]"#);
        assert_eq!(with_expect(text, Some(2), &json!(2)), None);
        assert_eq!(with_expect(text, None, &json!(2)), None);
    }
}

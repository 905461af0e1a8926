//! JSON schemas of bodies: compiled when they are loaded, compared with what was verified.
//! Pure.
//!
//! A schema is its operator's own text, a body is a stranger's. Patterns are matched by an
//! engine whose time is linear in the text, so no body makes one slow; look-around and
//! back-references, which need another engine, are refused when the schema is loaded.

use std::fmt::{self, Write};
use std::sync::Arc;

use jsonschema::{PatternOptions, Retrieve, Uri, Validator};
use serde_json::Value;

use super::recursion::References;
use crate::model::EventTypePattern;

/// Characters of a reason: it may quote the body, and goes to senders and into the store.
const REASON: usize = 200;

/// What is said where looking for the difference could take long.
const UNEXPLAINED: &str = "it is nested too deep to say where, under a schema that refers to itself";

/// What bodies of a source have to look like.
#[derive(Debug)]
pub struct Schemas {
    /// The most particular first.
    rules: Vec<(EventTypePattern, Arc<Schema>)>,
    /// What becomes of one that does not.
    pub on_invalid: OnInvalid,
}

/// What becomes of an event whose body does not match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnInvalid {
    /// 400: its sender hears of it.
    #[default]
    Reject,
    /// Accepted; its runs are failed from the beginning.
    Dead,
    /// Accepted and processed; the event says so.
    Pass,
}

/// A compiled schema.
pub struct Schema {
    validator: Validator,
    references: References,
}

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", if pointer.is_empty() { String::new() } else { format!("{pointer}: ") })]
pub struct SchemaFault {
    /// Where in the schema (RFC 6901); empty: the whole.
    pub pointer: String,
    /// What is wrong there.
    pub reason: String,
}

impl Schemas {
    /// Of each type the most particular pattern counts: one without `*` before one with it,
    /// the longer before the shorter.
    pub fn new(mut rules: Vec<(EventTypePattern, Arc<Schema>)>, on_invalid: OnInvalid) -> Self {
        rules.sort_by_key(|(pattern, _)| {
            (pattern.as_str().contains('*'), std::cmp::Reverse(pattern.as_str().len()))
        });
        Self { rules, on_invalid }
    }

    /// The schema of events of that type. What has no type is of no type in particular:
    /// only `*` is for it.
    pub fn of(&self, event_type: Option<&str>) -> Option<&Arc<Schema>> {
        let takes = |pattern: &EventTypePattern| match event_type {
            Some(event_type) => pattern.matches(event_type),
            None => pattern.as_str() == "*",
        };
        self.rules.iter().find(|(pattern, _)| takes(pattern)).map(|(_, schema)| schema)
    }
}

impl Schema {
    /// Compiles a schema of the draft that `$schema` names, or of 2020-12.
    ///
    /// # Errors
    /// What is wrong with it, and where. References lead nowhere but into the schema
    /// itself: nothing is fetched.
    pub fn compile(schema: &Value) -> Result<Self, SchemaFault> {
        let options =
            jsonschema::options().with_retriever(Nowhere).with_pattern_options(PatternOptions::regex());
        let compiled = options.build(schema).map_err(|error| SchemaFault {
            pointer: error.instance_path().to_string(),
            reason: shown(|text| write!(text, "{error}")),
        })?;
        Ok(Self { validator: compiled, references: References::of(schema) })
    }

    /// Compares a body with it.
    ///
    /// # Errors
    /// The first difference, for people: where, and what. At most 200 characters.
    pub fn check(&self, body: &[u8]) -> Result<(), String> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| shown(|text| write!(text, "it is not JSON that can be read: {error}")))?;
        if self.validator.is_valid(&value) {
            return Ok(());
        }
        if !self.references.allow(&value) {
            return Err(UNEXPLAINED.to_owned());
        }
        self.validator.validate(&value).map_err(|error| {
            shown(|text| match error.instance_path().as_str() {
                "" => write!(text, "{error}"),
                path => write!(text, "{path}: {error}"),
            })
        })
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schema")
    }
}

/// Follows no reference out of the schema.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, _: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err("only references into the schema itself are followed; put what it names under \"$defs\"".into())
    }
}

/// The beginning of a text, on one line. What follows is not even made: a value in it may
/// be as long as the body.
fn shown(write: impl FnOnce(&mut Beginning) -> fmt::Result) -> String {
    let mut beginning = Beginning { text: String::new(), left: REASON };
    if write(&mut beginning).is_err() {
        beginning.text.push('…');
    }
    beginning.text
}

struct Beginning {
    text: String,
    left: usize,
}

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(if c.is_control() { ' ' } else { c });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(value: &Value) -> Schema {
        Schema::compile(value).unwrap_or_else(|fault| panic!("{fault}"))
    }

    #[test]
    fn a_difference_is_said_with_its_place() {
        let order = schema(&json!({
            "type": "object",
            "required": ["id"],
            "properties": {
                "total": { "type": "string" },
                "lines": { "items": { "$ref": "#/$defs/line" } },
                "code": { "pattern": "^[a-z]+$" }
            },
            "$defs": { "line": { "type": "object", "required": ["sku"] } }
        }));
        for (body, expected) in [
            (r#"{"id":1,"total":"5","lines":[{"sku":1}],"code":"a"}"#, None),
            (r#"{"id":1,"total":5}"#, Some("/total: 5 is not of type \"string\"")),
            (r#"{"id":1,"lines":[{"sku":1},{}]}"#, Some("/lines/1: \"sku\" is a required property")),
            (r#"{"id":1,"code":"A"}"#, Some("/code: \"A\" does not match \"^[a-z]+$\"")),
            ("{}", Some("\"id\" is a required property")),
            ("[]", Some("[] is not of type \"object\"")),
            ("", Some("it is not JSON that can be read: EOF while parsing a value at line 1 column 0")),
            ("a=b", Some("it is not JSON that can be read: expected value at line 1 column 1")),
        ] {
            assert_eq!(order.check(body.as_bytes()).err().as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn a_reason_is_short_however_long_the_body_is() {
        let numbers = schema(&json!({ "type": "array", "items": { "type": "number" } }));
        let body = format!("[\"{}\"]", "é\\n\u{7f}".repeat(100_000));
        let reason = numbers.check(body.as_bytes()).unwrap_err();
        assert_eq!(reason.chars().count(), REASON + 1);
        assert!(reason.starts_with("/0: \"é") && reason.ends_with('…'), "{reason}");
        assert!(!reason.chars().any(char::is_control));
    }

    #[test]
    fn what_is_no_schema_is_refused_at_its_place() {
        for (wrong, pointer, reason) in [
            (
                json!({ "properties": { "a": { "type": "strin" } } }),
                "/properties/a/type",
                "\"strin\" is not valid",
            ),
            (json!({ "$ref": "https://example.com/a.json" }), "", "example.com/a.json"),
            (json!({ "items": { "$ref": "file:///etc/passwd" } }), "", "only references into the schema"),
            (json!({ "$ref": "other.json" }), "", "other.json"),
            (json!({ "$ref": "#/$defs/none" }), "", "none"),
            (json!({ "pattern": "(?=a)" }), "/pattern", ""),
            (json!({ "pattern": "(a)\\1" }), "/pattern", ""),
            (json!({ "$schema": "https://example.com/own" }), "", "example.com/own"),
            (json!(7), "", "7"),
        ] {
            let fault = Schema::compile(&wrong).expect_err(&wrong.to_string());
            assert_eq!(fault.pointer, pointer, "{wrong}: {fault}");
            assert!(fault.reason.contains(reason), "{wrong}: {fault}");
        }
    }

    #[test]
    fn each_draft_has_its_own_words() {
        // `items` as a list is of drafts before 2020-12, where it is `prefixItems`.
        let list = json!([{ "type": "string" }]);
        let old = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "items": list });
        assert!(schema(&old).check(b"[1]").is_err());
        assert!(Schema::compile(&json!({ "items": list })).is_err());
        assert!(schema(&json!({ "prefixItems": list })).check(b"[1]").is_err());
    }

    #[test]
    fn no_pattern_is_slow_on_any_body() {
        let slow = schema(&json!({ "pattern": "^(a+)+$" }));
        let body = format!("\"{}!\"", "a".repeat(100_000));
        assert!(slow.check(body.as_bytes()).is_err());
    }

    #[test]
    fn references_that_lead_back_end() {
        let loops = [json!({ "$ref": "#" }), json!({ "allOf": [{ "$ref": "#" }] })];
        let deep = format!("{}{}", "[".repeat(126), "]".repeat(126));
        for endless in &loops {
            assert_eq!(schema(endless).check(deep.as_bytes()), Ok(()), "{endless}");
        }
        let again = json!({ "$ref": "#" });
        let tree = schema(&json!({ "type": "array", "items": { "anyOf": [again, again] } }));
        assert_eq!(tree.check(deep.as_bytes()), Ok(()));
        let wrong = format!("{}1{}", "[".repeat(126), "]".repeat(126));
        assert_eq!(tree.check(wrong.as_bytes()), Err(UNEXPLAINED.to_owned()));
        assert_eq!(tree.check(b"[[1]]").unwrap_err().split(" is not").next(), Some("/0: [1]"));
        let deeper = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(tree.check(deeper.as_bytes()).unwrap_err().contains("recursion limit"));
    }

    #[test]
    fn the_most_particular_pattern_counts() {
        let rules = ["*", "orders/create", "orders/*", "orders"].map(|pattern| {
            let schema = schema(&json!({ "const": pattern }));
            (EventTypePattern::new(pattern), Arc::new(schema))
        });
        let schemas = Schemas::new(rules.into(), OnInvalid::Reject);
        for (event_type, expected) in [
            (Some("orders/create"), "orders/create"),
            (Some("orders/paid"), "orders/*"),
            (Some("orders.x"), "orders"),
            (Some("else"), "*"),
            (None, "*"),
        ] {
            let schema = schemas.of(event_type).unwrap();
            assert!(schema.check(json!(expected).to_string().as_bytes()).is_ok(), "{event_type:?}");
        }
        let one = vec![(EventTypePattern::new("a"), Arc::new(schema(&json!(true))))];
        let schemas = Schemas::new(one, OnInvalid::Reject);
        assert!(schemas.of(None).is_none() && schemas.of(Some("b")).is_none());
    }
}

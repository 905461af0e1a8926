//! JSON that knows where it stands, so that a mistake in a file is named by its place:
//! `event.headers.x-a: must be a text`.

use serde_json::{Map, Value};

use crate::model::{Millis, parse_rfc3339};

/// A value and its path from the top of its file.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    path: String,
    pub(super) value: &'a Value,
}

impl<'a> Node<'a> {
    /// The file's whole value.
    pub(super) const fn top(value: &'a Value) -> Self {
        Self { path: String::new(), value }
    }

    /// A mistake at this place.
    pub(super) fn wrong(&self, message: &str) -> String {
        if self.path.is_empty() { message.to_owned() } else { format!("{}: {message}", self.path) }
    }

    /// The object, which has no keys but `known`: a misspelt one would be passed over.
    pub(super) fn object(&self, known: &[&str]) -> Result<&'a Map<String, Value>, String> {
        let object = self.any_object()?;
        match object.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(object),
            Some(unknown) => {
                Err(self.wrong(&format!("unknown field `{unknown}`; known are {}", known.join(", "))))
            }
        }
    }

    /// The value of a key that is there and not `null`.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(self.below(key, value))
    }

    /// The members of an object with any keys, in their order.
    pub(super) fn members(&self) -> Result<Vec<(&'a str, Self)>, String> {
        let object = self.any_object()?;
        Ok(object.iter().map(|(key, value)| (key.as_str(), self.below(key, value))).collect())
    }

    /// The elements of a list.
    pub(super) fn elements(&self) -> Result<Vec<Self>, String> {
        let list = self.value.as_array().ok_or_else(|| self.wrong("must be a list"))?;
        let element = |(i, value)| Self { path: format!("{}[{i}]", self.path), value };
        Ok(list.iter().enumerate().map(element).collect())
    }

    /// A text.
    pub(super) fn text(&self) -> Result<&'a str, String> {
        self.value.as_str().ok_or_else(|| self.wrong("must be a text"))
    }

    /// A text, or a list of them.
    pub(super) fn texts(&self) -> Result<Vec<&'a str>, String> {
        match self.value {
            Value::String(text) => Ok(vec![text]),
            Value::Array(_) => self.elements()?.iter().map(Self::text).collect(),
            _ => Err(self.wrong("must be a text or a list of texts")),
        }
    }

    /// An instant: RFC 3339, or seconds since 1970.
    pub(super) fn instant(&self) -> Result<Millis, String> {
        let found = match self.value {
            Value::String(text) => parse_rfc3339(text),
            Value::Number(seconds) => seconds.as_i64().and_then(|s| s.checked_mul(1000)).map(Millis),
            _ => None,
        };
        found.ok_or_else(|| {
            self.wrong("must be an instant like \"2026-01-31T12:00:00Z\", or seconds since 1970")
        })
    }

    fn any_object(&self) -> Result<&'a Map<String, Value>, String> {
        self.value.as_object().ok_or_else(|| self.wrong("must be an object"))
    }

    fn below(&self, key: &str, value: &'a Value) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { path: format!("{}{dot}{key}", self.path), value }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mistakes_are_named_by_their_place() {
        let value = json!({ "a": { "list": ["x", 1], "null": null } });
        let top = Node::top(&value);
        let a = top.get("a").unwrap();
        let list = a.get("list").unwrap();
        assert_eq!(list.texts().unwrap_err(), "a.list[1]: must be a text");
        assert_eq!(top.text().unwrap_err(), "must be a text");
        assert_eq!(a.object(&["list"]).unwrap_err(), "a: unknown field `null`; known are list");
        assert!(a.get("null").is_none() && a.get("missing").is_none());
    }

    #[test]
    fn instants_are_iso_or_seconds() {
        let at = |value: Value| Node::top(&value).instant().ok();
        assert_eq!(at(json!("1970-01-01T00:00:01.5Z")), Some(Millis(1500)));
        assert_eq!(at(json!(1)), Some(Millis(1000)));
        assert_eq!(at(json!("yesterday")), None);
        assert_eq!(at(json!([])), None);
    }
}

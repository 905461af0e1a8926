//! Picks a few scalars out of a JSON document in one pass, without building it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A set of pointers (RFC 6901), each with the slot that its value goes to.
#[derive(Clone, Debug, Default)]
pub(super) struct Pointers {
    root: Node,
    count: usize,
}

#[derive(Clone, Debug, Default)]
struct Node {
    slot: Option<usize>,
    children: Vec<(Box<str>, Node)>,
}

/// What was found, by slot: strings decoded, numbers and booleans as they print.
pub(super) type Picked<'a> = Vec<Option<Cow<'a, str>>>;

impl Pointers {
    /// The slot of that pointer, which the set learns if it is new; `None` where the
    /// text is no pointer.
    pub(super) fn add(&mut self, pointer: &str) -> Option<usize> {
        let mut node = &mut self.root;
        if !pointer.is_empty() {
            for token in pointer.strip_prefix('/')?.split('/') {
                let token = token.replace("~1", "/").replace("~0", "~");
                let at = node.children.iter().position(|(name, _)| **name == *token).unwrap_or_else(|| {
                    node.children.push((token.into(), Node::default()));
                    node.children.len() - 1
                });
                node = &mut node.children[at].1;
            }
        }
        Some(*node.slot.get_or_insert_with(|| {
            self.count += 1;
            self.count - 1
        }))
    }

    /// The values at the pointers, or `None` if the bytes are not one JSON document.
    pub(super) fn pick<'a>(&self, json: &'a [u8]) -> Option<Picked<'a>> {
        let mut found = vec![None; self.count];
        let mut reader = serde_json::Deserializer::from_slice(json);
        Pick { node: &self.root, found: &mut found }.deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        Some(found)
    }
}

impl Node {
    fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|(own, _)| **own == *name).map(|(_, node)| node)
    }

    fn element(&self, index: usize) -> Option<&Self> {
        self.children.iter().find(|(own, _)| own.parse() == Ok(index)).map(|(_, node)| node)
    }

    /// Forgets what was found here, so that of repeated names the last counts whole.
    fn clear(&self, found: &mut Picked<'_>) {
        if let Some(slot) = self.slot {
            found[slot] = None;
        }
        for (_, child) in &self.children {
            child.clear(found);
        }
    }
}

struct Pick<'n, 'f, 'de> {
    node: &'n Node,
    found: &'f mut Picked<'de>,
}

impl<'de> Pick<'_, '_, 'de> {
    fn put(self, value: impl Into<Cow<'de, str>>) {
        if let Some(slot) = self.node.slot {
            self.found[slot] = Some(value.into());
        }
    }
}

impl<'de> DeserializeSeed<'de> for Pick<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pick<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.put(text);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.put(text.to_owned());
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.put(value.to_string());
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.put(value.to_string());
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.put(value.to_string());
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.put(value.to_string());
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(child) = map.next_key_seed(Key(self.node))? {
            match child {
                Some(node) => {
                    node.clear(self.found);
                    map.next_value_seed(Pick { node, found: self.found })?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for index in 0_usize.. {
            let more = match self.node.element(index) {
                Some(node) => seq.next_element_seed(Pick { node, found: self.found })?.is_some(),
                None => seq.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }
}

/// Reads a member's name and says which node it leads to.
struct Key<'n>(&'n Node);

impl<'n, 'de> DeserializeSeed<'de> for Key<'n> {
    type Value = Option<&'n Node>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for Key<'n> {
    type Value = Option<&'n Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.child(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(pointers: &[&str], json: &str) -> Option<Vec<Option<String>>> {
        let mut set = Pointers::default();
        let slots: Vec<_> = pointers.iter().map(|pointer| set.add(pointer).unwrap()).collect();
        let found = set.pick(json.as_bytes())?;
        Some(slots.into_iter().map(|slot| found[slot].as_deref().map(str::to_owned)).collect())
    }

    #[test]
    fn values() {
        for (pointer, json, expected) in [
            ("", "\"x\"", Some("x")),
            ("/a", r#"{"b":{"a":1},"a":"x"}"#, Some("x")),
            ("/a/b", r#"{"a":{"b":12}}"#, Some("12")),
            ("/a/b", r#"{"a":[{"b":12}]}"#, None),
            ("/a/1", r#"{"a":[1,"two",3]}"#, Some("two")),
            ("/a/1", r#"{"a":{"1":"one"}}"#, Some("one")),
            ("/a/9", r#"{"a":[1]}"#, None),
            ("/a~1b/~0", r#"{"a/b":{"~":true}}"#, Some("true")),
            ("/a", r#"{"a":null}"#, None),
            ("/a", r#"{"a":{}}"#, None),
            ("/a", r#"{"a":[]}"#, None),
            ("/a", r#"{"a":-5}"#, Some("-5")),
            ("/a", r#"{"a":1.5}"#, Some("1.5")),
            ("/a", r#"{"a":"\u00e9\n"}"#, Some("é\n")),
            ("/a", r#"{"\u0061":"escaped name"}"#, Some("escaped name")),
            ("/a", r#"{"a":1,"a":2}"#, Some("2")),
            ("/a/b", r#"{"a":{"b":1},"a":{}}"#, None),
        ] {
            assert_eq!(
                pick(&[pointer], json),
                Some(vec![expected.map(str::to_owned)]),
                "{pointer} in {json}"
            );
        }
    }

    #[test]
    fn several_pointers_take_one_pass_and_share_slots() {
        assert_eq!(
            pick(&["/a", "/a/b", "/c", "/a"], r#"{"c":1,"a":{"b":2}}"#).unwrap(),
            [None, Some("2".to_owned()), Some("1".to_owned()), None]
        );
    }

    #[test]
    fn what_is_not_one_document_yields_nothing() {
        for json in ["", "{", "a=1", r#"{"a":1} x"#, r#"{"a":1}{"a":2}"#, r#"{"a":1,}"#] {
            assert_eq!(pick(&["/a"], json), None, "{json}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(pick(&["/0"], &deep), None);
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        assert_eq!(Pointers::default().add("a/b"), None);
    }
}

//! Picks a few scalars out of a JSON document in one pass, without building it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Elements of arrays that one pointer with `*` takes. Real batches have some thousands;
/// a list that is cut off has a hole, so it never passes for a whole one.
const MAX_ELEMENTS: usize = 16_384;

/// Tokens of a pointer that are numbers. Each may lead to an element or to a member, so
/// it is kept twice.
const MAX_NUMBERS: usize = 8;

/// A set of pointers (RFC 6901, with `*` for every element of an array), each with the
/// slot that its value goes to.
#[derive(Clone, Debug, Default)]
pub(super) struct Pointers {
    root: Node,
    /// By slot.
    wanted: Vec<Wanted>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    One(String),
    Every(String),
    Key,
}

/// One place in a document. What is behind a number stands among the children, for
/// objects, and among the elements, for arrays; what is behind `*` in `each`, and again in
/// every element that is there, so that an element is read once.
#[derive(Clone, Debug, Default)]
struct Node {
    slots: Vec<usize>,
    keys: Vec<FirstKey>,
    children: Vec<(Box<str>, Node)>,
    elements: Vec<(usize, Node)>,
    each: Option<Box<Node>>,
    /// The slots that get something from every element of this array.
    lists: Vec<usize>,
}

/// The first key of an object that is none of those.
#[derive(Clone, Debug)]
struct FirstKey {
    slot: usize,
    beside: Vec<String>,
}

/// What was found, by slot: strings decoded, numbers and booleans as they print. Beside
/// it, by slot, whether the last value was a string.
#[derive(Clone, Debug)]
pub(super) struct Picked<'a>(Vec<Found<'a>>, Vec<bool>);

#[derive(Clone, Debug)]
enum Found<'a> {
    One(Option<Cow<'a, str>>),
    Every(Vec<Option<Cow<'a, str>>>),
}

impl Pointers {
    /// The slot of that pointer, which the set learns if it is new; `None` where the
    /// text is no pointer.
    pub(super) fn add(&mut self, pointer: &str) -> Option<usize> {
        let tokens = tokens(pointer)?;
        let kind = if is_every(pointer) { Wanted::Every } else { Wanted::One };
        let wanted = kind(pointer.to_owned());
        if let Some(known) = self.wanted.iter().position(|own| *own == wanted) {
            return Some(known);
        }
        let slot = self.wanted.len();
        self.wanted.push(wanted);
        self.root.insert(&tokens, slot, &|node| node.slots.push(slot));
        Some(slot)
    }

    /// The slot of the first key, of the object at that pointer, that is none of those
    /// beside it; `None` where the text is no pointer to one object.
    pub(super) fn add_key(&mut self, pointer: &str, beside: &[String]) -> Option<usize> {
        let tokens = tokens(pointer).filter(|_| !is_every(pointer))?;
        let slot = self.wanted.len();
        self.wanted.push(Wanted::Key);
        let key = FirstKey { slot, beside: beside.to_owned() };
        self.root.insert(&tokens, slot, &|node| node.keys.push(key.clone()));
        Some(slot)
    }

    /// The values at the pointers, or `None` if the bytes are not one JSON document.
    pub(super) fn pick<'a>(&self, json: &'a [u8]) -> Option<Picked<'a>> {
        let empty = |wanted: &Wanted| match wanted {
            Wanted::Every(_) => Found::Every(Vec::new()),
            Wanted::One(_) | Wanted::Key => Found::One(None),
        };
        let mut found = Picked(self.wanted.iter().map(empty).collect(), vec![false; self.wanted.len()]);
        let mut reader = serde_json::Deserializer::from_slice(json);
        Pick { node: &self.root, found: &mut found }.deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        Some(found)
    }
}

/// Whether the pointer takes every element of an array.
pub(super) fn is_every(pointer: &str) -> bool {
    pointer.split('/').any(|token| token == "*")
}

fn tokens(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    let tokens: Vec<_> = pointer.strip_prefix('/')?.split('/').collect();
    let numbers = tokens.iter().filter(|token| token.parse::<usize>().is_ok()).count();
    let decode = |token: &&str| token.replace("~1", "/").replace("~0", "~");
    (numbers <= MAX_NUMBERS).then(|| tokens.iter().map(decode).collect())
}

impl Node {
    fn insert(&mut self, tokens: &[String], slot: usize, put: &dyn Fn(&mut Self)) {
        let Some((token, rest)) = tokens.split_first() else { return put(self) };
        if token == "*" {
            self.lists.push(slot);
            for (_, element) in &mut self.elements {
                element.insert(rest, slot, put);
            }
            return self.each.get_or_insert_default().insert(rest, slot, put);
        }
        let at = self.children.iter().position(|(name, _)| **name == **token).unwrap_or_else(|| {
            self.children.push((token.as_str().into(), Self::default()));
            self.children.len() - 1
        });
        self.children[at].1.insert(rest, slot, put);
        if let Ok(index) = token.parse() {
            let at = self.elements.iter().position(|(own, _)| *own == index).unwrap_or_else(|| {
                self.elements.push((index, self.each.as_deref().cloned().unwrap_or_default()));
                self.elements.len() - 1
            });
            self.elements[at].1.insert(rest, slot, put);
        }
    }

    fn child(&self, name: &str) -> Option<usize> {
        self.children.iter().position(|(own, _)| **own == *name)
    }

    fn element(&self, index: usize) -> Option<&Self> {
        let own = self.elements.iter().find(|(own, _)| *own == index).map(|(_, node)| node);
        own.or(self.each.as_deref())
    }

    fn visit(&self, see: &mut dyn FnMut(usize)) {
        for slot in self.slots.iter().copied().chain(self.keys.iter().map(|key| key.slot)) {
            see(slot);
        }
        let children = self.children.iter().map(|(_, node)| node);
        let elements = self.elements.iter().map(|(_, node)| node);
        for node in children.chain(elements).chain(self.each.as_deref()) {
            node.visit(see);
        }
    }
}

impl<'a> Picked<'a> {
    /// The value in that slot; of a list, the first that is there.
    pub(super) fn get(&self, slot: usize) -> Option<&str> {
        match self.0.get(slot)? {
            Found::One(value) => value.as_deref(),
            Found::Every(values) => values.iter().find_map(Option::as_deref),
        }
    }

    /// Whether the value in that slot was a string.
    pub(super) fn is_string(&self, slot: usize) -> bool {
        self.1.get(slot) == Some(&true)
    }

    /// What every element had, in order: `None` for one that lacks it. Empty where there
    /// is no array, or none with elements.
    pub(super) fn every(&self, slot: usize) -> &[Option<Cow<'a, str>>] {
        match self.0.get(slot) {
            Some(Found::Every(values)) => values,
            Some(Found::One(_)) | None => &[],
        }
    }

    /// The same, of a document that does not stay.
    pub(super) fn into_owned<'b>(self) -> Picked<'b> {
        let own = |value: Option<Cow<'a, str>>| value.map(|text| Cow::Owned(text.into_owned()));
        Picked(
            self.0
                .into_iter()
                .map(|found| match found {
                    Found::One(value) => Found::One(own(value)),
                    Found::Every(values) => Found::Every(values.into_iter().map(own).collect()),
                })
                .collect(),
            self.1,
        )
    }

    fn put(&mut self, slot: usize, value: Option<Cow<'a, str>>) {
        match &mut self.0[slot] {
            Found::One(own) => *own = value,
            Found::Every(values) if values.len() < MAX_ELEMENTS => values.push(value),
            Found::Every(values) if values.len() == MAX_ELEMENTS => values.push(None),
            Found::Every(_) => {}
        }
    }

    fn count(&self, slot: usize) -> usize {
        self.every(slot).len()
    }

    /// Forgets what was found below a node, so that of repeated names the last counts
    /// whole. A list cannot forget the elements of one name alone: it gets a hole.
    fn forget(&mut self, node: &Node, is_repeated: bool) {
        let mut holed = Vec::new();
        node.visit(&mut |slot| {
            let is_list = matches!(self.0[slot], Found::Every(_));
            if !is_list || (is_repeated && !holed.contains(&slot)) {
                self.put(slot, None);
                if is_list {
                    holed.push(slot);
                }
            }
        });
    }
}

struct Pick<'n, 'f, 'de> {
    node: &'n Node,
    found: &'f mut Picked<'de>,
}

impl<'de> Pick<'_, '_, 'de> {
    fn put_string(self, value: impl Into<Cow<'de, str>>) {
        let (node, found) = (self.node, &mut *self.found);
        Pick { node, found }.put(value);
        for slot in &self.node.slots {
            self.found.1[*slot] = true;
        }
    }

    fn put(self, value: impl Into<Cow<'de, str>>) {
        let Some((first, others)) = self.node.slots.split_first() else { return };
        let value = value.into();
        for slot in others {
            self.found.1[*slot] = false;
            self.found.put(*slot, Some(value.clone()));
        }
        self.found.1[*first] = false;
        self.found.put(*first, Some(value));
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
        self.put_string(text);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.put_string(text.to_owned());
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
        let mut seen = vec![false; self.node.children.len()];
        while let Some(child) = map.next_key_seed(Key { node: self.node, found: self.found })? {
            match child {
                Some(at) => {
                    let node = &self.node.children[at].1;
                    self.found.forget(node, seen[at]);
                    seen[at] = true;
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
        let lists = &self.node.lists;
        let mut counts: Vec<_> = lists.iter().map(|slot| self.found.count(*slot)).collect();
        for index in 0_usize.. {
            let more = match self.node.element(index) {
                Some(node) => seq.next_element_seed(Pick { node, found: self.found })?.is_some(),
                None => seq.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
            for (slot, count) in lists.iter().zip(&mut counts) {
                if self.found.count(*slot) == *count {
                    self.found.put(*slot, None);
                }
                *count = self.found.count(*slot);
            }
        }
        Ok(())
    }
}

/// Reads a member's name and says which child it leads to.
struct Key<'n, 'f, 'de> {
    node: &'n Node,
    found: &'f mut Picked<'de>,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_, 'de> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_, '_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        for key in &self.node.keys {
            if self.found.get(key.slot).is_none() && !key.beside.iter().any(|own| own == name) {
                self.found.put(key.slot, Some(Cow::Owned(name.to_owned())));
            }
        }
        Ok(self.node.child(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(pointers: &[&str], json: &str) -> Option<Vec<Option<String>>> {
        let mut set = Pointers::default();
        let slots: Vec<_> = pointers.iter().map(|pointer| set.add(pointer).unwrap()).collect();
        let found = set.pick(json.as_bytes())?;
        Some(slots.into_iter().map(|slot| found.get(slot).map(str::to_owned)).collect())
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

    /// Every element as text, `-` for a hole.
    fn every(pointer: &str, json: &str) -> String {
        let mut set = Pointers::default();
        // Another pointer through the same array must not disturb.
        set.add("/v/0/id").unwrap();
        let slot = set.add(pointer).unwrap();
        set.add("/v/1/x").unwrap();
        let found = set.pick(json.as_bytes()).unwrap();
        let shown: Vec<_> = found.every(slot).iter().map(|value| value.as_deref().unwrap_or("-")).collect();
        shown.join(" ")
    }

    #[test]
    fn every_element_of_an_array() {
        for (pointer, json, expected) in [
            ("/v/*/id", r#"{"v":[{"id":"a"},{"id":2},{"x":1,"id":true}]}"#, "a 2 true"),
            ("/v/*/id", r#"{"v":[{"id":"a"},{},{"id":null},{"id":{}},5,"s"]}"#, "a - - - - -"),
            ("/v/*/id", r#"{"v":[]}"#, ""),
            ("/v/*/id", r#"{"v":{"0":{"id":"a"},"*":{"id":"b"}}}"#, ""),
            ("/v/*/id", r#"{"w":[{"id":"a"}]}"#, ""),
            ("/v/*", r#"{"v":["a","b",["c"]]}"#, "a b -"),
            ("/*/id", r#"[{"id":"a"},{"id":"b"}]"#, "a b"),
            ("/*/id", r#"{"id":"a"}"#, ""),
            (
                "/v/*/c/*/f",
                r#"{"v":[{"c":[{"f":1},{"f":2}]},{"c":[]},{"c":[{}]},{"c":[{"f":3}]}]}"#,
                "1 2 - - 3",
            ),
            // Repeated names: whose are the elements?
            ("/v/*/id", r#"{"v":[{"id":"a"}],"v":[{"id":"b"}]}"#, "a - b"),
            ("/v/*/id", r#"{"v":[{"id":"a","id":"b"}]}"#, "a - b"),
        ] {
            assert_eq!(every(pointer, json), expected, "{pointer} in {json}");
        }
    }

    #[test]
    fn elements_are_found_by_number_and_by_star() {
        let mut set = Pointers::default();
        let [star, second, member] = ["/v/*/id", "/v/1/id", "/v/1"].map(|pointer| set.add(pointer).unwrap());
        let found = set.pick(br#"{"v":[{"id":"a"},{"id":"b"}]}"#).unwrap();
        assert_eq!((found.get(star), found.get(second), found.count(star)), (Some("a"), Some("b"), 2));
        let found = set.pick(br#"{"v":{"1":"m"}}"#).unwrap();
        assert_eq!((found.get(star), found.get(second), found.get(member)), (None, None, Some("m")));
    }

    #[test]
    fn a_list_that_is_cut_off_has_a_hole() {
        let mut set = Pointers::default();
        let slot = set.add("/*").unwrap();
        for (count, holes, len) in [(MAX_ELEMENTS, 0, MAX_ELEMENTS), (MAX_ELEMENTS * 2, 1, MAX_ELEMENTS + 1)]
        {
            let json = format!("[{}1]", "1,".repeat(count - 1));
            let found = set.pick(json.as_bytes()).unwrap();
            let every = found.every(slot);
            assert_eq!((every.iter().filter(|value| value.is_none()).count(), every.len()), (holes, len));
        }
    }

    #[test]
    fn the_first_key_beside_others() {
        for (pointer, json, expected) in [
            ("", r#"{"update_id":1,"message":{"text":"x"},"other":2}"#, Some("message")),
            ("", r#"{"message":1,"update_id":2}"#, Some("message")),
            ("", r#"{"update_id":1}"#, None),
            ("", "[1]", None),
            ("/a", r#"{"a":{"b":1},"c":2}"#, Some("b")),
            ("/a", r#"{"a":{"b":1},"a":{"c":1}}"#, Some("c")),
        ] {
            let mut set = Pointers::default();
            let slot = set.add_key(pointer, &["update_id".to_owned()]).unwrap();
            assert_eq!(set.pick(json.as_bytes()).unwrap().get(slot), expected, "{pointer} in {json}");
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        assert_eq!(Pointers::default().add("a/b"), None);
        assert_eq!(Pointers::default().add(&"/1".repeat(9)), None);
        assert_eq!(Pointers::default().add_key("/a/*", &[]), None);
    }
}

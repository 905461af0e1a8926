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
    One(String, Floats),
    Every(String, Floats),
    Key,
}

/// Whether a number with a fraction or an exponent is a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Floats {
    Taken,
    /// Each writer has its own way to write one, so that `1`, `1.0` and `1e0` would be
    /// three names of one event, and long ones are rounded to the same.
    Refused,
}

/// One place in a document. What is behind a number stands among the children, for
/// objects, and among the elements, for arrays; what is behind `*` in `each`, and again in
/// every element that is there, so that an element is read once.
#[derive(Clone, Debug, Default)]
struct Node {
    slots: Vec<usize>,
    /// Those of them that no float goes to.
    exact: Vec<usize>,
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
        self.add_value(pointer, Floats::Taken)
    }

    /// The same for what names an event.
    pub(super) fn add_name(&mut self, pointer: &str) -> Option<usize> {
        self.add_value(pointer, Floats::Refused)
    }

    fn add_value(&mut self, pointer: &str, floats: Floats) -> Option<usize> {
        let tokens = tokens(pointer)?;
        let kind = if is_every(pointer) { Wanted::Every } else { Wanted::One };
        let wanted = kind(pointer.to_owned(), floats);
        if let Some(known) = self.wanted.iter().position(|own| *own == wanted) {
            return Some(known);
        }
        let slot = self.wanted.len();
        self.wanted.push(wanted);
        self.root.insert(&tokens, slot, &|node| {
            node.slots.push(slot);
            node.exact.extend((floats == Floats::Refused).then_some(slot));
        });
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
            Wanted::Every(..) => Found::Every(Vec::new()),
            Wanted::One(..) | Wanted::Key => Found::One(None),
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
        let Node { slots, exact, .. } = self.node;
        for slot in slots.iter().filter(|slot| !exact.contains(slot)) {
            self.found.1[*slot] = false;
            self.found.put(*slot, Some(Cow::Owned(value.to_string())));
        }
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
mod tests;

//! Values that are a word or a table. By hand: serde's untagged enums would lose the
//! message and the place of what is wrong inside the table.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};

/// A value that is written in one of two forms.
pub(super) trait WordOrTable: Sized {
    /// The longer form.
    type Table: for<'de> Deserialize<'de>;
    /// Both, for messages.
    const FORMS: &str;

    /// From the short form.
    fn from_word(word: &str) -> Self;

    /// From the longer one.
    fn from_table(table: Self::Table) -> Self;
}

/// Reads either form.
pub(super) fn deserialize<'de, T: WordOrTable, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Forms(PhantomData))
}

struct Forms<T>(PhantomData<T>);

impl<'de, T: WordOrTable> Visitor<'de> for Forms<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::FORMS)
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<T, E> {
        Ok(T::from_word(word))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::Table::deserialize(MapAccessDeserializer::new(map)).map(T::from_table)
    }
}

//! What must never be shown.

use std::collections::BTreeMap;
use std::fmt;

/// A secret's text. Prints as stars, and compares with nothing: `==` would say through the
/// time it takes how much of a guess is right.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A secret whose text is known.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether the operator left it as it was. Both are his own: of a stranger's guess ask
    /// `verify::compare`, in whose time nothing shows.
    pub fn is_unchanged(&self, since: &Self) -> bool {
        self.0 == since.0
    }

    /// The same of named ones: none is new, gone or other.
    pub fn are_unchanged(named: &BTreeMap<String, Self>, since: &BTreeMap<String, Self>) -> bool {
        let is_unchanged =
            |(name, secret): (&String, &Self)| since.get(name).is_some_and(|old| secret.is_unchanged(old));
        named.len() == since.len() && named.iter().all(is_unchanged)
    }

    /// The text, for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

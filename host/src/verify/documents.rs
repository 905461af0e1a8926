//! Documents from outside: the certificates and keys that some providers publish.
//!
//! A scheme never fetches. It says what it wants ([`Verdict::Wanted`]); whoever asked
//! gets it, adds it to the [`Documents`] and asks again.
//!
//! [`Verdict::Wanted`]: super::Verdict::Wanted

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::model::{Header, Millis};

/// A document that a scheme cannot decide without.
#[derive(Clone, Debug)]
pub struct Want {
    /// What it is kept under; recorded requests have it under this name, too.
    pub name: String,
    /// How to get it.
    pub fetch: Fetch,
    /// An older one does not do: it lacks what the request names.
    pub not_before: Option<Millis>,
    /// Whether it is the key that the request names: then a refusal says that there is none.
    /// Of a set of keys, whose place is always the same, it says nothing of the request.
    pub names_key: bool,
    /// How long it may be kept.
    pub keep: Duration,
    /// Whether what came can be such a document. What cannot is never kept.
    pub is_usable: fn(&[u8]) -> bool,
}

impl PartialEq for Want {
    /// What it is told apart by: functions have no identity to compare.
    fn eq(&self, other: &Self) -> bool {
        let parts = |want: &Self| (want.not_before, want.keep);
        self.name == other.name && self.fetch == other.fetch && parts(self) == parts(other)
    }
}

impl Eq for Want {}

/// A request to outside. Its URL is `https` and its host one that the scheme knows; it
/// prints neither headers nor body, which may hold credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Upper case.
    pub method: &'static str,
    /// The exact URL.
    pub url: String,
    /// Beside those that every client sends.
    pub headers: Vec<Header>,
    /// Empty for a GET.
    pub body: Vec<u8>,
}

impl Fetch {
    /// A GET without headers of its own.
    pub fn get(url: impl Into<String>) -> Self {
        Self { method: "GET", url: url.into(), headers: Vec::new(), body: Vec::new() }
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)
    }
}

/// A document that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// As it came.
    pub body: Bytes,
    /// When.
    pub fetched: Millis,
}

/// What was fetched so far, by the name of the [`Want`].
#[derive(Clone, Debug, Default)]
pub struct Documents(BTreeMap<String, Document>);

impl Documents {
    /// Adds one, or replaces it.
    pub fn insert(&mut self, name: impl Into<String>, document: Document) {
        self.0.insert(name.into(), document);
    }

    /// The one of that name.
    pub fn get(&self, name: &str) -> Option<&Document> {
        self.0.get(name)
    }
}

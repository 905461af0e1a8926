//! A request as bytes, and what may become of it on its way.

use hookloom::clock::Random;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{below, one_of, scratch};

/// What the provider was given.
pub(super) const REGISTERED: &str = "https://hooks.example.test/given";
/// Where the gateway takes it.
const SOURCE: &str = "/in/a";

/// A request as bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Sent {
    pub(super) method: String,
    /// What the path has behind the source: nothing, or `/` and more.
    pub(super) below: String,
    pub(super) query: Option<String>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Sent {
    /// One that a provider is about to sign.
    pub(super) fn unsigned(random: &Random) -> Self {
        let bodies = [&br#"{"id":"evt_1","type":"a.b","n":[1,2]}"#[..], b"a=1&b=2", b"", b"\xff\0x"];
        let queries = [Some("q=1"), Some("q=A%20b&data.id=X1"), Some(""), None];
        Self {
            method: one_of(random, &["POST", "POST", "PUT"]).to_owned(),
            below: one_of(random, &["", "", "/", "/eu/1"]).to_owned(),
            query: queries[below(random, queries.len())].map(str::to_owned),
            headers: Vec::new(),
            body: one_of(random, &bodies).to_vec(),
        }
    }

    pub(super) fn path(&self) -> String {
        format!("{SOURCE}{}", self.below)
    }

    /// The URL as the provider knows it.
    pub(super) fn url(&self) -> String {
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{REGISTERED}{}{query}", self.below)
    }

    pub(super) fn add_query(&mut self, more: &str) {
        let before = self.query.take().filter(|query| !query.is_empty());
        self.query = Some(before.map_or_else(|| more.to_owned(), |before| format!("{before}&{more}")));
    }

    /// The values of the headers of that name, or of all that begin so.
    pub(super) fn header(&self, name: &str) -> Vec<Vec<u8>> {
        let is = |own: &str| match name.strip_suffix('*') {
            Some(start) => own.starts_with(start),
            None => own == name,
        };
        let found = self.headers.iter().filter(|(own, _)| is(&own.to_ascii_lowercase()));
        found.map(|(_, value)| value.clone()).collect()
    }

    /// The values of that name in the query.
    pub(super) fn parameter(&self, name: &str) -> Vec<Vec<u8>> {
        let pairs = form_urlencoded::parse(self.query.as_deref().unwrap_or_default().as_bytes());
        pairs.filter(|(own, _)| own == name).map(|(_, value)| value.into_owned().into_bytes()).collect()
    }

    /// Changes one thing.
    pub(super) fn change(&mut self, random: &Random) {
        match below(random, 8) {
            0 => scratch(&mut self.body, random),
            1 => self.change_method(random),
            2 => self.change_path(random),
            3 => self.change_query(random),
            _ => self.change_headers(random),
        }
    }

    fn change_method(&mut self, random: &Random) {
        match below(random, 2) {
            0 => one_of(random, &["GET", "POST", "PUT", "post"]).clone_into(&mut self.method),
            _ => scratch_word(&mut self.method, random, "/?#"),
        }
    }

    /// It stays below the source: another one has a scheme of its own.
    fn change_path(&mut self, random: &Random) {
        match below(random, 3) {
            0 => one_of(random, &["", "/", "//", "/eu/1/", "/eu/../1", "/eu%2F1", "/EU/1", "/1"])
                .clone_into(&mut self.below),
            1 => self.below.push_str(one_of(random, &["/", "/x", "/..", "/%3Fq=1"])),
            _ => {
                let mut rest = self.below.clone();
                scratch_word(&mut rest, random, "?#");
                if rest.is_empty() || rest.starts_with('/') {
                    self.below = rest;
                }
            }
        }
    }

    fn change_query(&mut self, random: &Random) {
        match below(random, 4) {
            0 => {
                let others = [None, Some(""), Some("q=2"), Some("q=1"), Some("q=1&q=2"), Some("key=x")];
                self.query = others[below(random, others.len())].map(str::to_owned);
            }
            1 => self.add_query(one_of(random, &["q=2", "q=1", "q=", "data.id=2", "x", "Q=1"])),
            2 => {
                // Ahead of what is there: who takes the first takes this one.
                let after = self.query.replace(one_of(random, &["q=2", "q=1", "q", "&"]).to_owned());
                self.add_query(after.as_deref().unwrap_or_default());
            }
            _ => {
                let query = self.query.get_or_insert_default();
                scratch_word(query, random, "#");
            }
        }
    }

    fn change_headers(&mut self, random: &Random) {
        let count = self.headers.len();
        if count == 0 {
            return self.headers.push(("x-sig".to_owned(), b"v1=00,t=1700000000".to_vec()));
        }
        let (at, to, other) = (below(random, count), below(random, count + 1), below(random, count));
        match below(random, 9) {
            0 => drop(self.headers.remove(at)),
            1 => {
                let mut again = self.headers[at].clone();
                scratch(&mut again.1, random);
                self.headers.insert(to, again);
            }
            2 => {
                let own = self.headers[at].0.clone();
                let value = one_of(random, &["id-2", "", "0", "v1=00"]).as_bytes().to_vec();
                self.headers.insert(to, (own, value));
            }
            3 => {
                let joint = one_of(random, &[", ", ",", " ", ";"]).as_bytes();
                self.headers[at].1 = [&self.headers[at].1, joint, &self.headers[other].1].concat();
            }
            4 => self.headers[at].1 = self.headers[other].1.clone(),
            5 => self.headers.swap(at, other),
            6 => self.headers[at].0.make_ascii_uppercase(),
            7 => {
                // One header becomes two.
                let cut = below(random, self.headers[at].1.len() + 1);
                let rest = self.headers[at].1.split_off(cut);
                let name = self.headers[at].0.clone();
                self.headers.insert(at + 1, (name, rest));
            }
            _ => scratch(&mut self.headers[at].1, random),
        }
    }

    pub(super) fn to_value(&self) -> Value {
        json!({
            "method": self.method,
            "below": self.below,
            "query": self.query,
            "headers": self.headers,
            "body": self.body,
        })
    }

    pub(super) fn from_value(value: &Value) -> Option<Self> {
        Some(Self {
            method: value["method"].as_str()?.to_owned(),
            below: value["below"].as_str()?.to_owned(),
            query: value["query"].as_str().map(str::to_owned),
            headers: serde_json::from_value(value["headers"].clone()).ok()?,
            body: serde_json::from_value(value["body"].clone()).ok()?,
        })
    }
}

/// Scratches a part of a request line; what could not stand there is no change.
fn scratch_word(word: &mut String, random: &Random, ends: &str) {
    let mut bytes = word.clone().into_bytes();
    scratch(&mut bytes, random);
    let fits = |c: char| c.is_ascii_graphic() && !ends.contains(c);
    if let Some(changed) = String::from_utf8(bytes).ok().filter(|text| text.chars().all(fits)) {
        *word = changed;
    }
}

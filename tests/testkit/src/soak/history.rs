//! What was sent and what arrived, in the order in which it happened.

use std::collections::HashMap;
use std::fmt;

/// What tells an event from all others; its body carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Whose: a key has one sender, which sends one event after the other.
    pub key: u32,
    /// Counted by that sender.
    pub number: u32,
}

impl Name {
    /// The body of the event of that name.
    pub fn body(self) -> String {
        format!(r#"{{"key":"k{}","n":{}}}"#, self.key, self.number)
    }

    /// The name that a body carries.
    pub fn of(body: &[u8]) -> Option<Self> {
        let body: serde_json::Value = serde_json::from_slice(body).ok()?;
        let key = body["key"].as_str()?.strip_prefix('k')?.parse().ok()?;
        Some(Self { key, number: body["n"].as_u64()?.try_into().ok()? })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k{}:{}", self.key, self.number)
    }
}

/// What a sender knows of an event that it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was answered with 200.
    Acknowledged,
    /// No answer came, and it was not sent again: whether it was accepted nobody knows.
    Unknown,
}

/// One attempt, as the destination saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Of which event.
    pub event: Name,
    /// Its `webhook-id`, as [`Ids`] numbers it.
    pub id: u32,
    /// A hash of its body.
    pub body: u64,
    /// When it was there, in ticks that all destinations share.
    pub began: u64,
    /// When its answer was written, or its connection had ended.
    pub ended: u64,
    /// Whether it was answered with 200.
    pub taken: bool,
}

/// What arrived at one destination.
#[derive(Clone, Debug, Default)]
pub struct Arrivals {
    /// Its name.
    pub destination: String,
    /// Whether it asked for an order by key.
    pub ordered: bool,
    /// By `began`.
    pub attempts: Vec<Arrival>,
}

/// Everything that happened.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Each once. Within a key in the order of sending, which is that of acceptance:
    /// the next one is sent when the fate of the one before is settled.
    pub sent: Vec<(Name, Fate)>,
    /// What arrived where.
    pub arrivals: Vec<Arrivals>,
    /// The `webhook-id`s.
    pub ids: Ids,
}

/// Numbers texts: the same one for the same text.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Ids {
    /// The number of that text.
    pub fn number(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = u32::try_from(self.texts.len()).expect("fewer than four billion ids");
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    /// The text of that number.
    pub fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("?", String::as_str)
    }
}

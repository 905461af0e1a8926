//! Ids: how they look and what they are derived from.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// An event's id, `evt_` and 26 characters that sort by the time of receipt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(String);

/// A delivery's id, `msg_` and 26 characters. It is the `webhook-id` on the wire,
/// so it never contains a dot (Standard Webhooks 1.0.0).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(String);

/// Of an event's id, the characters behind `evt_` that hold its time.
const TIME_CHARS: usize = 10;

/// What tells the messages of one run apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKey<'a> {
    /// Position in the run's output, from 0.
    Index(u32),
    /// The suffix that the plugin gave.
    Suffix(&'a str),
}

impl EventId {
    /// From the time of receipt and 80 random bits.
    pub fn new(received_at_ms: i64, random: u128) -> Self {
        let time = u128::try_from(received_at_ms.max(0)).unwrap_or(0) & 0xffff_ffff_ffff;
        Self(format!("evt_{}", base32(time << 80 | (random & ((1 << 80) - 1)))))
    }

    /// An id as somebody wrote it; it need not exist.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl DeliveryId {
    /// The same for the same event, route, destination, message and generation, so
    /// that a run that is processed again after a crash makes no second delivery.
    pub fn derive(
        event: &EventId,
        route: &str,
        destination: &str,
        message: MessageKey<'_>,
        generation: u32,
    ) -> Self {
        let mut hash = Sha256::new();
        for part in [event.as_str(), route, destination] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        match message {
            MessageKey::Index(index) => hash.update([&[0], index.to_be_bytes().as_slice()].concat()),
            MessageKey::Suffix(suffix) => hash.update([&[1], suffix.as_bytes()].concat()),
        }
        hash.update(generation.to_be_bytes());
        let digest = hash.finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        let hash = base32(u128::from_be_bytes(first));
        // The event's time in front: ids of one time stand together in the store's
        // index, which spares it a write at a random place for each.
        let time = event.as_str().get(4..4 + TIME_CHARS).unwrap_or_default();
        Self(format!("msg_{time}{}", &hash[time.len()..]))
    }

    /// An id as somebody wrote it; it need not exist.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 128 bits as 26 characters of Crockford's alphabet in lower case, which sort as
/// the number does and have no letter that reads like a digit.
fn base32(value: u128) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    (0..26).rev().map(|i| char::from(ALPHABET[(value >> (i * 5) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids_sort_by_time() {
        let early = EventId::new(1_700_000_000_000, u128::MAX);
        let late = EventId::new(1_700_000_000_001, 0);
        assert!(early < late);
        assert_eq!(early.as_str().len(), 30);
    }

    #[test]
    fn delivery_ids_depend_on_every_part_and_on_nothing_else() {
        let event = EventId::new(1_700_000_000_000, 7);
        let id = |route, destination, message, generation| {
            DeliveryId::derive(&event, route, destination, message, generation)
        };
        let base = id("r", "d", MessageKey::Index(0), 0);
        assert_eq!(base, id("r", "d", MessageKey::Index(0), 0));
        assert!(!base.as_str().contains('.'));
        assert_eq!((base.as_str().len(), &base.as_str()[4..14]), (30, &event.as_str()[4..14]));
        for other in [
            id("r2", "d", MessageKey::Index(0), 0),
            id("r", "d2", MessageKey::Index(0), 0),
            id("rd", "", MessageKey::Index(0), 0),
            id("r", "d", MessageKey::Index(1), 0),
            id("r", "d", MessageKey::Suffix("0"), 0),
            id("r", "d", MessageKey::Index(0), 1),
        ] {
            assert_ne!(base, other);
        }
    }
}

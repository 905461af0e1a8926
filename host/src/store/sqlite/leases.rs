//! Leases: who may complete which row. They live in memory and are void when the
//! store opens, so that work of a process that died is claimable at once.
//!
//! A lease is its holder's until it is completed, given back, or, once it has expired,
//! claimed by somebody else. So work that took longer than its lease still counts
//! where nobody began it again: refusing it would only send it twice. Expiry is
//! measured on the monotonic clock; no jump of the wall clock ends a lease.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// The leases of one kind of row, with an undo journal for transactions that fail.
#[derive(Debug)]
pub(super) struct Leases<K> {
    held: HashMap<K, Held>,
    keys: HashMap<u64, K>,
    undo: Vec<(K, Option<Held>)>,
    next_token: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    token: u64,
    expires: Duration,
}

impl<K: Clone + Eq + Hash> Leases<K> {
    /// None. Tokens count up from `first_token`; a random one keeps those of an
    /// earlier opening from matching.
    pub(super) fn new(first_token: u64) -> Self {
        Self { held: HashMap::new(), keys: HashMap::new(), undo: Vec::new(), next_token: first_token }
    }

    /// Whether somebody else is at work on it at `now`.
    pub(super) fn blocks(&self, key: &K, now: Duration) -> bool {
        self.held.get(key).is_some_and(|held| held.expires > now)
    }

    /// Leases `key` to the caller, whoever had it.
    pub(super) fn grant(&mut self, key: K, now: Duration, lease: Duration) -> u64 {
        let token = self.next_token;
        self.next_token = self.next_token.wrapping_add(1);
        let before = self.set(&key, Some(Held { token, expires: now.saturating_add(lease) }));
        self.undo.push((key, before));
        token
    }

    /// What the holder of `token` has; `None`: the lease is no longer the caller's.
    pub(super) fn key(&self, token: u64) -> Option<&K> {
        self.keys.get(&token)
    }

    /// Ends the lease: the work is done.
    pub(super) fn end(&mut self, token: u64) {
        if let Some(key) = self.keys.get(&token).cloned() {
            let before = self.set(&key, None);
            self.undo.push((key, before));
        }
    }

    /// Gives the lease back, whatever becomes of the transaction.
    pub(super) fn release(&mut self, token: u64) {
        if let Some(key) = self.keys.get(&token).cloned() {
            self.set(&key, None);
        }
    }

    /// A point to return to.
    pub(super) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Undoes what was granted and ended since the mark.
    pub(super) fn undo_to(&mut self, mark: usize) {
        while self.undo.len() > mark {
            if let Some((key, before)) = self.undo.pop() {
                self.set(&key, before);
            }
        }
    }

    /// What was granted and ended holds.
    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }

    fn set(&mut self, key: &K, to: Option<Held>) -> Option<Held> {
        let before = match to {
            Some(held) => {
                self.keys.insert(held.token, key.clone());
                self.held.insert(key.clone(), held)
            }
            None => self.held.remove(key),
        };
        if let Some(before) = before {
            self.keys.remove(&before.token);
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_lease_blocks_until_it_expires() {
        let mut leases = Leases::new(100);
        let token = leases.grant("a", S(0), S(10));
        assert!(leases.blocks(&"a", S(9)));
        assert!(!leases.blocks(&"a", S(10)));
        assert!(!leases.blocks(&"b", S(0)));
        assert_eq!(leases.key(token), Some(&"a"), "expired, but nobody else began");
    }

    #[test]
    fn a_new_holder_makes_the_old_token_stale() {
        let mut leases = Leases::new(0);
        let old = leases.grant("a", S(0), S(10));
        let new = leases.grant("a", S(11), S(10));
        assert_ne!(old, new);
        assert_eq!(leases.key(old), None);
        assert_eq!(leases.key(new), Some(&"a"));
        leases.end(new);
        assert_eq!(leases.key(new), None);
        assert!(!leases.blocks(&"a", S(12)));
    }

    #[test]
    fn undo_restores_what_was_before_the_mark() {
        let mut leases = Leases::new(0);
        let a = leases.grant("a", S(0), S(10));
        leases.keep();
        let mark = leases.mark();
        leases.end(a);
        let b = leases.grant("b", S(0), S(10));
        let again = leases.grant("a", S(0), S(10));
        leases.undo_to(mark);
        assert_eq!(leases.key(a), Some(&"a"));
        assert_eq!(leases.key(b), None);
        assert_eq!(leases.key(again), None);
        assert!(leases.blocks(&"a", S(1)));
        assert!(!leases.blocks(&"b", S(1)));
    }

    #[test]
    fn what_is_released_stays_released() {
        let mut leases = Leases::new(0);
        let a = leases.grant("a", S(0), S(10));
        leases.keep();
        let mark = leases.mark();
        leases.release(a);
        leases.undo_to(mark);
        assert!(!leases.blocks(&"a", S(1)));
        assert_eq!(leases.key(a), None);
    }
}

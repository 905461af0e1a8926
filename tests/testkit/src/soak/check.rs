//! Judges a history: what the gateway promises, and nothing that it does not.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use super::history::{Arrival, Arrivals, Fate, History, Name};

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// It was accepted and never arrived. It counts as accepted when its sender was told
    /// so, or when another destination got it: an event is accepted whole.
    Lost {
        /// Where it is missing.
        destination: String,
        /// The event.
        event: Name,
    },
    /// Nobody sent it.
    Unsent {
        /// Where it arrived.
        destination: String,
        /// The event.
        event: Name,
    },
    /// One event arrived at one destination under several `webhook-id`s.
    SecondId {
        /// Where.
        destination: String,
        /// The event.
        event: Name,
        /// All of them.
        ids: Vec<String>,
    },
    /// Two deliveries have the same `webhook-id`.
    SharedId {
        /// The id.
        id: String,
        /// Destination and event of the one and of the other.
        by: [(String, Name); 2],
    },
    /// One `webhook-id` arrived with several bodies.
    OtherBody {
        /// The id.
        id: String,
        /// Where.
        destination: String,
        /// The event.
        event: Name,
    },
    /// An event arrived, for the first time or again, after a later one of its key.
    Overtaken {
        /// Where.
        destination: String,
        /// The event.
        event: Name,
        /// The later one that was there before.
        by: Name,
    },
    /// An attempt began while another one of its key was under way.
    Overlap {
        /// Where.
        destination: String,
        /// The attempt under way.
        first: Name,
        /// The one that did not wait.
        second: Name,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { destination, event } => {
                write!(f, "{event} was accepted and never arrived at {destination}")
            }
            Self::Unsent { destination, event } => {
                write!(f, "{event} arrived at {destination}, and nobody sent it")
            }
            Self::SecondId { destination, event, ids } => {
                write!(f, "{event} arrived at {destination} under several ids: {}", ids.join(", "))
            }
            Self::SharedId { id, by: [(here, one), (there, other)] } => {
                write!(f, "{id} is the id of {one} at {here} and of {other} at {there}")
            }
            Self::OtherBody { id, destination, event } => {
                write!(f, "{event} arrived at {destination} with several bodies under {id}")
            }
            Self::Overtaken { destination, event, by } => {
                write!(f, "{event} arrived at {destination} after {by}, which was accepted later")
            }
            Self::Overlap { destination, first, second } => {
                write!(f, "{second} was attempted at {destination} while {first} was under way")
            }
        }
    }
}

/// Every promise that `history` breaks. It has ended: nothing is pending any more.
pub fn check(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    losses(history, &mut found);
    identities(history, &mut found);
    for arrivals in history.arrivals.iter().filter(|arrivals| arrivals.ordered) {
        order(arrivals, &mut found);
    }
    found
}

fn losses(history: &History, found: &mut Vec<Violation>) {
    let sent: HashMap<Name, Fate> = history.sent.iter().copied().collect();
    let arrived: Vec<HashSet<Name>> =
        history.arrivals.iter().map(|a| a.attempts.iter().map(|attempt| attempt.event).collect()).collect();
    // An attempt that was refused is none that arrived.
    let events = |a: &Arrivals| a.attempts.iter().filter(|at| at.taken).map(|at| at.event).collect();
    let taken: Vec<HashSet<Name>> = history.arrivals.iter().map(events).collect();
    for (name, fate) in &history.sent {
        let accepted = *fate == Fate::Acknowledged || arrived.iter().any(|events| events.contains(name));
        for (arrivals, taken) in history.arrivals.iter().zip(&taken) {
            if accepted && !taken.contains(name) {
                found.push(Violation::Lost { destination: arrivals.destination.clone(), event: *name });
            }
        }
    }
    for (arrivals, events) in history.arrivals.iter().zip(&arrived) {
        let unsent: BTreeSet<_> = events.iter().filter(|name| !sent.contains_key(name)).collect();
        found.extend(
            unsent
                .into_iter()
                .map(|name| Violation::Unsent { destination: arrivals.destination.clone(), event: *name }),
        );
    }
}

/// One id for each (event, destination), and one body for each id.
fn identities(history: &History, found: &mut Vec<Violation>) {
    let mut owners: HashMap<u32, (&str, Name, u64)> = HashMap::new();
    for Arrivals { destination, attempts, .. } in &history.arrivals {
        let mut ids: BTreeMap<Name, BTreeSet<u32>> = BTreeMap::new();
        let mut mixed = BTreeSet::new();
        for attempt in attempts {
            ids.entry(attempt.event).or_default().insert(attempt.id);
            let owner = *owners.entry(attempt.id).or_insert((destination, attempt.event, attempt.body));
            let id = || history.ids.text(attempt.id).to_owned();
            if (owner.0, owner.1) != (destination, attempt.event) && mixed.insert(attempt.id) {
                let by = [(owner.0.to_owned(), owner.1), (destination.clone(), attempt.event)];
                found.push(Violation::SharedId { id: id(), by });
            } else if owner.2 != attempt.body && mixed.insert(attempt.id) {
                let (destination, event) = (destination.clone(), attempt.event);
                found.push(Violation::OtherBody { id: id(), destination, event });
            }
        }
        for (event, ids) in ids.into_iter().filter(|(_, ids)| ids.len() > 1) {
            let ids = ids.into_iter().map(|id| history.ids.text(id).to_owned()).collect();
            found.push(Violation::SecondId { destination: destination.clone(), event, ids });
        }
    }
}

/// Within a key nothing comes after what was accepted later, and one attempt at a time.
fn order(arrivals: &Arrivals, found: &mut Vec<Violation>) {
    let mut keys: BTreeMap<u32, Vec<Arrival>> = BTreeMap::new();
    for attempt in &arrivals.attempts {
        keys.entry(attempt.event.key).or_default().push(*attempt);
    }
    let destination = || arrivals.destination.clone();
    for attempts in keys.values_mut() {
        attempts.sort_by_key(|attempt| attempt.began);
        let (mut latest, mut running) = (attempts[0], attempts[0]);
        for attempt in &attempts[1..] {
            if attempt.event.number < latest.event.number {
                found.push(Violation::Overtaken {
                    destination: destination(),
                    event: attempt.event,
                    by: latest.event,
                });
            } else {
                latest = *attempt;
            }
            if attempt.began < running.ended {
                found.push(Violation::Overlap {
                    destination: destination(),
                    first: running.event,
                    second: attempt.event,
                });
            }
            if attempt.ended > running.ended {
                running = *attempt;
            }
        }
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;

//! Answers that nobody waits for any more. A request whose connection went away takes
//! its future with it; what was leased to it must not wait for the lease to expire.

use super::tx::Ledger;
use crate::model::{Delivery, Run};
use crate::store::{
    Accepted, Claimed, Commanded, Committed, DestinationState, Learning, Recorded, Replayed, Resumed,
};

/// A verb's answer.
pub(super) trait Unclaimed {
    /// Gives back the leases in it.
    fn give_back(self, ledger: &mut Ledger);
}

impl Unclaimed for Vec<Run> {
    fn give_back(self, ledger: &mut Ledger) {
        for run in self {
            ledger.runs.release(run.lease);
        }
    }
}

impl Unclaimed for Vec<Delivery> {
    fn give_back(self, ledger: &mut Ledger) {
        for delivery in self {
            ledger.deliveries.release(delivery.lease);
        }
    }
}

impl<T> Unclaimed for Claimed<T>
where
    Vec<T>: Unclaimed,
{
    fn give_back(self, ledger: &mut Ledger) {
        self.items.give_back(ledger);
    }
}

impl Unclaimed for Vec<Accepted> {
    fn give_back(self, ledger: &mut Ledger) {
        for accepted in self {
            if let Accepted::New(runs) = accepted {
                runs.give_back(ledger);
            }
        }
    }
}

impl Unclaimed for Vec<Committed> {
    fn give_back(self, ledger: &mut Ledger) {
        for committed in self {
            if let Committed::Done(created) = committed {
                created.leased.give_back(ledger);
            }
        }
    }
}

/// Answers without leases.
macro_rules! nothing_to_give_back {
    ($($answer:ty),+ $(,)?) => {
        $(impl Unclaimed for $answer {
            fn give_back(self, _: &mut Ledger) {}
        })+
    };
}

nothing_to_give_back!(
    Vec<Recorded>,
    Vec<Commanded>,
    Learning,
    Vec<Replayed>,
    Resumed,
    DestinationState,
    bool,
    usize,
    (),
);

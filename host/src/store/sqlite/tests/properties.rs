//! Properties of the store under any interleaving: what is accepted is neither lost nor
//! sent twice by itself, lines keep their order, and what is counted is what is there.

mod finish;
mod invariants;
mod world;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::model::{DeliveryState, OnDead};
use crate::store::{DeliveryCommand, DestinationCommand};
use world::World;

/// One step of whoever works with a store. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    /// An event on some of the routes, a repeat of an earlier one where the key is.
    Accept {
        routes: u8,
        key: Option<u8>,
        lease: bool,
    },
    ClaimRuns(usize),
    /// The end of a run that a worker has in its hands.
    Commit {
        which: usize,
        end: End,
        lease: bool,
    },
    ResumeHeld,
    ClaimDeliveries(usize),
    /// An attempt of a delivery that a worker has in its hands.
    Record {
        which: usize,
        end: AttemptEnd,
        disables: bool,
    },
    Release(usize),
    Command {
        which: usize,
        command: DeliveryCommand,
    },
    Replay {
        which: usize,
        routes: u8,
    },
    Settle {
        destination: u8,
        on_dead: OnDead,
    },
    Destination {
        destination: u8,
        command: DestinationCommand,
    },
    /// Seconds; a lease is a minute.
    Wait(u64),
    /// The process dies and begins again; its workers still hold what they held.
    Crash,
}

#[derive(Clone, Debug)]
enum End {
    Processed(Vec<Made>),
    Dropped,
    Failed,
    /// Seconds.
    Retry(u64),
    Held,
}

/// A delivery: where it goes, and the line in which it stands.
#[derive(Clone, Debug)]
struct Made {
    destination: u8,
    line: Option<u8>,
    max_pending: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
enum AttemptEnd {
    Delivered,
    /// Seconds.
    Retry(u64),
    Dead,
}

fn made() -> impl Strategy<Value = Made> {
    let max = prop_oneof![4 => Just(None), 1 => (1_u64..4).prop_map(Some)];
    let line = prop_oneof![1 => Just(None), 4 => (0_u8..2).prop_map(Some)];
    (0_u8..2, line, max).prop_map(|(destination, line, max_pending)| Made { destination, line, max_pending })
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        12 => vec(made(), 1..4).prop_map(End::Processed),
        1 => Just(End::Processed(Vec::new())),
        1 => Just(End::Dropped),
        4 => Just(End::Failed),
        2 => (0_u64..90).prop_map(End::Retry),
        2 => Just(End::Held),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let which = || 0_usize..64;
    let attempt = prop_oneof![
        4 => Just(AttemptEnd::Delivered),
        2 => (0_u64..90).prop_map(AttemptEnd::Retry),
        2 => Just(AttemptEnd::Dead),
    ];
    let command = prop_oneof![Just(DeliveryCommand::Retry), Just(DeliveryCommand::Cancel)];
    let said = prop_oneof![
        Just(DestinationCommand::Pause),
        Just(DestinationCommand::Resume),
        Just(DestinationCommand::Enable),
    ];
    let on_dead = prop_oneof![Just(OnDead::Hold), Just(OnDead::Skip)];
    let key = prop_oneof![Just(None), (0_u8..3).prop_map(Some)];
    prop_oneof![
        8 => (0_u8..8, key, any::<bool>()).prop_map(|(routes, key, lease)| Step::Accept { routes, key, lease }),
        4 => (1_usize..5).prop_map(Step::ClaimRuns),
        14 => (which(), end(), any::<bool>()).prop_map(|(which, end, lease)| Step::Commit { which, end, lease }),
        1 => Just(Step::ResumeHeld),
        6 => (1_usize..4).prop_map(Step::ClaimDeliveries),
        12 => (which(), attempt, prop::bool::weighted(0.1))
            .prop_map(|(which, end, disables)| Step::Record { which, end, disables }),
        2 => which().prop_map(Step::Release),
        4 => (which(), command).prop_map(|(which, command)| Step::Command { which, command }),
        2 => (which(), 1_u8..8).prop_map(|(which, routes)| Step::Replay { which, routes }),
        1 => (0_u8..2, on_dead).prop_map(|(destination, on_dead)| Step::Settle { destination, on_dead }),
        1 => (0_u8..2, said).prop_map(|(destination, command)| Step::Destination { destination, command }),
        3 => (0_u64..90).prop_map(Step::Wait),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_interleaving_keeps_what_was_accepted_in_order_and_counted(steps in vec(step(), 20..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            for step in &steps {
                world.take(step).await;
                world.check();
            }
            world.finish().await;
        });
    }
}

/// Whether it may be claimed by itself.
const fn is_open(state: DeliveryState) -> bool {
    matches!(state, DeliveryState::Pending)
}

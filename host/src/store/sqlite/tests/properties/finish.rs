//! The end of it: everything that is left is processed, delivered and retried, until
//! nothing is.

use std::time::Duration;

use super::world::World;
use super::{AttemptEnd, End, Made};
use crate::model::{DeliveryId, DeliveryState};
use crate::store::{DeliveryCommand, Store};

impl World {
    /// Everything that was accepted comes to an end: each run has one, and each delivery
    /// is delivered or was taken back.
    pub(super) async fn finish(&mut self) {
        // More rounds than anything in line can have in front of it.
        for _ in 0..=2 * self.deliveries.len() + 500 {
            if self.is_over() {
                break;
            }
            self.round().await;
            self.check();
        }
        let open = |sql| self.look.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(open("SELECT count(*) FROM runs WHERE state IN (0, 4)"), 0, "a run never ended");
        for (id, (_, state)) in &self.deliveries {
            let ended = matches!(state, DeliveryState::Delivered | DeliveryState::Cancelled);
            assert!(ended, "{id} is {state:?} for ever");
        }
        for event in &self.events {
            assert!(self.store().event(event).await.unwrap().is_some(), "{event} is lost");
        }
    }

    fn is_over(&self) -> bool {
        let pending: i64 = self
            .look
            .query_row("SELECT count(*) FROM runs WHERE state IN (0, 4)", [], |row| row.get(0))
            .unwrap();
        let mut states = self.deliveries.values().map(|(_, state)| *state);
        pending == 0 && !states.any(|state| matches!(state, DeliveryState::Pending | DeliveryState::Dead))
    }

    async fn round(&mut self) {
        self.resume_all().await;
        self.clock.advance(Duration::from_hours(1));
        self.claim_runs(999).await;
        while let Some(run) = self.next_run() {
            let made = Made { destination: 0, line: Some(0), max_pending: None };
            self.commit_run(run, &End::Processed(vec![made]), false).await;
        }
        let dead: Vec<DeliveryId> = self
            .deliveries
            .iter()
            .filter(|(_, (_, state))| *state == DeliveryState::Dead)
            .map(|(id, _)| id.clone())
            .collect();
        for id in dead {
            self.command_of(&id, DeliveryCommand::Retry).await;
        }
        self.claim(999).await;
        while let Some(hand) = self.hands.pop() {
            self.record_of(hand, AttemptEnd::Delivered, false).await;
        }
    }
}

//! What operators see and hear of destinations: gauges, log lines, alerts.

use std::sync::Arc;

use crate::alerts::Alert;
use crate::metrics::DestinationGauges;

use super::admission::{Heeded, Why};
use super::breaker::{Change, Phase};
use super::destination::Destination;
use super::lane::Lane;
use super::stage::Stage;

impl Stage {
    /// Acts upon what an attempt said of its destination.
    pub(super) fn follow(self: &Arc<Self>, lane: &Arc<Lane>, destination: &Destination, heeded: &Heeded) {
        if heeded.freer {
            self.staff(lane, destination);
            self.plan.wake();
        }
        match heeded.breaker {
            Some(Change::Opened(failures)) => {
                let pause = destination.breaker.pause();
                tracing::warn!(
                    destination = lane.name,
                    failures,
                    ?pause,
                    "left alone: it fails again and again"
                );
                self.metrics.breaker_opened(&lane.name);
                self.alerts.raise(Alert::BreakerOpen { destination: lane.name.clone(), failures, pause });
            }
            Some(Change::Reopened) => tracing::debug!(destination = lane.name, "it still fails"),
            Some(Change::Closed) => tracing::info!(destination = lane.name, "it answers again"),
            None => {}
        }
        if heeded.changed {
            self.show_one(lane);
        }
    }

    /// Brings the gauges of all destinations up to date.
    pub(super) fn show(&self) {
        self.lanes().iter().for_each(|lane| self.show_one(lane));
    }

    pub(super) fn show_one(&self, lane: &Lane) {
        let Some(destination) = self.targets.borrow().get(&lane.name).cloned() else { return };
        let glance = lane.glance(self.clock.monotonic(), &destination.pace());
        let why = glance.closed.map(|(why, _)| why);
        let gauges = DestinationGauges {
            breaker: match glance.phase {
                Phase::Closed => 0,
                Phase::HalfOpen => 1,
                Phase::Open(_) => 2,
            },
            paused: why == Some(Why::Paused),
            disabled: why == Some(Why::Disabled),
            concurrency: glance.concurrency,
        };
        self.metrics.destination(&lane.name, &gauges);
    }
}

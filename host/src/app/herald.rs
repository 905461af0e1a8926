//! Turns alerts into events of the source `hookloom`, so that routes send them anywhere.
//!
//! A thousand deliveries that die together are one thing to hear of: the first alert of
//! a subject is told at once, further ones within a minute are counted and told together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tokio::time::MissedTickBehavior;

use crate::alerts::{Alert, SOURCE};
use crate::clock::{Clock, Random};
use crate::ingest::FrontDoor;
use crate::lifecycle::Shutdown;
use crate::model::{Event, EventId, Header, Millis, format_rfc3339};
use crate::store::{NewEvent, Store};

/// Alerts of one subject within this time are told together.
const WINDOW: Duration = Duration::from_mins(1);
/// Subjects that are kept apart; beyond that they are forgotten once they are quiet.
const MAX_SUBJECTS: usize = 4096;
/// How often what was counted is looked at.
const TICK: Duration = Duration::from_secs(1);

pub(super) struct Herald {
    pub(super) raised: mpsc::Receiver<Alert>,
    pub(super) door: Arc<ArcSwap<FrontDoor>>,
    pub(super) store: Arc<dyn Store>,
    /// Rung when runs are to be claimed.
    pub(super) bell: Arc<Notify>,
    pub(super) clock: Clock,
    pub(super) random: Random,
}

impl Herald {
    /// Tells until the soft shutdown, and then what was counted by then.
    pub(super) async fn run(mut self, shutdown: Shutdown) {
        let mut quiet = Coalescer::default();
        // Its own clock: a flood of alerts must not keep it from telling what was counted.
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let told = tokio::select! {
                () = shutdown.soft.cancelled() => break,
                Some(alert) = self.raised.recv() => {
                    quiet.offer(alert, self.clock.monotonic()).into_iter().collect()
                }
                _ = tick.tick() => quiet.due(self.clock.monotonic()),
            };
            self.tell(told).await;
        }
        let mut last = Vec::new();
        while let Ok(alert) = self.raised.try_recv() {
            last.extend(quiet.offer(alert, self.clock.monotonic()));
        }
        last.extend(quiet.rest());
        self.tell(last).await;
    }

    async fn tell(&self, told: Vec<Told>) {
        let door = self.door.load_full();
        let mut events = Vec::new();
        for told in told {
            let routes = door.runs_for(SOURCE, Some(told.alert.event_type()));
            // Nobody asked for it: it stands in the log, where it happened.
            if !routes.is_empty() {
                let event = event(&told, self.clock.now(), self.random.bits());
                events.push(NewEvent { event, routes, dedupe: None });
            }
        }
        if events.is_empty() {
            return;
        }
        match self.store.accept(events, None).await {
            Ok(_) => self.bell.notify_one(),
            Err(error) => tracing::error!(%error, "an alert could not be stored"),
        }
    }
}

/// An alert, and how many of its subject it stands for.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    alert: Alert,
    count: u64,
}

/// The subjects that were told of lately. Pure.
#[derive(Debug, Default)]
struct Coalescer {
    subjects: BTreeMap<(&'static str, String), Quiet>,
}

/// A subject that was told of, and what came since.
#[derive(Debug)]
struct Quiet {
    until: Duration,
    since: Option<Told>,
}

impl Coalescer {
    /// What is to be told at once.
    fn offer(&mut self, alert: Alert, now: Duration) -> Option<Told> {
        let key = (alert.event_type(), subject(&alert).to_owned());
        if let Some(quiet) = self.subjects.get_mut(&key) {
            let count = quiet.since.as_ref().map_or(0, |told| told.count) + 1;
            quiet.since = Some(Told { alert, count });
            return None;
        }
        if self.subjects.len() < MAX_SUBJECTS {
            self.subjects.insert(key, Quiet { until: now + WINDOW, since: None });
        }
        Some(Told { alert, count: 1 })
    }

    /// What was counted in windows that have ended.
    fn due(&mut self, now: Duration) -> Vec<Told> {
        let mut told = Vec::new();
        self.subjects.retain(|_, quiet| {
            if quiet.until > now {
                return true;
            }
            let Some(since) = quiet.since.take() else { return false };
            told.push(since);
            quiet.until = now + WINDOW;
            true
        });
        told
    }

    /// What was counted so far.
    fn rest(self) -> Vec<Told> {
        self.subjects.into_values().filter_map(|quiet| quiet.since).collect()
    }
}

/// What alerts of a kind are counted by.
fn subject(alert: &Alert) -> &str {
    match alert {
        Alert::DestinationDisabled { destination, .. }
        | Alert::BreakerOpen { destination, .. }
        | Alert::DeliveryDead { destination, .. } => destination,
        Alert::RunDead { source, .. } => source,
        Alert::PluginFailed { plugin, .. } => plugin,
        Alert::BacklogHigh { .. } => "",
    }
}

/// The event, in the shape that Standard Webhooks recommends: type, timestamp, data.
fn event(told: &Told, now: Millis, random: u128) -> Event {
    let event_type = told.alert.event_type();
    let mut data = data(&told.alert);
    data["count"] = json!(told.count);
    let body = json!({ "type": event_type, "timestamp": format_rfc3339(now), "data": data });
    Event {
        id: EventId::new(now.0, random),
        source: SOURCE.to_owned(),
        event_type: Some(event_type.to_owned()),
        received_at: now,
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: None,
        headers: vec![Header { name: "content-type".into(), value: "application/json".into() }],
        body: Bytes::from(body.to_string()),
        attributes: Vec::new(),
    }
}

fn data(alert: &Alert) -> Value {
    match alert {
        Alert::DestinationDisabled { destination, reason } => {
            json!({ "destination": destination, "reason": reason })
        }
        Alert::BreakerOpen { destination, failures, pause } => {
            json!({ "destination": destination, "failures": failures, "pause_ms": pause.as_millis() })
        }
        Alert::DeliveryDead { destination, delivery, event, reason } => {
            json!({ "destination": destination, "delivery": delivery, "event": event, "reason": reason })
        }
        Alert::RunDead { source, routes, event, reason } => {
            json!({ "source": source, "routes": routes, "event": event, "reason": reason })
        }
        Alert::PluginFailed { plugin, route, source, event, reason } => {
            json!({ "plugin": plugin, "route": route, "source": source, "event": event, "reason": reason })
        }
        Alert::BacklogHigh { runs, max } => json!({ "runs": runs, "max": max }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DeliveryId;

    const T0: Duration = Duration::from_secs(100);

    fn dead(destination: &str, delivery: &str) -> Alert {
        Alert::DeliveryDead {
            destination: destination.into(),
            delivery: DeliveryId::from_text(delivery),
            event: EventId::from_text("evt_1"),
            reason: "answered 500".into(),
        }
    }

    #[test]
    fn the_first_is_told_at_once_and_the_rest_of_its_minute_together() {
        let mut quiet = Coalescer::default();
        assert_eq!(quiet.offer(dead("a", "1"), T0), Some(Told { alert: dead("a", "1"), count: 1 }));
        assert_eq!(quiet.offer(dead("a", "2"), T0), None);
        assert_eq!(quiet.offer(dead("a", "3"), T0), None);
        assert!(quiet.offer(dead("b", "4"), T0).is_some(), "another destination");
        let other_kind = Alert::BreakerOpen { destination: "a".into(), failures: 20, pause: WINDOW };
        assert!(quiet.offer(other_kind, T0).is_some(), "another kind");
        assert_eq!(quiet.due(T0 + Duration::from_millis(59_999)), []);
        assert_eq!(quiet.due(T0 + WINDOW), [Told { alert: dead("a", "3"), count: 2 }]);
        // Told again just now: it stays quiet for another minute, then it is forgotten.
        assert_eq!(quiet.offer(dead("a", "5"), T0 + WINDOW), None);
        assert_eq!(quiet.due(T0 + WINDOW * 2), [Told { alert: dead("a", "5"), count: 1 }]);
        assert_eq!(quiet.due(T0 + WINDOW * 3), []);
        assert!(quiet.offer(dead("a", "6"), T0 + WINDOW * 3).is_some());
    }

    #[test]
    fn nothing_counted_is_lost_at_the_end() {
        let mut quiet = Coalescer::default();
        quiet.offer(dead("a", "1"), T0);
        quiet.offer(dead("a", "2"), T0);
        quiet.offer(dead("b", "3"), T0);
        assert_eq!(quiet.rest(), [Told { alert: dead("a", "2"), count: 1 }]);
    }

    #[test]
    fn an_event_has_type_timestamp_and_data() {
        let told = Told { alert: dead("crm", "msg_1"), count: 3 };
        let event = event(&told, Millis(1_700_000_000_123), 7);
        assert_eq!(
            (event.source.as_str(), event.event_type.as_deref()),
            ("hookloom", Some("hookloom.delivery_dead"))
        );
        let body: Value = serde_json::from_slice(&event.body).unwrap();
        let expected = json!({
            "type": "hookloom.delivery_dead",
            "timestamp": "2023-11-14T22:13:20.123Z",
            "data": {
                "destination": "crm", "delivery": "msg_1", "event": "evt_1", "reason": "answered 500", "count": 3,
            },
        });
        assert_eq!(body, expected);
    }
}

//! Reads: events, deliveries, lists and the backlog.

use super::support::{HOUR, MINUTE, SECOND, Subject, attempt, event, name, new, open, result, to};
use crate::model::{Decision, DeliveryId, DeliveryState, EventId, OnDead, RunState};
use crate::store::{
    DeliveryCommand, DeliveryFilter, DestinationCommand, EventFilter, Holder, Page, Retention, RunEnd,
    StoreError,
};

pub(in crate::store) async fn everything_of_an_event_is_shown(subject: &dyn Subject) {
    let b = open(subject).await;
    let runs = b.accept("a", &["s", "r", "t"]).await;
    let other = b.accept("b", &["r"]).await.remove(0);
    b.done(result(&runs[0], to(&runs[0], &["x"]))).await;
    b.done(result(&other, to(&other, &["x"]))).await;
    b.done(result(&runs[1], to(&runs[1], &["y", "x"]))).await;
    let shown = b.shown("a").await;
    assert_eq!((shown.event, shown.repeats), (event("a"), 0));
    let runs: Vec<_> = shown.runs.iter().map(|run| (run.route.as_str(), run.generation, run.state)).collect();
    assert_eq!(
        runs,
        [("r", 0, RunState::Processed), ("s", 0, RunState::Processed), ("t", 0, RunState::Pending)]
    );
    let deliveries: Vec<_> =
        shown.deliveries.iter().map(|d| (name(&d.event), d.route.as_str(), d.destination.as_str())).collect();
    let expected = [("s", "x"), ("r", "y"), ("r", "x")].map(|(route, to)| ("a".to_owned(), route, to));
    assert_eq!(deliveries, expected, "in the order of their creation");
}

pub(in crate::store) async fn what_is_not_there_is_none(subject: &dyn Subject) {
    let b = open(subject).await;
    assert!(b.store.event(&EventId::from_text("evt_none")).await.unwrap().is_none());
    assert!(b.store.delivery(&DeliveryId::from_text("msg_none")).await.unwrap().is_none());
    let page = b.store.deliveries(DeliveryFilter::default(), Page { cursor: None, limit: 10 }).await.unwrap();
    assert!(page.items.is_empty() && page.next.is_none());
    assert_eq!(b.waiting().await, (0, 0, Vec::new()));
}

pub(in crate::store) async fn deliveries_are_listed_newest_first(subject: &dyn Subject) {
    let b = open(subject).await;
    let first = b.accept("first", &["r"]).await.remove(0);
    for name in ["b", "c"] {
        b.deliver(name, "d").await;
    }
    b.done(result(&first, to(&first, &["d"]))).await;
    assert_eq!(b.listed(DeliveryFilter::default()).await, ["first", "c", "b"]);
}

pub(in crate::store) async fn deliveries_are_filtered(subject: &dyn Subject) {
    let b = open(subject).await;
    let ends = [("delivered", Some(Decision::Delivered)), ("dead", Some(Decision::Dead)), ("pending", None)];
    for (name, end) in ends {
        for destination in ["x", "y"] {
            let delivery = b.deliver(&format!("{name}-{destination}"), destination).await;
            if let Some(decision) = end {
                b.record(attempt(&delivery, decision)).await;
            }
        }
    }
    let all = ["pending-y", "pending-x", "dead-y", "dead-x", "delivered-y", "delivered-x"];
    let states = [
        (None, ""),
        (Some(DeliveryState::Pending), "pending"),
        (Some(DeliveryState::Delivered), "delivered"),
        (Some(DeliveryState::Dead), "dead"),
        (Some(DeliveryState::Cancelled), "cancelled"),
    ];
    for (state, begins) in states {
        for (destination, ends) in [(None, ""), (Some("x"), "-x"), (Some("y"), "-y"), (Some("z"), "-z")] {
            let filter = DeliveryFilter {
                destination: destination.map(Into::into),
                state,
                ..DeliveryFilter::default()
            };
            let expected: Vec<_> =
                all.into_iter().filter(|name| name.starts_with(begins) && name.ends_with(ends)).collect();
            assert_eq!(b.listed(filter).await, expected, "{state:?} {destination:?}");
        }
    }
}

pub(in crate::store) async fn deliveries_are_filtered_by_time(subject: &dyn Subject) {
    let b = open(subject).await;
    let start = b.clock.now();
    for name in ["0", "1a", "1b", "2", "3"] {
        if name != "1b" {
            b.clock.jump_to(start.after(u32::from(name.as_bytes()[0] - b'0') * MINUTE));
        }
        let delivery = b.deliver(name, "d").await;
        if name == "2" {
            b.record(attempt(&delivery, Decision::Dead)).await;
        }
    }
    let at = |minutes: u32| Some(start.after(minutes * MINUTE));
    let table: [(_, _, &[&str]); 8] = [
        (None, None, &["3", "2", "1b", "1a", "0"]),
        (at(1), None, &["3", "2", "1b", "1a"]),
        (at(2), None, &["3", "2"]),
        (at(4), None, &[]),
        (None, at(1), &["0"]),
        (None, at(0), &[]),
        (at(1), at(2), &["1b", "1a"]),
        (at(1), at(4), &["3", "2", "1b", "1a"]),
    ];
    for (since, until, expected) in table {
        let filter = DeliveryFilter { since, until, ..DeliveryFilter::default() };
        assert_eq!(b.listed(filter.clone()).await, expected, "{since:?} {until:?}");
        for state in [DeliveryState::Pending, DeliveryState::Dead] {
            let filter =
                DeliveryFilter { state: Some(state), destination: Some("d".into()), ..filter.clone() };
            let dead = state == DeliveryState::Dead;
            let expected: Vec<_> = expected.iter().copied().filter(|name| (*name == "2") == dead).collect();
            assert_eq!(b.listed(filter).await, expected, "{since:?} {until:?} {state:?}");
        }
    }
    let filter = DeliveryFilter { since: at(1), ..DeliveryFilter::default() };
    let page = b.store.deliveries(filter.clone(), Page { cursor: None, limit: 3 }).await.unwrap();
    let rest = b.store.deliveries(filter, Page { cursor: page.next, limit: 3 }).await.unwrap();
    assert_eq!(rest.items.iter().map(|d| name(&d.event)).collect::<Vec<_>>(), ["1a"]);
}

pub(in crate::store) async fn pages_follow_each_other(subject: &dyn Subject) {
    let b = open(subject).await;
    for number in 0..5 {
        b.deliver(&format!("{number}"), "d").await;
    }
    let mut cursor = None;
    let mut pages = Vec::new();
    loop {
        let page = b.store.deliveries(DeliveryFilter::default(), Page { cursor, limit: 2 }).await.unwrap();
        pages.push(page.items.iter().map(|d| name(&d.event)).collect::<String>());
        // What is created meanwhile does not shift the pages.
        b.deliver(&format!("later-{}", pages.len()), "other").await;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages, ["43", "21", "0"]);
    let filter = DeliveryFilter {
        destination: Some("d".into()),
        state: Some(DeliveryState::Pending),
        ..DeliveryFilter::default()
    };
    let page = b.store.deliveries(filter, Page { cursor: None, limit: 5 }).await.unwrap();
    assert_eq!((page.items.len(), page.next), (5, None), "a page that ends the list says so");
}

pub(in crate::store) async fn a_cursor_of_no_list_is_refused(subject: &dyn Subject) {
    let b = open(subject).await;
    for cursor in ["", "x", "9999999999999999999999", "1; DROP TABLE events"] {
        let page = Page { cursor: Some(cursor.into()), limit: 10 };
        let refused = b.store.deliveries(DeliveryFilter::default(), page).await;
        assert_eq!(refused.unwrap_err(), StoreError::BadCursor, "{cursor}");
    }
}

pub(in crate::store) async fn the_backlog_counts_what_waits(subject: &dyn Subject) {
    let b = open(subject).await;
    let counts = |x, y| {
        let both = [("x".to_owned(), x), ("y".to_owned(), y)];
        both.into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>()
    };
    b.accept_unleased(new("unclaimed", &["r", "s"])).await;
    let runs = b.accept("a", &["r", "s", "t"]).await;
    assert_eq!(b.waiting().await, (5, 0, counts(0, 0)));
    let handed = b.done(result(&runs[0], to(&runs[0], &["x", "y"]))).await;
    assert_eq!(b.waiting().await, (4, 0, counts(1, 1)));
    b.done(result(&runs[1], RunEnd::Held("missing".into()))).await;
    assert_eq!(b.waiting().await, (4, 1, counts(1, 1)));
    b.done(result(&runs[2], RunEnd::Retry(b.clock.now().after(HOUR), "later".into()))).await;
    assert_eq!(b.waiting().await, (4, 1, counts(1, 1)));
    b.record(attempt(&handed[0], Decision::Delivered)).await;
    b.record(attempt(&handed[1], Decision::Retry(b.clock.now().after(HOUR)))).await;
    assert_eq!(b.waiting().await, (4, 1, counts(0, 1)));
    let b = b.reopen(subject).await;
    assert_eq!(b.waiting().await, (4, 1, counts(0, 1)));
    for holder in b.store.holders().await.unwrap() {
        b.store.resume_held(&holder, 0, 9).await.unwrap();
    }
    assert_eq!(b.waiting().await, (4, 0, counts(0, 1)));
}

pub(in crate::store) async fn everything_is_there_after_reopening(subject: &dyn Subject) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "d").await;
    b.record(attempt(&delivery, Decision::Retry(b.clock.now().after(MINUTE)))).await;
    let (before, attempts) = b.delivery(&delivery.id).await;
    let shown = b.shown("a").await;
    let b = b.reopen(subject).await;
    assert_eq!(b.delivery(&delivery.id).await, (before, attempts));
    let again = b.shown("a").await;
    assert_eq!((again.event, again.runs, again.deliveries), (shown.event, shown.runs, shown.deliveries));
    b.clock.advance(MINUTE + SECOND);
    assert_eq!(b.claim("d", 9).await.items.len(), 1);
}

pub(in crate::store) async fn a_closed_store_says_so(subject: &dyn Subject) {
    let b = open(subject).await;
    b.accept("a", &["r"]).await;
    b.store.close().await;
    let closed = StoreError::Closed;
    assert_eq!(b.store.accept(vec![new("b", &["r"])], None).await.unwrap_err(), closed);
    assert_eq!(b.store.claim_runs(1, usize::MAX, MINUTE).await.unwrap_err(), closed);
    assert_eq!(b.store.commit_processed(Vec::new(), None).await.unwrap_err(), closed);
    let holder = Holder { route: "r".into(), plugin: None };
    assert_eq!(b.store.holders().await.unwrap_err(), closed);
    assert_eq!(b.store.resume_held(&holder, 0, 1).await.unwrap_err(), closed);
    assert_eq!(b.store.claim_deliveries(Vec::new(), MINUTE).await.unwrap_err(), closed);
    assert_eq!(b.store.record_attempts(Vec::new()).await.unwrap_err(), closed);
    assert_eq!(b.store.release(Vec::new(), Vec::new()).await.unwrap_err(), closed);
    assert_eq!(b.store.command_deliveries(Vec::new(), DeliveryCommand::Retry).await.unwrap_err(), closed);
    assert_eq!(b.store.replay(Vec::new()).await.unwrap_err(), closed);
    assert_eq!(b.store.destinations().await.unwrap_err(), closed);
    assert_eq!(b.store.command_destination("d", DestinationCommand::Pause).await.unwrap_err(), closed);
    assert_eq!(b.store.settle_lines("d", OnDead::Skip, 1).await.unwrap_err(), closed);
    assert_eq!(b.store.plugin_state("p", "k").await.unwrap_err(), closed);
    assert_eq!(b.store.event(&EventId::from_text("evt_a")).await.unwrap_err(), closed);
    assert_eq!(b.store.delivery(&DeliveryId::from_text("msg_a")).await.unwrap_err(), closed);
    let page = Page { cursor: None, limit: 1 };
    assert_eq!(b.store.deliveries(DeliveryFilter::default(), page).await.unwrap_err(), closed);
    assert_eq!(b.store.backlog().await.unwrap_err(), closed);
    let page = Page { cursor: None, limit: 1 };
    assert_eq!(b.store.events(EventFilter::default(), page).await.unwrap_err(), closed);
    let retention = Retention { finished: HOUR, dead: HOUR };
    assert_eq!(b.store.tidy(&retention).await.unwrap_err(), closed);
    b.store.close().await;
    let b = b.reopen(subject).await;
    assert_eq!(b.waiting().await.0, 1, "what was asked for before is committed");
}

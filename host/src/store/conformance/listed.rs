//! The list of events: filters, status and pages.

use super::support::{Bench, HOUR, Subject, attempt, event, name, open, result, run_of, to};
use crate::model::{Decision, Event, EventState, EventTypePattern, Millis};
use crate::store::{EventFilter, EventSummary, NewEvent, Page, RunEnd, StoreError};

/// Names in the order of the list, over all pages of that length.
async fn listed(b: &Bench, filter: &EventFilter, limit: usize) -> Vec<String> {
    let (mut names, mut cursor) = (Vec::new(), None);
    loop {
        let page = b.store.events(filter.clone(), Page { cursor, limit }).await.unwrap();
        assert!(page.items.len() <= limit);
        names.extend(page.items.iter().map(|event| name(&event.id)));
        cursor = page.next;
        if cursor.is_none() {
            return names;
        }
    }
}

async fn accept(b: &Bench, name: &str, change: impl FnOnce(&mut Event)) {
    let mut event = event(name);
    change(&mut event);
    b.accept_unleased(NewEvent { event, routes: Vec::new(), dedupe: None }).await;
}

pub(in crate::store) async fn events_are_listed_newest_first_with_what_tells_them_apart(
    subject: &dyn Subject,
) {
    let b = open(subject).await;
    b.accept("a", &["r"]).await;
    accept(&b, "b", |event| (event.event_type, event.source) = (None, "stripe".into())).await;
    let page = b.store.events(EventFilter::default(), Page { cursor: None, limit: 9 }).await.unwrap();
    let (a, b) = (event("a"), event("b"));
    let of = |event: &Event, state| EventSummary {
        id: event.id.clone(),
        source: event.source.clone(),
        event_type: event.event_type.clone(),
        received_at: event.received_at,
        state,
        repeats: 0,
        size: event.body.len() as u64,
    };
    let b = Event { source: "stripe".into(), event_type: None, ..b };
    assert_eq!(page.items, [of(&b, EventState::Dropped), of(&a, EventState::Pending)]);
    assert_eq!(page.next, None);
}

pub(in crate::store) async fn events_are_filtered_by_source_type_and_time(subject: &dyn Subject) {
    let b = open(subject).await;
    let at = |hours: i64| Millis(event("").received_at.0 + hours * 3_600_000);
    let all = [("a", "github", Some("issues.opened")), ("b", "stripe", None), ("c", "github", Some("push"))];
    for (hour, (name, source, event_type)) in all.into_iter().enumerate() {
        accept(&b, name, |event| {
            event.source = source.into();
            event.event_type = event_type.map(Into::into);
            event.received_at = at(i64::try_from(hour).unwrap());
        })
        .await;
    }
    let everything = EventFilter::default;
    let types = |pattern: &str| Some(EventTypePattern::new(pattern));
    let table = [
        (everything(), "cba"),
        (EventFilter { source: Some("github".into()), ..everything() }, "ca"),
        (EventFilter { source: Some("git".into()), ..everything() }, ""),
        (EventFilter { event_type: types("issues"), ..everything() }, "a"),
        (EventFilter { event_type: types("*"), ..everything() }, "ca"),
        (EventFilter { since: Some(at(1)), ..everything() }, "cb"),
        (EventFilter { until: Some(at(1)), ..everything() }, "a"),
        (EventFilter { since: Some(at(1)), until: Some(at(2)), ..everything() }, "b"),
        (EventFilter { source: Some("github".into()), since: Some(at(1)), ..everything() }, "c"),
    ];
    for (filter, expected) in table {
        assert_eq!(listed(&b, &filter, 9).await.concat(), expected, "{filter:?}");
    }
}

pub(in crate::store) async fn events_are_filtered_by_a_status_that_follows_their_work(subject: &dyn Subject) {
    let b = open(subject).await;
    let later = b.clock.now().after(HOUR);
    for (name, decision) in
        [("arrived", Decision::Delivered), ("dead", Decision::Dead), ("retried", Decision::Retry(later))]
    {
        let delivery = b.deliver(name, "d").await;
        b.record(attempt(&delivery, decision)).await;
    }
    let ends = [
        ("failed", RunEnd::Failed("x".into())),
        ("held", RunEnd::Held("x".into())),
        ("dropped", RunEnd::Dropped("x".into())),
    ];
    for (name, end) in ends {
        let run = b.accept(name, &["r"]).await.remove(0);
        b.done(result(&run, end)).await;
    }
    // One route arrived, the other is to be done.
    let half = b.accept("half", &["r", "s"]).await.remove(0);
    let delivery = b.done(result(&half, to(&half, &["d"]))).await.remove(0);
    b.record(attempt(&delivery, Decision::Delivered)).await;
    let table: [(EventState, &[&str]); 4] = [
        (EventState::Delivered, &["arrived"]),
        (EventState::Failed, &["failed", "dead"]),
        (EventState::Dropped, &["dropped"]),
        (EventState::Pending, &["half", "held", "retried"]),
    ];
    for (state, expected) in table {
        let filter = EventFilter { state: Some(state), ..EventFilter::default() };
        assert_eq!(listed(&b, &filter, 9).await, expected, "{state:?}");
        for name in expected {
            assert_eq!(b.shown(name).await.state(), state, "{name}: the list says what the event says");
        }
    }
}

pub(in crate::store) async fn pages_of_events_follow_each_other(subject: &dyn Subject) {
    let b = open(subject).await;
    for number in 0..7 {
        let mut new = NewEvent { event: event(&number.to_string()), routes: vec![run_of("r")], dedupe: None };
        new.event.source = if number % 2 == 0 { "even" } else { "odd" }.into();
        b.accept_unleased(new).await;
    }
    for limit in 1..9 {
        assert_eq!(listed(&b, &EventFilter::default(), limit).await.concat(), "6543210", "{limit}");
        let even = EventFilter { source: Some("even".into()), ..EventFilter::default() };
        assert_eq!(listed(&b, &even, limit).await.concat(), "6420", "{limit}");
    }
    let page = b.store.events(EventFilter::default(), Page { cursor: None, limit: 7 }).await.unwrap();
    assert_eq!((page.items.len(), page.next), (7, None), "a page that ends the list says so");
    for cursor in ["", "x", "9999999999999999999999"] {
        let page = Page { cursor: Some(cursor.into()), limit: 1 };
        let refused = b.store.events(EventFilter::default(), page).await.unwrap_err();
        assert_eq!(refused, StoreError::BadCursor, "{cursor}");
    }
}

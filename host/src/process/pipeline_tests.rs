//! The pipeline decided by tables: what each verdict, under each policy, does to a run.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::model::{Attribute, EventId, RouteTarget};

fn event() -> Event {
    Event {
        id: EventId::from_text("evt_1"),
        source: "s".into(),
        event_type: Some("t".into()),
        received_at: Millis(0),
        method: "POST".into(),
        path: "/in/s".into(),
        query: None,
        headers: vec![],
        body: Bytes::from_static(b"body"),
        attributes: vec![],
    }
}

fn run(attempts: u32) -> Run {
    Run { seq: 1, route: "r".into(), generation: 0, attempts, event: Arc::new(event()), lease: 1 }
}

fn target(name: &str) -> RouteTarget {
    RouteTarget { destination: name.into(), ..RouteTarget::default() }
}

fn route(policies: &[OnError]) -> Route {
    let step = |(i, on_error): (usize, &OnError)| Step {
        plugin: format!("p{i}"),
        config: "null".into(),
        on_error: on_error.clone(),
    };
    Route {
        name: "r".into(),
        from: vec!["s".into()],
        types: vec![],
        steps: policies.iter().enumerate().map(step).collect(),
        to: ["a", "b"].map(target).into(),
    }
}

fn said(output: Output) -> Call {
    let verdict = match &output {
        Output::Pass => StepVerdict::Pass,
        Output::Unchanged => StepVerdict::Unchanged,
        Output::Replace(_) => StepVerdict::Replace,
        Output::Split(_) => StepVerdict::Split,
        Output::Drop(_) => StepVerdict::Drop,
    };
    Call {
        verdict,
        reason: None,
        output: Some(output),
        took: Duration::from_micros(3),
        memory: 0,
        log_dropped: 0,
    }
}

fn broke(verdict: StepVerdict) -> Call {
    Call {
        verdict,
        reason: Some("why".into()),
        output: None,
        took: Duration::ZERO,
        memory: 0,
        log_dropped: 0,
    }
}

fn body(text: &'static str) -> PluginMessage {
    PluginMessage { body: Some(Bytes::from_static(text.as_bytes())), ..PluginMessage::default() }
}

fn suffix(text: &str) -> PluginMessage {
    PluginMessage { idempotency_suffix: Some(text.into()), ..PluginMessage::default() }
}

/// Calls that answer so, one after the other.
struct Answers {
    left: std::vec::IntoIter<Call>,
    /// The steps that were called, each with the body that it saw.
    asked: Vec<(String, Bytes)>,
    /// The attributes that each saw.
    attributes: Vec<Vec<Attribute>>,
    /// The answers that could not be used, counted from the last.
    taken_back: Vec<usize>,
    /// What was called when a step began, and when one was taken back, in order.
    steps: Vec<(&'static str, usize)>,
}

impl Answers {
    fn new(answers: Vec<Call>) -> Self {
        let left = answers.into_iter();
        Self { left, asked: Vec::new(), attributes: Vec::new(), taken_back: Vec::new(), steps: Vec::new() }
    }
}

impl StepCalls for Answers {
    fn begin_step(&mut self) {
        self.steps.push(("begin", self.asked.len()));
    }

    fn take_back_step(&mut self) {
        self.steps.push(("take back", self.asked.len()));
    }

    fn call(&mut self, step: &Step, input: &CallInput<'_>) -> (Ran, Call) {
        self.asked.push((step.plugin.clone(), input.body.clone()));
        self.attributes.push(input.attributes.to_vec());
        (ran(), self.left.next().expect("no further call was expected"))
    }

    fn take_back(&mut self) {
        self.taken_back.push(self.left.len());
    }
}

fn ran() -> Ran {
    Ran { digest: "digest".into(), version: "1.2.3".into() }
}

#[test]
fn steps_see_the_attributes_that_the_source_gave_and_those_of_the_steps_before() {
    let attribute = |name: &str, value: &str| Attribute { name: name.into(), value: value.into() };
    let given = vec![attribute("tenant", "acme"), attribute("plan", "free")];
    let run = Run { event: Arc::new(Event { attributes: given.clone(), ..event() }), ..run(0) };
    let added = PluginMessage { attributes: vec![attribute("plan", "paid")], ..PluginMessage::default() };
    let mut answers = Answers::new(vec![said(Output::Replace(added.clone())), said(Output::Replace(added))]);
    process(&run, &route(&[OnError::Dead, OnError::Dead]), Millis(0), &mut answers);
    assert_eq!(answers.attributes, [given, vec![attribute("tenant", "acme"), attribute("plan", "paid")]]);
}

/// Processes with these answers, in the order of the calls; all must be asked for.
fn answer(attempts: u32, policies: &[OnError], answers: Vec<Call>) -> Processed {
    answer_and_take_back(attempts, policies, answers).0
}

/// The same, and which calls were taken back, counted from the last.
fn answer_and_take_back(attempts: u32, policies: &[OnError], answers: Vec<Call>) -> (Processed, Vec<usize>) {
    let mut answers = Answers::new(answers);
    let processed = process(&run(attempts), &route(policies), Millis(1_000), &mut answers);
    assert_eq!(answers.left.len(), 0, "a step was not called");
    (processed, answers.taken_back)
}

fn sent(processed: &Processed) -> Vec<(&str, Option<&[u8]>)> {
    match &processed.end {
        RunEnd::Processed(deliveries) => {
            deliveries.iter().map(|d| (d.destination.as_str(), d.message.body.as_deref())).collect()
        }
        other => panic!("not processed: {other:?}"),
    }
}

#[test]
fn without_steps_the_event_goes_to_every_destination_as_it_came() {
    assert_eq!(sent(&answer(0, &[], vec![])), [("a", None), ("b", None)]);
}

#[test]
fn each_step_sees_what_the_last_one_made() {
    let mut answers = Answers::new(vec![said(Output::Replace(body("new"))), said(Output::Unchanged)]);
    let processed = process(&run(0), &route(&[OnError::Dead, OnError::Dead]), Millis(0), &mut answers);
    assert_eq!(answers.asked, [("p0".into(), Bytes::from("body")), ("p1".into(), Bytes::from("new"))]);
    assert_eq!(sent(&processed)[0], ("a", Some(b"new".as_slice())));
    assert_eq!(processed.steps[0].micros, 3);
    let ran = (processed.steps[0].digest.as_str(), processed.steps[0].version.as_str());
    assert_eq!(ran, ("digest", "1.2.3"));
}

#[test]
fn behind_a_split_steps_run_once_per_message_and_drops_concern_one() {
    let split = said(Output::Split(vec![body("1"), body("2")]));
    let answers = vec![split, said(Output::Drop("no".into())), said(Output::Pass)];
    let processed = answer(0, &[OnError::Dead, OnError::Dead], answers);
    assert_eq!(sent(&processed), [("a", Some(b"2".as_slice())), ("b", Some(b"2".as_slice()))]);
    assert_eq!(processed.steps.len(), 3);
}

#[test]
fn a_run_of_which_nothing_is_left_is_dropped_with_the_reason() {
    let processed = answer(0, &[OnError::Dead], vec![said(Output::Drop("bot".into()))]);
    assert!(matches!(processed.end, RunEnd::Dropped(reason) if reason == "p0: bot"));
}

#[test]
fn messages_have_distinct_ids_that_do_not_depend_on_chance() {
    let ids =
        |messages: Vec<PluginMessage>| match answer(0, &[OnError::Dead], vec![said(Output::Split(messages))])
            .end
        {
            RunEnd::Processed(deliveries) => deliveries.into_iter().map(|d| d.id).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
    let by_index = ids(vec![body("1"), body("2")]);
    assert_eq!(by_index, ids(vec![body("3"), body("4")]));
    assert_eq!(by_index.iter().collect::<std::collections::HashSet<_>>().len(), 4);
    let swapped = ids(vec![suffix("y"), suffix("x")]);
    assert_eq!(ids(vec![suffix("x"), suffix("y")])[..2], swapped[2..]);
}

#[test]
fn a_suffix_that_occurs_twice_is_an_error_of_the_step() {
    let twice = said(Output::Split(vec![suffix("x"), suffix("x")]));
    let processed = answer(0, &[OnError::Dead], vec![twice]);
    assert!(matches!(&processed.end, RunEnd::Failed(reason) if reason.contains("occurs twice")));
    assert_eq!(processed.steps[0].verdict, StepVerdict::BadOutput);
}

#[test]
fn splits_below_suffixes_need_none_of_their_own() {
    let split = || said(Output::Split(vec![suffix("x"), suffix("y")]));
    let below = || said(Output::Split(vec![body("1"), body("2")]));
    let processed = answer(0, &[OnError::Dead, OnError::Dead], vec![split(), below(), below()]);
    let RunEnd::Processed(deliveries) = processed.end else { panic!("{:?}", processed.end) };
    let ids: std::collections::HashSet<_> = deliveries.iter().map(|d| &d.id).collect();
    assert_eq!((deliveries.len(), ids.len()), (8, 8));
}

#[test]
fn a_passed_over_step_revives_nothing_that_it_dropped() {
    let split = said(Output::Split(vec![body("1"), body("2"), body("3")]));
    let answers = vec![
        split,
        said(Output::Drop("no".into())),
        said(Output::Replace(suffix("s"))),
        said(Output::Replace(suffix("s"))),
    ];
    let processed = answer(0, &[OnError::Dead, OnError::Pass], answers);
    assert_eq!(sent(&processed).iter().filter(|(to, _)| *to == "a").count(), 2);
}

#[test]
fn what_one_run_may_become_is_bounded() {
    let many = || said(Output::Split(vec![body("x"); 600]));
    let answers = vec![said(Output::Split(vec![body("1"), body("2")])), many(), many()];
    let processed = answer(0, &[OnError::Dead, OnError::Dead], answers);
    assert!(matches!(&processed.end, RunEnd::Failed(reason) if reason.contains("more than 1000 messages")));

    let big = PluginMessage { body: Some(Bytes::from(vec![0; 12 << 20])), ..PluginMessage::default() };
    let processed =
        answer(0, &[OnError::Drop], vec![said(Output::Split(vec![big.clone(), big.clone(), big]))]);
    assert!(matches!(&processed.end, RunEnd::Dropped(reason) if reason.contains("bytes of messages")));

    // Copies of what an earlier step has set count as well.
    let attribute = Attribute { name: "big".into(), value: "x".repeat(1 << 20) };
    let tagged = PluginMessage { attributes: vec![attribute], ..PluginMessage::default() };
    let answers = vec![said(Output::Replace(tagged)), said(Output::Split(vec![body("x"); 40]))];
    let processed = answer(0, &[OnError::Dead, OnError::Dead], answers);
    assert!(matches!(&processed.end, RunEnd::Failed(reason) if reason.contains("bytes of messages")));

    let slow = Call { took: Duration::from_mins(6), ..said(Output::Pass) };
    let processed = answer(0, &[OnError::Pass], vec![slow]);
    assert!(matches!(&processed.end, RunEnd::Failed(reason) if reason.contains("in its calls")));
}

#[test]
fn reasons_are_kept_short() {
    let processed = answer(0, &[OnError::Dead], vec![said(Output::Drop("é".repeat(9_000)))]);
    assert!(matches!(&processed.end, RunEnd::Dropped(reason) if reason.len() < 1_100));
}

#[test]
fn what_follows_an_error_is_the_steps_policy() {
    let error = || vec![broke(StepVerdict::Trap)];
    assert!(matches!(answer(0, &[OnError::Dead], error()).end, RunEnd::Failed(r) if r == "p0: trap: why"));
    assert!(matches!(answer(0, &[OnError::Drop], error()).end, RunEnd::Dropped(r) if r == "p0: trap: why"));
    assert_eq!(sent(&answer(0, &[OnError::Pass], error())).len(), 2);

    let retry = OnError::Retry {
        delays: vec![Duration::from_secs(1), Duration::from_secs(9)],
        then: Box::new(OnError::Pass),
    };
    let policies = [retry];
    assert!(matches!(answer(0, &policies, error()).end, RunEnd::Retry(Millis(2_000), _)));
    assert!(matches!(answer(1, &policies, error()).end, RunEnd::Retry(Millis(10_000), _)));
    assert_eq!(sent(&answer(2, &policies, error())).len(), 2);
}

#[test]
fn a_missing_or_misconfigured_plugin_holds_whatever_the_policy() {
    for verdict in [StepVerdict::Missing, StepVerdict::Misconfigured] {
        let processed = answer(0, &[OnError::Pass], vec![broke(verdict)]);
        assert!(matches!(processed.end, RunEnd::Held(reason) if reason == "p0: why"));
    }
}

#[test]
fn a_call_whose_output_cannot_be_used_is_taken_back_and_no_other() {
    let bad = PluginMessage { destinations: Some(vec!["nowhere".into()]), ..PluginMessage::default() };
    let answers = vec![said(Output::Pass), said(Output::Replace(bad)), said(Output::Pass)];
    let (processed, taken_back) =
        answer_and_take_back(0, &[OnError::Pass, OnError::Pass, OnError::Pass], answers);
    assert_eq!((sent(&processed).len(), taken_back), (2, vec![1]));
    let many = || said(Output::Split(vec![body("x"); 600]));
    let answers = vec![said(Output::Split(vec![body("1"), body("2")])), many(), many()];
    assert_eq!(answer_and_take_back(0, &[OnError::Dead, OnError::Dead], answers).1, [0]);
}

#[test]
fn a_suffix_that_occurs_twice_takes_back_every_call_of_its_step_and_of_no_other() {
    for policy in [OnError::Pass, OnError::Drop] {
        let split = said(Output::Split(vec![body("1"), body("2"), body("3")]));
        let same = || said(Output::Replace(suffix("s")));
        let mut answers = Answers::new(vec![split, same(), said(Output::Pass), same()]);
        process(&run(0), &route(&[OnError::Dead, policy]), Millis(0), &mut answers);
        assert_eq!(answers.steps, [("begin", 0), ("begin", 1), ("take back", 4)]);
        assert_eq!(answers.taken_back, [0; 0], "which includes the last one");
    }
}

#[test]
fn output_that_breaks_the_contract_is_an_error() {
    let message = PluginMessage { destinations: Some(vec!["nowhere".into()]), ..PluginMessage::default() };
    let processed = answer(0, &[OnError::Dead], vec![said(Output::Replace(message))]);
    assert!(matches!(&processed.end, RunEnd::Failed(reason) if reason.contains("nowhere")));
    assert_eq!(processed.steps[0].verdict, StepVerdict::BadOutput);
}

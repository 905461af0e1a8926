//! Every limit, hit once by a guest, is a recorded verdict.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookloom::model::StepVerdict;
use hookloom::plugin::{Limits, Output, Workers};

use super::{Room, body, patient};

/// Longer than any cut takes, on whichever machine; what is not cut lasts for ever.
const FOREVER: Duration = Duration::from_secs(30);

fn cut(config: &str) -> String {
    let room = Room::with_guest(Limits::default());
    let before = Instant::now();
    let call = room.call(config);
    assert_eq!(call.verdict, StepVerdict::Timeout, "{config}: {:?}", call.reason);
    assert_eq!(call.output, None);
    assert!(before.elapsed() < FOREVER);
    // The room goes on.
    assert_eq!(room.call(r#"{"do":"pass"}"#).verdict, StepVerdict::Unchanged);
    call.reason.unwrap()
}

#[test]
fn a_guest_that_spins_is_cut() {
    // Than its deadline, or by the wall clock where the machine is that busy.
    assert!(cut(r#"{"do":"spin"}"#).contains("more than"));
}

#[test]
fn a_guest_that_sleeps_for_long_is_cut_at_once() {
    assert!(cut(r#"{"do":"sleep","n":3600000}"#).contains("waits for longer than its deadline"));
}

#[test]
fn a_guest_that_sleeps_a_little_may() {
    let room = Room::with_guest(patient());
    let call = room.call(r#"{"do":"sleep","n":20}"#);
    assert_eq!(call.verdict, StepVerdict::Replace, "{:?}", call.reason);
    assert!(call.took >= Duration::from_millis(20));
}

#[test]
fn naps_add_up_to_the_deadline() {
    cut(r#"{"do":"nap","n":5}"#);
}

#[test]
fn a_guest_that_reads_stdin_finds_it_closed() {
    let room = Room::with_guest(patient());
    assert_eq!(body(&room.call(r#"{"do":"stdin"}"#)), "read 0");
}

#[test]
fn a_guest_that_spins_while_it_is_configured_is_cut() {
    cut(r#"{"configure":"spin"}"#);
    let room = Room::with_guest(Limits::default());
    let refusal = room.host.check_config("guest", r#"{"configure":"spin"}"#).unwrap_err();
    assert!(refusal.contains("deadline"), "{refusal}");
}

#[test]
fn a_guest_that_allocates_without_end_is_cut() {
    let room = Room::with_guest(patient());
    let call = room.call(r#"{"do":"alloc"}"#);
    assert_eq!(call.verdict, StepVerdict::Memory, "{:?}", call.reason);
    assert!(call.reason.unwrap().contains(&Limits::MEMORY.to_string()));
}

#[test]
fn a_stack_overflow_is_a_trap() {
    let room = Room::with_guest(patient());
    assert_eq!(room.call(r#"{"do":"recurse"}"#).verdict, StepVerdict::Trap);
}

#[test]
fn a_panic_is_a_trap_with_its_text() {
    let room = Room::with_guest(patient());
    let call = room.call(r#"{"do":"panic"}"#);
    assert_eq!(call.verdict, StepVerdict::Trap);
    let reason = call.reason.unwrap();
    assert!(reason.starts_with("panicked at ") && reason.ends_with("told to panic"), "{reason}");
    let reason = room.call(r#"{"do":"logged-panic"}"#).reason.unwrap();
    assert!(reason.ends_with("the panic hook says why"), "{reason}");
    assert_eq!(room.host.status()[0].traps, 2);
}

#[test]
fn an_exit_is_a_trap() {
    let room = Room::with_guest(patient());
    let call = room.call(r#"{"do":"exit"}"#);
    assert_eq!((call.verdict, call.reason.as_deref()), (StepVerdict::Trap, Some("exited with 1")));
}

#[test]
fn log_lines_above_the_limit_are_dropped_and_counted() {
    let room = Room::with_guest(patient());
    let call = room.call(r#"{"do":"flood-log","n":130}"#);
    assert_eq!((call.verdict, call.log_dropped), (StepVerdict::Replace, 30));
    assert_eq!(room.call(r#"{"do":"print","n":150}"#).log_dropped, 51);
    assert!(room.metrics.render().contains(r#"hookloom_plugin_log_dropped_total{plugin="guest"} 81"#));
}

#[test]
fn log_bytes_above_the_limit_are_dropped() {
    let room = Room::with_guest(Limits { log_bytes: 1000, ..patient() });
    assert_eq!(room.call(r#"{"do":"long-log","n":1001}"#).log_dropped, 1);
    assert_eq!(room.call(r#"{"do":"long-log","n":900}"#).log_dropped, 0);
}

#[test]
fn output_above_the_limit_is_bad_output() {
    let room = Room::with_guest(Limits { output_bytes: 1 << 20, ..patient() });
    let call = room.call(&format!(r#"{{"do":"huge-output","n":{}}}"#, 2 << 20));
    assert_eq!(call.verdict, StepVerdict::BadOutput, "{:?}", call.reason);
    assert_eq!(room.call(r#"{"do":"huge-output","n":1000000}"#).verdict, StepVerdict::Replace);
}

#[test]
fn more_messages_than_the_limit_are_bad_output() {
    let room = Room::with_guest(patient());
    let call = room.call(r#"{"do":"split","n":1001}"#);
    assert_eq!(call.verdict, StepVerdict::BadOutput, "{:?}", call.reason);
    let call = room.call(r#"{"do":"split","n":1000}"#);
    assert!(matches!(call.output, Some(Output::Split(messages)) if messages.len() == 1000));
}

#[test]
fn what_the_contract_forbids_in_a_message_is_bad_output() {
    let room = Room::with_guest(patient());
    for config in [
        r#"{"do":"message","header":["webhook-id","x"]}"#,
        r#"{"do":"message","header":["Host","x"]}"#,
        r#"{"do":"message","header":["x-a","a\nb"]}"#,
        r#"{"do":"message","header":["x-a","b"],"type":"a\nb"}"#,
        r#"{"do":"message","header":["x-a","b"],"suffix":"a.b"}"#,
        r#"{"do":"same-suffix"}"#,
    ] {
        let call = room.call(config);
        assert_eq!(call.verdict, StepVerdict::BadOutput, "{config}: {:?}", call.reason);
    }
}

#[test]
fn too_many_random_bytes_at_once_are_a_trap() {
    let room = Room::with_guest(patient());
    let call = room.call(r#"{"do":"greedy-random"}"#);
    assert_eq!(call.verdict, StepVerdict::Trap);
    assert!(call.reason.unwrap().contains("random bytes"));
}

#[test]
fn metrics_above_the_limit_and_outside_the_rules_are_dropped_and_counted() {
    let room = Room::with_guest(patient());
    room.call(r#"{"do":"metrics","n":40}"#);
    room.call(r#"{"do":"bad-metric"}"#);
    assert_eq!(room.host.status()[0].metrics_dropped, 9);
    let text = room.metrics.render();
    assert!(text.contains(r#"hookloom_plugin_name_31_total{plugin="guest"} 1"#), "{text}");
    assert!(!text.contains("name_32"));
}

/// One worker is never free; the other goes on as if nothing were.
#[tokio::test]
async fn a_guest_that_spins_does_not_slow_its_neighbours() {
    let room = Room::with_guest(patient());
    let workers = Arc::new(Workers::start(2, 16).unwrap());
    let call_on_worker = |config: &'static str| {
        let (workers, host) = (Arc::clone(&workers), Arc::clone(&room.host));
        async move { workers.run(move || super::call(&host, config, &super::event())).await.unwrap() }
    };
    let spinning = tokio::spawn(call_on_worker(r#"{"do":"spin"}"#));
    for _ in 0..200 {
        let call = call_on_worker(r#"{"do":"replace"}"#).await;
        assert_eq!(call.verdict, StepVerdict::Replace, "{:?}", call.reason);
    }
    assert!(!spinning.is_finished(), "two hundred calls took longer than the one that spins");
    assert_eq!(spinning.await.unwrap().verdict, StepVerdict::Timeout);
}

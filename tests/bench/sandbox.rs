//! What the sandbox costs: a call that rewrites 1 KiB of JSON in a fresh instance,
//! against the same call of an instance that is there already. The difference is
//! store, instance, `configure` and taking all of it down.
#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookloom::clock::{Clock, Random};
use hookloom::metrics::Metrics;
use hookloom::model::{Event, EventId, Header, Millis, StepVerdict};
use hookloom::plugin::{CallInput, Limits, Plugin, PluginHost, PluginSettings};

const ROUNDS: usize = 5;
const CALLS: u32 = 5_000;
const REWRITE: &str = r#"{"do":"json","n":1}"#;

fn main() {
    let dirs = tempfile::tempdir().expect("a folder");
    std::fs::write(dirs.path().join("guest.wasm"), hookloom_testkit::guests::lean_guest()).expect("a plugin");
    let settings = PluginSettings {
        dir: dirs.path().to_owned(),
        cache_dir: None,
        workers: 2,
        defaults: Limits { deadline: Duration::from_secs(5), ..Limits::default() },
        overrides: std::collections::BTreeMap::new(),
    };
    let host = PluginHost::start(settings, Clock::system(), Random::system(), Arc::new(Metrics::new()));
    let host = host.expect("the room opens");
    host.scan(&[]);
    let plugin = host.plugins().get("guest").expect("the guest serves");
    let event = event();
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let pass = fresh(&plugin, r#"{"do":"pass"}"#, &event);
        let fresh = fresh(&plugin, REWRITE, &event);
        let warm = micros(|| {
            plugin.call_warm(REWRITE, &input(&event), CALLS).expect("warm calls");
        });
        rounds.push([pass, fresh, warm, fresh - warm]);
    }
    println!(
        "JSON rewrite of {} bytes, {} headers, {CALLS} calls, µs of CPU a call",
        event.body.len(),
        event.headers.len()
    );
    for (i, what) in
        ["unchanged, fresh", "rewrite, fresh", "rewrite, warm", "sandbox"].into_iter().enumerate()
    {
        let mut figures: Vec<_> = rounds.iter().map(|round| round[i]).collect();
        figures.sort_by(f64::total_cmp);
        println!(
            "{what:18} {:6.2}  ({:.2} to {:.2} in {ROUNDS} rounds)",
            figures[ROUNDS / 2],
            figures[0],
            figures[ROUNDS - 1]
        );
    }
}

fn fresh(plugin: &Plugin, config: &str, event: &Event) -> f64 {
    micros(|| {
        for _ in 0..CALLS {
            let call = plugin.call(config, &input(event));
            assert!(matches!(call.verdict, StepVerdict::Unchanged | StepVerdict::Replace), "{call:?}");
        }
    })
}

/// What one of [`CALLS`] calls costs.
fn micros(calls: impl FnOnce()) -> f64 {
    let start = thread_cpu();
    calls();
    (thread_cpu() - start) * 1e6 / f64::from(CALLS)
}

fn input(event: &Event) -> CallInput<'_> {
    CallInput {
        event,
        body: &event.body,
        event_type: event.event_type.as_deref(),
        content_type: Some("application/json"),
        attributes: &[],
    }
}

/// CPU seconds of this thread: a neighbour on the machine does not count.
fn thread_cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0)).as_secs_f64()
}

/// About what a provider sends: a few headers and 1 KiB of JSON.
fn event() -> Event {
    let headers = [
        "accept",
        "content-type",
        "user-agent",
        "x-github-delivery",
        "x-github-event",
        "x-hub-signature-256",
    ];
    let header = |name: &str| Header { name: name.into(), value: format!("a value of {name}") };
    let items: Vec<_> = (0..12)
        .map(|i| serde_json::json!({"id": i, "name": format!("item {i}"), "tags": ["a", "b"]}))
        .collect();
    let mut body =
        serde_json::json!({"action": "opened", "sender": {"login": "octocat", "id": 1}, "items": items});
    let missing = 1024_usize.saturating_sub(body.to_string().len() + 9);
    body["pad"] = "x".repeat(missing).into();
    Event {
        id: EventId::new(1_700_000_000_000, 7),
        source: "github".into(),
        event_type: Some("issues.opened".into()),
        received_at: Millis(1_700_000_000_000),
        method: "POST".into(),
        path: "/in/github".into(),
        query: None,
        headers: headers.map(header).into(),
        body: Bytes::from(body.to_string()),
        attributes: vec![],
    }
}

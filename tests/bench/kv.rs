//! What one hot key costs: a backlog of events that all add to one key, that each add to
//! a key of their own, and that touch none. `cargo bench --bench kv`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::{Duration, Instant};

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests::guest_with_kv;
use hookloom_testkit::sender::{SECRET, borrowed, github};
use hookloom_testkit::wait::eventually;
use serde_json::Value;

const EVENTS: usize = 2_000;
/// Requests at once while the backlog is made.
const SENDERS: usize = 16;

const CASES: [(&str, &str, bool); 3] =
    [("no key", "pass", false), ("keys of their own", "tally", false), ("one key", "tally", true)];

/// Nothing is delivered, so that only the processing of the backlog is measured: its one
/// destination is paused.
fn config(grants: &str, act: &str) -> String {
    format!(
        "[sources.github]\nscheme = \"github\"\nsecrets = [\"{SECRET}\"]\n\
         [plugin.guest]\ndeadline = \"5s\"\n{grants}\n\
         [destinations.nowhere]\nurl = \"http://127.0.0.1:9/\"\n\
         [[routes]]\nname = \"all\"\nfrom = [\"github\"]\nto = [\"nowhere\"]\n\
         steps = [{{ plugin = \"guest\", config = {{ do = \"{act}\" }} }}]\n"
    )
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (name, act, hot) in CASES {
        let Backlog { runs, took, repeats } = runtime.block_on(measure(act, hot));
        let rate = f64::from(runs) / took.as_secs_f64();
        println!("{name:<20} {rate:>7.0} runs/s, {repeats} repeated");
    }
}

/// What was measured of a backlog.
struct Backlog {
    /// Runs that were processed meanwhile.
    runs: u32,
    took: Duration,
    /// Of all runs, those that were begun again.
    repeats: u64,
}

async fn measure(act: &str, hot: bool) -> Backlog {
    let mut gateway = Gateway::new(&config("", act));
    // It is not granted what it imports: so its runs are held until everything is there.
    gateway.put_plugin("guest", guest_with_kv());
    gateway.run_here().await;
    gateway.command("/api/v1/destinations/nowhere/pause", &Value::Null).await;
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        let door = gateway.door();
        senders.spawn(async move {
            for n in (sender..EVENTS).step_by(SENDERS) {
                let body = if hot { "{}".to_owned() } else { format!("{{\"n\":{n}}}") };
                let answer = door.try_post("github", &borrowed(&github("push", body.as_bytes())), body).await;
                assert_eq!(answer.expect("an answer").status, 200);
            }
        });
    }
    senders.join_all().await;
    let ended = async |outcome: &str| {
        gateway.count(&format!(r#"hookloom_runs_total{{route="all",outcome="{outcome}"}}"#)).await
    };
    let reached = async |outcome: &str, count: usize| {
        eventually(outcome, async || {
            let seen = ended(outcome).await;
            if seen >= count as u64 { Ok(()) } else { Err(seen.to_string()) }
        })
        .await;
    };
    reached("held", EVENTS).await;
    gateway.write_config(&config("grants = [\"kv\"]", act));
    reached("processed", 1).await;
    let (begin, before) = (Instant::now(), ended("processed").await);
    reached("processed", EVENTS).await;
    let (took, repeats) = (begin.elapsed(), ended("repeat").await);
    gateway.stop().await;
    let runs = u32::try_from(EVENTS as u64 - before).expect("a small backlog");
    Backlog { runs, took, repeats }
}

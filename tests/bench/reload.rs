//! How long a new plugin takes to serve: from the complete file (the rename that puts
//! it in place) to the arrival of the first event that it made, under a light load.
//! Each round is another component, so that nothing comes from the cache.
#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::time::{Duration, Instant};

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests::{lean_guest, variant};
use hookloom_testkit::receiver::Receiver;
use hookloom_testkit::sender::{DESTINATION_SECRET, Load, SECRET};

const ROUNDS: u32 = 5;
/// What is waited for settles within this span; see `plugin::Settle`.
const LIMIT: Duration = Duration::from_secs(1);

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut spans = runtime.block_on(rounds());
    spans.sort();
    println!(
        "{} KiB, {ROUNDS} rounds: from the rename to the first event served by the new version",
        lean_guest().len() / 1024
    );
    println!("median {:?} ({:?} to {:?})", spans[spans.len() / 2], spans[0], spans[spans.len() - 1]);
    println!("{}", if spans[spans.len() / 2] < LIMIT { "under a second" } else { "NOT under a second" });
}

async fn rounds() -> Vec<Duration> {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::new(&format!(
        r#"
[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[destinations.crm]
url = "{}"
secrets = ["{DESTINATION_SECRET}"]

[[routes]]
name = "all"
from = ["github"]
steps = [{{ plugin = "guest", config = {{ do = "version" }} }}]
to = ["crm"]
"#,
        receiver.url()
    ));
    gateway.put_plugin("guest", lean_guest());
    gateway.run_here().await;
    let load = Load::start(&gateway.door(), "github", 1);
    receiver.requests(20).await;
    let mut spans = Vec::new();
    for round in 0..ROUNDS {
        let version = format!("guest-version-{}", round + 2);
        let component = variant(lean_guest(), "guest-version-1", &version);
        let before = Instant::now();
        gateway.put_plugin("guest", &component);
        receiver
            .until(&version, |seen| seen.requests.iter().rev().take(64).any(|r| r.body == version.as_bytes()))
            .await;
        spans.push(before.elapsed());
    }
    load.stop().await;
    gateway.stop().await;
    spans
}

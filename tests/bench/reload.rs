//! How long a new plugin takes to serve: from the complete file (the rename that puts
//! it in place) to the arrival of the first event that it made, under a light load. The
//! gateway is a process of its own, which compiles in a child as in production.
//! Each round is another component, so that nothing comes from the cache.
//! Beside it what looking at a folder of many plugins takes.
#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookloom::clock::{Clock, Random};
use hookloom::metrics::Metrics;
use hookloom::plugin::{Context, Limits, NoState, PluginHost, PluginSettings};
use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests::{lean_guest, variant};
use hookloom_testkit::receiver::Receiver;
use hookloom_testkit::sender::{DESTINATION_SECRET, Load, SECRET};

const ROUNDS: u32 = 5;
/// What is waited for settles within this span; see `plugin::Settle`.
const LIMIT: Duration = Duration::from_secs(1);

fn main() {
    let by_hand = include_bytes!("../corpus/v0.1.0/by-hand.wasm");
    looks(20, |n| variant(lean_guest(), "guest-version-1", &format!("guest-ver-{n:05}")));
    looks(200, |n| variant(by_hand, "by-hand-000", &format!("by-hand-{n:03}")));
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

/// So many plugins: compiled, from the cache after a restart, and looked at again.
fn looks(count: u32, component: impl Fn(u32) -> Vec<u8>) {
    let dirs = tempfile::tempdir().expect("a folder");
    let plugins = dirs.path().join("plugins");
    std::fs::create_dir(&plugins).expect("a folder");
    for n in 0..count {
        std::fs::write(plugins.join(format!("plugin-{n}.wasm")), component(n)).expect("a plugin");
    }
    let (host, compiled) = open(dirs.path(), &plugins);
    drop(host);
    let mut starts: Vec<_> = (0..ROUNDS).map(|_| open(dirs.path(), &plugins).1).collect();
    starts.sort();
    let (host, _) = open(dirs.path(), &plugins);
    let mut again: Vec<_> = (0..ROUNDS).map(|_| span(|| drop(host.scan(&[])))).collect();
    again.sort();
    let bytes = component(0).len() / 1024;
    println!("{count} plugins of {bytes} KiB: compiled in {compiled:?}");
    println!(
        "  from the cache, engine included: median {:?} (from {:?})",
        starts[starts.len() / 2],
        starts[0]
    );
    println!("  looked at again: median {:?} (from {:?})", again[again.len() / 2], again[0]);
}

/// A room on that folder, and how long it took until all of them served.
fn open(dir: &Path, plugins: &Path) -> (Arc<PluginHost>, Duration) {
    let context = Context {
        clock: Clock::system(),
        random: Random::system(),
        metrics: Arc::new(Metrics::new()),
        state: Arc::new(NoState),
    };
    let settings = PluginSettings {
        cache_dir: Some(dir.join("cache")),
        ..PluginSettings::new(plugins, Limits::default())
    };
    let before = Instant::now();
    let host = PluginHost::start(settings, context).expect("the room opens");
    assert_eq!(host.scan(&[]).problems, []);
    (host, before.elapsed())
}

fn span(look: impl FnOnce()) -> Duration {
    let before = Instant::now();
    look();
    before.elapsed()
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
    gateway.run_process(env!("CARGO_BIN_EXE_hookloom"));
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
    gateway.terminate();
    spans
}

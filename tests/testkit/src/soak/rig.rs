//! The gateway of the soak with its destinations: configured, killed, started, drained.

use std::io::Write;
use std::time::{Duration, Instant};

use hookloom::clock::Random;
use hookloom::store::SqliteStore;

use super::destination::{Destination, Manners, Shared};
use super::history::{Fate, History, Name};
use super::senders::Senders;
use super::{Options, Summary};
use crate::gateway::Gateway;
use crate::guests;
use crate::sender::{DESTINATION_SECRET, SECRET};

const DESTINATIONS: [Manners; 3] = [
    Manners { name: "flaky", ordered: false, fails_every: Some(3), takes: Duration::ZERO },
    Manners { name: "slow", ordered: false, fails_every: None, takes: Duration::from_millis(60) },
    Manners { name: "ordered", ordered: true, fails_every: Some(11), takes: Duration::from_millis(2) },
];

/// Between two looks at whether everything was delivered.
const LOOK: Duration = Duration::from_millis(50);

pub(super) struct Rig {
    binary: String,
    gateway: Gateway,
    book: Shared,
    destinations: Vec<Destination>,
}

impl Rig {
    /// A gateway that runs.
    pub(super) async fn start(binary: &str) -> anyhow::Result<Self> {
        let book = Shared::default();
        let mut destinations = Vec::new();
        for manners in DESTINATIONS {
            destinations.push(Destination::start(manners, &book).await?);
        }
        let mut gateway = Gateway::new(&config(&destinations));
        gateway.keep_log();
        gateway.put_plugin("guest", guests::guest());
        gateway.run_process(binary);
        Ok(Self { binary: binary.to_owned(), gateway, book, destinations })
    }

    /// Kills and starts it under load, again and again.
    pub(super) async fn rounds(
        &mut self,
        options: Options,
        random: &Random,
        out: &mut impl Write,
    ) -> anyhow::Result<(Vec<(Name, Fate)>, Summary)> {
        let mut summary = Summary { rounds: options.rounds, ..Summary::default() };
        let senders = Senders::start(&self.gateway.door(), "github", options.senders, options.rate);
        for round in 1..=options.rounds {
            let before = senders.acknowledged();
            let lives = options.round.mul_f64(random.unit());
            tokio::time::sleep(lives).await;
            self.gateway.kill();
            let accepted = senders.acknowledged() - before;
            for destination in &self.destinations {
                destination.quiet().await?;
            }
            let backlog = SqliteStore::inspect(&self.gateway.path("data/hookloom.db"))?.backlog;
            let deliveries: u64 = backlog.deliveries.iter().map(|(_, count)| count).sum();
            let restart = self.gateway.run_until_ready(&self.binary).await;
            summary.longest_restart = summary.longest_restart.max(restart);
            writeln!(
                out,
                "round {round:3}: {accepted:5} accepted, killed at {:6} ms, left {:4} runs {deliveries:5} deliveries, ready again in {:4} ms",
                lives.as_millis(),
                backlog.runs,
                restart.as_millis(),
            )?;
        }
        // The last process gets work of its own, too.
        tokio::time::sleep(options.round / 4).await;
        Ok((senders.stop().await?, summary))
    }

    /// Waits until nothing is pending, also not what was accepted without an answer.
    pub(super) async fn drain(&mut self, patience: Duration) -> anyhow::Result<Duration> {
        let begin = Instant::now();
        loop {
            let pending = self.gateway.get("/api/v1/deliveries?status=pending&limit=1").await.json();
            let runs = SqliteStore::inspect(&self.gateway.path("data/hookloom.db"))?.backlog.runs;
            if runs == 0 && pending["items"].as_array().is_some_and(Vec::is_empty) {
                break;
            }
            anyhow::ensure!(
                begin.elapsed() < patience,
                "after {patience:?}: {runs} runs and {pending} are pending"
            );
            tokio::time::sleep(LOOK).await;
        }
        let took = begin.elapsed();
        let dead = self.gateway.get("/api/v1/deliveries?status=dead&limit=1").await.json();
        anyhow::ensure!(dead["items"].as_array().is_some_and(Vec::is_empty), "given up: {dead}");
        self.gateway.terminate();
        Ok(took)
    }

    /// What happened, once nothing more does.
    pub(super) fn history(&self, sent: Vec<(Name, Fate)>) -> anyhow::Result<History> {
        let strange = self.book.strange();
        anyhow::ensure!(strange.is_empty(), "destinations were sent what nobody made: {strange:?}");
        let (arrivals, ids) = self.book.so_far();
        Ok(History { sent, arrivals, ids })
    }
}

fn config(destinations: &[Destination]) -> String {
    use std::fmt::Write as _;

    let mut text = format!(
        r#"
[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[plugins]
deadline = "5s"

[[routes]]
name = "all"
from = ["github"]
steps = [{{ plugin = "guest", config = {{ do = "json" }} }}]
to = ["flaky", "slow", "ordered"]
"#
    );
    for (manners, destination) in DESTINATIONS.iter().zip(destinations) {
        let order = if manners.ordered { "order = \"json:/key\"\n" } else { "" };
        // Writing to a `String` does not fail.
        let _ = write!(
            text,
            r#"
[destinations.{}]
url = "{}"
secrets = ["{DESTINATION_SECRET}"]
retry = {{ max_attempts = 50, base = "20ms", factor = 1.5, cap = "500ms", jitter = 0.5 }}
{order}"#,
            manners.name,
            destination.url(),
        );
    }
    text
}

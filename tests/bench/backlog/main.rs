//! What a large backlog costs: the accepts beside it, memory, disk, a start on it, and the
//! first delivery after that; with `--retention`, what deleting finished events costs.
//!
//! `cargo bench --bench backlog -- [--quick] [--events N] [--seconds N] [--rounds N]
//! [--rate N] [--kind undelivered|held]`
//!
//! `cargo bench --bench backlog -- --retention [--quick] [--events N] [--rate N]
//! [--seconds N] [--at-most SECONDS]`
//!
//! Add `--profile dev` before the first `--` for a build that takes a minute instead of
//! ten. The backlog is put into the store through the store's own verbs, in this process,
//! which is much faster than the front door. `undelivered`: deliveries that are due, for a
//! destination that takes connections and never answers. `held`: runs whose plugin is
//! missing. Latencies of accepts are taken at `--rate` events a second, which should be well
//! below what is accepted at most. Rounds alternate between an empty store and the filled
//! one; compare within one run. A million events take about 2 GiB in the folder for temporary files.

mod retention;
mod standing;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use hookloom_testkit::fill::Stand;
use hookloom_testkit::sender::{DESTINATION_SECRET, SECRET};

const BINARY: &str = env!("CARGO_BIN_EXE_hookloom");
/// Of the reference load.
const CONNECTIONS: usize = 32;
const SOURCE: &str = "github";
const ROUTE: &str = "all";
const DESTINATION: &str = "crm";
/// The plugin that is missing where runs are held.
const PLUGIN: &str = "guest";

struct Options {
    events: usize,
    length: Duration,
    rounds: usize,
    kinds: Vec<(&'static str, Stand)>,
    retention: bool,
    /// Looks no longer at retention than so long, whatever is left by then.
    at_most: Duration,
    rate: f64,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    // One thread makes the load and receives, so that the other cores are the subject's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = std::io::stdout();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        if options.retention {
            return retention::run(&options, &mut out).await;
        }
        for (name, stand) in &options.kinds {
            standing::run(&options, name, *stand, &mut out).await?;
        }
        Ok(())
    })
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self {
            events: 1_000_000,
            length: Duration::from_secs(10),
            rounds: 3,
            kinds: vec![("undelivered", Stand::Undelivered), ("held", Stand::Held)],
            retention: false,
            at_most: Duration::MAX,
            rate: 500.0,
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| anyhow::anyhow!("{arg} needs a value"));
            match arg.as_str() {
                // cargo's own.
                "--bench" => {}
                "--quick" => {
                    (options.events, options.rounds, options.length) = (20_000, 1, Duration::from_secs(2));
                    options.rate = 200.0;
                }
                "--events" => options.events = value()?.parse()?,
                "--seconds" => options.length = Duration::from_secs(value()?.parse()?),
                "--rounds" => options.rounds = value()?.parse()?,
                "--rate" => options.rate = value()?.parse()?,
                "--retention" => options.retention = true,
                "--at-most" => options.at_most = Duration::from_secs(value()?.parse()?),
                "--kind" => {
                    let kind = value()?;
                    options.kinds.retain(|(known, _)| *known == kind);
                    anyhow::ensure!(!options.kinds.is_empty(), "--kind is undelivered or held");
                }
                _ => anyhow::bail!("unknown argument {arg}"),
            }
        }
        Ok(options)
    }
}

/// A gateway's configuration; `store` is what `[store]` says, `step` a step of the route.
fn config(destination: &str, store: &str, step: &str) -> String {
    format!(
        r#"
[store]
{store}

[sources.{SOURCE}]
scheme = "github"
secrets = ["{SECRET}"]

[destinations.{DESTINATION}]
url = "{destination}"
secrets = ["{DESTINATION_SECRET}"]

[[routes]]
name = "{ROUTE}"
from = ["{SOURCE}"]
steps = [{step}]
to = ["{DESTINATION}"]
"#
    )
}

/// Puts a store that was filled on the disk: what is written back later would be in the
/// subject's way.
fn settle(store: &Path) -> std::io::Result<()> {
    std::fs::File::open(store)?.sync_all()
}

fn say(out: &mut impl Write, name: &str, value: f64) -> std::io::Result<()> {
    writeln!(out, "{name:33} {value:12.2}")
}

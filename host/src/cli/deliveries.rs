//! `hookloom deliveries`: list, show, retry, cancel and replay, through the admin API.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::admin_side::{self, AdminSide, Named, PAGE, segment};
use super::ask::{Progress, confirm, ids};
use super::events::{self, refused};
use super::table::{Table, age, cell};
use super::{block_on, print, records, say};
use crate::clock::Clock;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List deliveries, newest first
    List(List),
    /// Show deliveries with every attempt
    Show(Named),
    /// Send deliveries at once, under the same webhook-id
    ///
    /// A pending one goes on with its schedule, a dead or cancelled one begins it anew. One
    /// that was delivered is refused: replay it instead.
    Retry(Change),
    /// Send deliveries no more
    Cancel(Change),
    /// Replay the event of a delivery on its route, under new ids
    Replay(Named),
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    filter: Filter,
    /// How many at most
    #[arg(short = 'n', long, default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    admin: admin_side::Options,
}

#[derive(Debug, clap::Args)]
pub(super) struct Change {
    /// Their ids; - reads them from stdin
    #[arg(required_unless_present_any = ["destination", "status", "since", "until"],
          conflicts_with_all = ["destination", "status", "since", "until"])]
    ids: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    admin: admin_side::Options,
}

#[derive(Debug, clap::Args)]
struct Filter {
    /// For this destination
    #[arg(long)]
    destination: Option<String>,
    /// In this state
    #[arg(long, value_parser = ["pending", "delivered", "dead", "cancelled"])]
    status: Option<String>,
    /// Created then or later: 2h ago, or an instant like 2026-01-31T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Created before
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

impl Filter {
    fn query(&self) -> [(&'static str, Option<&str>); 4] {
        [
            ("destination", self.destination.as_deref()),
            ("status", self.status.as_deref()),
            ("since", self.since.as_deref()),
            ("until", self.until.as_deref()),
        ]
    }
}

/// What is done to deliveries, and the word for it afterwards.
#[derive(Clone, Copy, Debug)]
struct Verb {
    name: &'static str,
    done: &'static str,
}

const RETRY: Verb = Verb { name: "retry", done: "retried" };
const CANCEL: Verb = Verb { name: "cancel", done: "cancelled" };

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    block_on(async {
        match command {
            Command::List(options) => list(options).await,
            Command::Show(options) => show(options).await,
            Command::Retry(options) => change(options, RETRY).await,
            Command::Cancel(options) => change(options, CANCEL).await,
            Command::Replay(options) => replay(options).await,
        }
    })?
}

async fn list(options: &List) -> anyhow::Result<ExitCode> {
    let admin = AdminSide::open(&options.admin)?;
    let now = Clock::system().now();
    let headings = ["ID", "EVENT", "DESTINATION", "STATUS", "ATTEMPTS", "CREATED", "DUE", "REASON"];
    let mut table = Table::new(&headings);
    admin
        .each("deliveries", &options.filter.query(), options.limit, |delivery| {
            if options.admin.json {
                print(&delivery.to_string());
                return;
            }
            let of = |key: &str| cell(&delivery[key]);
            table.row([
                of("id"),
                of("event"),
                of("destination"),
                of("status"),
                of("attempt_count"),
                age(&delivery["created_at"], now),
                records::due(delivery, now),
                of("reason"),
            ]);
        })
        .await?;
    if !options.admin.json {
        print(&table.render());
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(options: &Named) -> anyhow::Result<ExitCode> {
    let admin = AdminSide::open(&options.admin)?;
    let mut failed = false;
    for id in ids(&options.ids)? {
        match get(&admin, &id).await {
            Ok(delivery) if options.admin.json => print(&delivery.to_string()),
            Ok(delivery) => print(&records::delivery(&delivery, Clock::system().now())),
            Err(error) => failed |= refused(&id, error)?,
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn get(admin: &AdminSide, id: &str) -> anyhow::Result<Value> {
    admin.get(&format!("deliveries/{}", segment(id)), &[]).await
}

async fn replay(options: &Named) -> anyhow::Result<ExitCode> {
    let admin = AdminSide::open(&options.admin)?;
    let mut failed = false;
    for id in ids(&options.ids)? {
        match get(&admin, &id).await {
            Ok(delivery) => {
                let body = json!({ "routes": [delivery["route"]] });
                failed |=
                    events::replay(&admin, &cell(&delivery["event"]), &body, options.admin.json).await?;
            }
            Err(error) => failed |= refused(&id, error)?,
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn change(options: &Change, verb: Verb) -> anyhow::Result<ExitCode> {
    let admin = AdminSide::open(&options.admin)?;
    if options.ids.is_empty() {
        return change_filtered(&admin, options, verb).await;
    }
    let mut failed = false;
    for id in ids(&options.ids)? {
        match admin.post(&format!("deliveries/{}/{}", segment(&id), verb.name), &json!({})).await {
            Ok(answer) if options.admin.json => print(&answer.to_string()),
            Ok(answer) => print(&format!("{id}: {}", cell(&answer["status"]))),
            Err(error) => failed |= refused(&id, error)?,
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn change_filtered(admin: &AdminSide, options: &Change, verb: Verb) -> anyhow::Result<ExitCode> {
    let looked = pages(admin, options, verb, true, "found").await?;
    let found = looked.found;
    let question = format!("{} {found} deliveries?", if verb.name == "retry" { "Retry" } else { "Cancel" });
    if found > 0 && !confirm(&question, options.yes)? {
        say(&format!("nothing was {}", verb.done));
        return Ok(ExitCode::FAILURE);
    }
    let sum = if found > 0 { pages(admin, options, verb, false, verb.done).await? } else { looked };
    if options.admin.json {
        let mut counts = json!({ "found": sum.found, "refused": sum.refused });
        counts[verb.done] = json!(sum.changed);
        print(&counts.to_string());
    } else {
        print(&format!("{} deliveries {}", sum.changed, verb.done));
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Default)]
struct Sum {
    /// Those of which it can be asked.
    found: u64,
    refused: u64,
    changed: u64,
}

/// All pages of the filter.
async fn pages(
    admin: &AdminSide,
    options: &Change,
    verb: Verb,
    dry_run: bool,
    what: &'static str,
) -> anyhow::Result<Sum> {
    let (mut sum, mut cursor) = (Sum::default(), Value::Null);
    let progress = Progress::new(what);
    loop {
        let mut body = json!({ "limit": PAGE, "dry_run": dry_run, "cursor": cursor });
        for (name, value) in options.filter.query() {
            body[name] = json!(value);
        }
        let answer = admin.post(&format!("deliveries/{}", verb.name), &body).await?;
        let count = |key: &str| answer[key].as_u64().unwrap_or(0);
        sum.found += count("found");
        sum.refused += count("refused");
        sum.changed += count(verb.done);
        let done = if dry_run { sum.found } else { sum.changed };
        progress.at(usize::try_from(done).unwrap_or(usize::MAX), None);
        cursor = answer["next"].clone();
        if cursor.is_null() {
            return Ok(sum);
        }
    }
}

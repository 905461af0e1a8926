//! `hookloom events`: list, show, replay and export, through the admin API.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::admin_side::{self, AdminSide, Named, segment};
use super::ask::{Progress, confirm, ids};
use super::table::{Table, age, cell, size};
use super::{block_on, export, print, records, say};
use crate::clock::Clock;

/// Events in one request of a bulk replay.
const AT_ONCE: usize = 100;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List events, newest first
    List(List),
    /// Show events whole: what came in, what the steps said, where it went
    Show(Named),
    /// Send events through their routes again, as the routes are now
    ///
    /// A replay is a new generation: its deliveries have ids of their own and name the
    /// first ones in hookloom-replay-of. In ordered lines they come behind everything that
    /// was accepted before; several events keep their order.
    Replay(Replay),
    /// Write events as fixtures, with the failed step's configuration and what it said
    ///
    /// `plugin run` and `plugin test` take such a file. A step that failed expects its own
    /// failure: edit that to what should happen, and the event is a test.
    Export(export::Export),
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
pub(super) struct Replay {
    /// Their ids, in the order of the replay; - reads them from stdin
    #[arg(required_unless_present_any = ["source", "event_type", "status", "since", "until"],
          conflicts_with_all = ["source", "event_type", "status", "since", "until"])]
    ids: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// Only through this route; may be repeated
    #[arg(long = "route", value_name = "NAME")]
    routes: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    admin: admin_side::Options,
}

#[derive(Debug, clap::Args)]
struct Filter {
    /// Received by this source
    #[arg(long)]
    source: Option<String>,
    /// Of this type, as routes name types: issues takes issues.opened, * anything
    #[arg(long = "type")]
    event_type: Option<String>,
    /// In this state
    #[arg(long, value_parser = ["pending", "delivered", "dropped", "failed"])]
    status: Option<String>,
    /// Received then or later: 2h ago, or an instant like 2026-01-31T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Received before
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

impl Filter {
    fn query(&self) -> [(&'static str, Option<&str>); 5] {
        [
            ("source", self.source.as_deref()),
            ("type", self.event_type.as_deref()),
            ("status", self.status.as_deref()),
            ("since", self.since.as_deref()),
            ("until", self.until.as_deref()),
        ]
    }
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    block_on(async {
        match command {
            Command::List(options) => list(options).await,
            Command::Show(options) => show(options).await,
            Command::Export(options) => export::run(options).await,
            Command::Replay(options) if options.ids.is_empty() => replay_filtered(options).await,
            Command::Replay(options) => replay_named(options).await,
        }
    })?
}

async fn list(options: &List) -> anyhow::Result<ExitCode> {
    let admin = AdminSide::open(&options.admin)?;
    let now = Clock::system().now();
    let mut table = Table::new(&["ID", "SOURCE", "TYPE", "STATUS", "RECEIVED", "SIZE"]);
    let query = options.filter.query();
    admin
        .each("events", &query, options.limit, |event| {
            if options.admin.json {
                print(&event.to_string());
            } else {
                let [id, source, kind, status] =
                    ["id", "source", "type", "status"].map(|key| cell(&event[key]));
                table.row([id, source, kind, status, age(&event["received_at"], now), size(&event["size"])]);
            }
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
        match admin.get(&format!("events/{}", segment(&id)), &[]).await {
            Ok(event) if options.admin.json => print(&event.to_string()),
            Ok(event) => print(&records::event(&event, Clock::system().now())),
            Err(error) => failed |= refused(&id, error)?,
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Says what the gateway refused of one of several; anything else ends the command.
pub(super) fn refused(id: &str, error: anyhow::Error) -> anyhow::Result<bool> {
    let refused = error.downcast::<admin_side::Refused>()?;
    anyhow::ensure!(refused.status != 401, refused);
    say(&format!("{id}: {refused}"));
    Ok(true)
}

async fn replay_named(options: &Replay) -> anyhow::Result<ExitCode> {
    let admin = AdminSide::open(&options.admin)?;
    let body = if options.routes.is_empty() { json!({}) } else { json!({ "routes": options.routes }) };
    let mut failed = false;
    for id in ids(&options.ids)? {
        failed |= replay(&admin, &id, &body, options.admin.json).await?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Replays one event and says so; whether that was refused.
pub(super) async fn replay(admin: &AdminSide, id: &str, body: &Value, json: bool) -> anyhow::Result<bool> {
    match admin.post(&format!("events/{}/replay", segment(id)), body).await {
        Ok(answer) if json => print(&answer.to_string()),
        Ok(answer) => {
            let routes: Vec<_> = answer["routes"].as_array().into_iter().flatten().map(cell).collect();
            print(&format!("{id}: replay {} through {}", answer["generation"], routes.join(", ")));
        }
        Err(error) => return refused(id, error),
    }
    Ok(false)
}

/// Finds them all first: so the question names a number, and the oldest goes first.
async fn replay_filtered(options: &Replay) -> anyhow::Result<ExitCode> {
    let admin = AdminSide::open(&options.admin)?;
    let mut found = Vec::new();
    let progress = Progress::new("found");
    admin
        .each("events", &options.filter.query(), usize::MAX, |event| {
            found.push(cell(&event["id"]));
            progress.at(found.len(), None);
        })
        .await?;
    drop(progress);
    found.reverse();
    if !found.is_empty() && !confirm(&format!("Replay {} event(s)?", found.len()), options.yes)? {
        say("nothing was replayed");
        return Ok(ExitCode::FAILURE);
    }
    let (mut replayed, mut no_route, mut not_found) = (0, 0, 0);
    let progress = Progress::new("replayed");
    for part in found.chunks(AT_ONCE) {
        let mut body = json!({ "events": part });
        if !options.routes.is_empty() {
            body["routes"] = json!(options.routes);
        }
        let answer = match admin.post("replay", &body).await {
            Ok(answer) => answer,
            Err(error) => {
                drop(progress);
                let next = part.first().map_or("", String::as_str);
                say(&format!("{replayed} of {} event(s) were replayed; the next is {next}", found.len()));
                return Err(error);
            }
        };
        let count = |key: &str| answer[key].as_u64().unwrap_or(0);
        replayed += count("replayed");
        no_route += count("no_route");
        not_found += count("not_found");
        progress.at(usize::try_from(replayed).unwrap_or(usize::MAX), Some(found.len()));
    }
    drop(progress);
    if options.admin.json {
        let counts = json!({
            "found": found.len(), "replayed": replayed, "no_route": no_route, "not_found": not_found,
        });
        print(&counts.to_string());
    } else {
        print(&format!("{replayed} of {} event(s) replayed", found.len()));
    }
    if no_route > 0 {
        say(&format!("{no_route} event(s) are taken by no route now"));
    }
    if not_found > 0 {
        say(&format!("{not_found} event(s) are gone meanwhile"));
    }
    Ok(if no_route + not_found > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

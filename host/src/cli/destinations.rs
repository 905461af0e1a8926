//! `hookloom destinations`: list, pause and resume, through the admin API.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::admin_side::{self, AdminSide, segment};
use super::ask::ids;
use super::events::refused;
use super::table::{Table, cell};
use super::{block_on, print};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List destinations and how they stand
    List(List),
    /// Keep deliveries of destinations back until they are resumed
    Pause(Change),
    /// Send deliveries of destinations again, whatever kept them back
    Resume(Change),
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    admin: admin_side::Options,
}

#[derive(Debug, clap::Args)]
pub(super) struct Change {
    /// Their names; - reads them from stdin
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    admin: admin_side::Options,
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    block_on(async {
        match command {
            Command::List(options) => list(options).await,
            Command::Pause(options) => change(options, "pause").await,
            Command::Resume(options) => change(options, "resume").await,
        }
    })?
}

async fn list(options: &List) -> anyhow::Result<ExitCode> {
    let answer = AdminSide::open(&options.admin)?.get("destinations", &[]).await?;
    let mut table = Table::new(&["NAME", "STATE", "PENDING", "URL", "WHY"]);
    for destination in answer["items"].as_array().into_iter().flatten() {
        if options.admin.json {
            print(&destination.to_string());
            continue;
        }
        let why = match &destination["disabled"]["reason"] {
            Value::Null => cell(&destination["standing"]["last_failure"]),
            reason => cell(reason),
        };
        let [name, pending, url] = ["name", "pending", "url"].map(|key| cell(&destination[key]));
        let state = match state(destination) {
            "enabled" => destination["standing"]["state"].as_str().filter(|state| *state != "ok"),
            commanded => Some(commanded),
        };
        table.row([name, state.unwrap_or("enabled").to_owned(), pending, url, why]);
    }
    if !options.admin.json {
        print(&table.render());
    }
    Ok(ExitCode::SUCCESS)
}

/// What is configured and commanded, in a word.
fn state(destination: &Value) -> &'static str {
    if destination["configured"] == json!(false) {
        "not configured"
    } else if !destination["disabled"].is_null() {
        "disabled"
    } else if !destination["paused_at"].is_null() {
        "paused"
    } else {
        "enabled"
    }
}

async fn change(options: &Change, verb: &str) -> anyhow::Result<ExitCode> {
    let admin = AdminSide::open(&options.admin)?;
    let mut failed = false;
    for name in ids(&options.names)? {
        match admin.post(&format!("destinations/{}/{verb}", segment(&name)), &json!({})).await {
            Ok(answer) if options.admin.json => print(&answer.to_string()),
            Ok(answer) => print(&format!("{name}: {}, {} pending", state(&answer), answer["pending"])),
            Err(error) => failed |= refused(&name, error)?,
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

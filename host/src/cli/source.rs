//! `hookloom source`: lets a provider hand over its secret in a handshake, and forgets
//! what was handed over.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::admin_side::{self, AdminSide, segment};
use super::table::cell;
use super::{block_on, print, say};

/// Between two questions whether the handshake came.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Beyond the window's own time, until a gateway is given up that never says it is over.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Wait for the handshake in which a provider hands over its secret (Asana, Notion)
    Arm(Arm),
    /// Drop every secret that was handed over; events signed by them are refused from then on
    Forget(Forget),
}

#[derive(Debug, clap::Args)]
pub(super) struct Arm {
    /// The source's name
    name: String,
    /// How long to wait; whoever comes first has the source's key
    #[arg(long = "for", default_value = "10m", value_parser = humantime::parse_duration)]
    span: Duration,
    #[command(flatten)]
    admin: admin_side::Options,
}

#[derive(Debug, clap::Args)]
pub(super) struct Forget {
    /// The source's name
    name: String,
    #[command(flatten)]
    admin: admin_side::Options,
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    block_on(async {
        match command {
            Command::Arm(options) => arm(options).await,
            Command::Forget(options) => forget(options).await,
        }
    })?
}

async fn arm(options: &Arm) -> anyhow::Result<ExitCode> {
    let admin = AdminSide::open(&options.admin)?;
    let path = format!("sources/{}/arm", segment(&options.name));
    let span = humantime::format_duration(options.span).to_string();
    let armed = admin.post(&path, &json!({ "for": span })).await?;
    let (name, until) = (&options.name, cell(&armed["armed_until"]));
    say(&format!("{name} waits for its handshake until {until}: create the webhook at the provider now"));
    let ticket = armed["ticket"].as_str().unwrap_or_default();
    let came = tokio::time::timeout(options.span.saturating_add(PATIENCE), end(&admin, &path, ticket)).await;
    let Ok(came) = came else { anyhow::bail!("{name}: the gateway does not say what came of it") };
    let came = came?;
    if came["state"] != json!("learnt") {
        anyhow::bail!("{name}: nobody came within {span}; the window is closed, and nothing has changed");
    }
    if options.admin.json {
        print(&came.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("{name} has learnt its secret; it is stored, and in force"));
    if let Some(secret) = came["secret"].as_str() {
        say("paste this into the provider's form now; it is not shown again:");
        print(secret);
    }
    Ok(ExitCode::SUCCESS)
}

/// The window once it is not open any more.
async fn end(admin: &AdminSide, path: &str, ticket: &str) -> anyhow::Result<Value> {
    let mut pulse = tokio::time::interval(ASK_EVERY);
    loop {
        pulse.tick().await;
        let window = admin.get(path, &[("ticket", Some(ticket))]).await?;
        if window["state"] != json!("open") {
            return Ok(window);
        }
    }
}

async fn forget(options: &Forget) -> anyhow::Result<ExitCode> {
    let admin = AdminSide::open(&options.admin)?;
    let answer = admin.post(&format!("sources/{}/forget", segment(&options.name)), &json!({})).await?;
    if options.admin.json {
        print(&answer.to_string());
    } else {
        print(&format!("{}: {} forgotten", options.name, answer["forgotten"]));
    }
    Ok(ExitCode::SUCCESS)
}

//! `hookloom demo`: a gateway with the example plugins and two local receivers, and
//! real signed webhooks of several providers on their way through it.

mod examples;
mod receiver;
mod setting;
mod story;

use std::process::ExitCode;

use anyhow::Context as _;

use super::{block_on, print, say, signing_secret};
use crate::app::{App, Surroundings};
use crate::config::Config;
use crate::telemetry;

use receiver::Receiver;
use setting::Setting;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// End after the show: exit 0 if every event arrived as it should
    #[arg(long)]
    once: bool,
    /// Keep what it writes in this folder instead of a temporary one
    #[arg(long)]
    dir: Option<std::path::PathBuf>,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    // Errors only: the story says the rest.
    telemetry::start("error", false);
    let temporary = tempfile::Builder::new().prefix("hookloom-demo-").tempdir()?;
    let folder = options.dir.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder.join("plugins"))?;
    say("Building the example plugins (the first time takes about a minute)…");
    examples::build(folder).context("the example plugins cannot be built")?;
    let arrived = block_on(show(folder, options.once))??;
    Ok(if arrived { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Plays the story; whether everything went as it should.
async fn show(folder: &std::path::Path, once: bool) -> anyhow::Result<bool> {
    let surroundings = Surroundings::system();
    let random = &surroundings.random;
    let crm = Receiver::start("crm", signing_secret(random), 1).await?;
    let chat = Receiver::start("chat", signing_secret(random), 0).await?;
    let setting =
        Setting { folder, crm: &crm, chat: &chat, secret: hex::encode(random.bits().to_be_bytes()) };
    setting.write(
        if once { "127.0.0.1:0" } else { "127.0.0.1:8080" },
        if once { "127.0.0.1:0" } else { "127.0.0.1:8081" },
    )?;
    let config = Config::load(&setting.file())?;
    let app = match App::start(config, surroundings.clone()).await {
        Ok(app) => app,
        Err(error) if !once => {
            say(&format!("{error:#}; taking free ports instead"));
            setting.write("127.0.0.1:0", "127.0.0.1:0")?;
            App::start(Config::load(&setting.file())?, surroundings).await?
        }
        Err(error) => return Err(error),
    };
    let (listen, admin, shutdown) = (app.listen, app.admin_listen, app.shutdown.clone());
    let running = tokio::spawn(app.run());
    let config = Config::load(&setting.file())?;
    let told = story::tell(&config, listen, admin, &crm, &chat).await;
    let arrived = match &told {
        Ok(arrived) => *arrived,
        Err(error) => {
            say(&format!("error: {error:#}"));
            false
        }
    };
    if !once {
        print(&try_next(&setting, listen, admin));
        tokio::signal::ctrl_c().await?;
    }
    shutdown.soft.cancel();
    running.await??;
    Ok(arrived)
}

fn try_next(setting: &Setting<'_>, listen: std::net::SocketAddr, admin: std::net::SocketAddr) -> String {
    format!(
        "\
The gateway goes on serving; Ctrl-C ends it. Try next, in another terminal:

  hookloom send github --type issues.closed -c {config} --url http://{listen}/in/github
  curl -s http://{admin}/api/v1/plugins
  curl -s 'http://{admin}/api/v1/deliveries?status=delivered'
  curl -s http://{admin}/metrics

Its configuration is {config}: change it while it runs.",
        config = setting.file().display()
    )
}

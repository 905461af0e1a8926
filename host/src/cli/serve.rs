//! `hookloom serve`.

use std::path::Path;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::{runtime, say};
use crate::app::{App, Surroundings};
use crate::config::Config;
use crate::plugin::Compiler;
use crate::telemetry;

pub(super) fn run(file: &Path) -> anyhow::Result<ExitCode> {
    let mut config = match Config::load(file) {
        Ok(config) => config,
        Err(problems) => {
            say(&format!("{problems}"));
            return Ok(ExitCode::FAILURE);
        }
    };
    telemetry::start(&config.log.level, config.log.json);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    config.plugins.compiler = Compiler::this_program();
    let runtime = runtime()?;
    let served = runtime.block_on(serve(config));
    // What still compiles is of no use any more, and nobody waits for it.
    runtime.shutdown_background();
    served?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let protocol = super::protocol(config.server.tls.is_some());
    let app = App::start(config, Surroundings::system()).await?;
    tracing::info!("webhooks come in at {protocol}://{}/in/SOURCE", app.listen);
    tracing::info!("health, metrics and API are at http://{}", app.admin_listen);
    let shutdown = app.shutdown.clone();
    let reload = app.reload_handle();
    let signals = tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => shutdown.escalate(),
                _ = interrupt.recv() => shutdown.escalate(),
                _ = hang_up.recv() => {
                    // Beside: it may compile for long, and a stop does not wait for that.
                    tokio::spawn(reload());
                    continue;
                }
            }
            if shutdown.hard.is_cancelled() {
                tracing::info!("stopping at once");
            } else {
                tracing::info!("stopping; a second signal hurries");
            }
        }
    });
    let result = app.run().await;
    signals.abort();
    if result.is_ok() {
        tracing::info!("stopped");
    }
    result
}

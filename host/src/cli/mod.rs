//! The command line: what there is, and one file a command.
//!
//! Data goes to stdout, logs and progress to stderr. Exit codes: 0 done, 1 the thing
//! asked about failed, 2 usage.

mod admin_side;
mod ask;
mod backup;
mod check;
mod compile_plugin;
mod deliveries;
mod demo;
mod destinations;
mod events;
mod export;
mod init;
mod listen;
mod plugin;
mod providers;
mod records;
mod samples;
mod send;
mod serve;
mod source;
mod style;
mod table;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::{Parser, Subcommand};

use crate::clock::Random;

#[derive(Debug, Parser)]
#[command(name = "hookloom", version, about = "A self-hosted webhook gateway", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway; SIGTERM drains and exits 0, SIGHUP reloads
    Serve(ConfigFile),
    /// Validate configuration, secrets, plugins and store
    Check(ConfigFile),
    /// Show a gateway at work: real signed webhooks on their way through it
    Demo(demo::Options),
    /// Write a configuration, a plugins folder and a first plugin
    Init(init::Options),
    /// Sign a webhook as a source's provider would, and post it
    Send(send::Options),
    /// Receive deliveries, verify and print them
    Listen(listen::Options),
    /// Judge recorded requests
    Verify(verify::Options),
    /// List the providers that there are presets for, or explain one
    Providers(providers::Options),
    /// List, show, replay and export events of a running gateway
    #[command(subcommand)]
    Events(events::Command),
    /// List, show, retry, cancel and replay deliveries of a running gateway
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    /// List, pause and resume destinations of a running gateway
    #[command(subcommand)]
    Destinations(destinations::Command),
    /// Let a provider hand over its secret in a handshake
    #[command(subcommand)]
    Source(source::Command),
    Backup(backup::Options),
    /// Work on plugins
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Show what can be configured
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Compile one plugin from stdin to stdout, for the gateway
    #[command(name = crate::plugin::COMPILE_COMMAND, hide = true)]
    CompilePlugin(compile_plugin::Options),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Every setting with its default, commented
    Default,
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(short, long, default_value = "hookloom.toml")]
    config: PathBuf,
}

/// Parses the command line, runs the command, and says what came of it.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Serve(file) => serve::run(&file.config),
        Command::Check(file) => check::run(&file.config),
        Command::Demo(options) => demo::run(&options),
        Command::Init(options) => init::run(&options),
        Command::Send(options) => send::run(&options),
        Command::Listen(options) => listen::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Providers(options) => providers::run(&options),
        Command::Events(command) => events::run(&command),
        Command::Deliveries(command) => deliveries::run(&command),
        Command::Destinations(command) => destinations::run(&command),
        Command::Source(command) => source::run(&command),
        Command::Backup(options) => backup::run(&options),
        Command::Plugin(command) => plugin::run(&command),
        Command::Config(ConfigCommand::Default) => {
            print(crate::config::DEFAULTS);
            Ok(ExitCode::SUCCESS)
        }
        Command::CompilePlugin(options) => compile_plugin::run(&options),
    };
    result.unwrap_or_else(|error| {
        say(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

/// Data, for whoever reads stdout. A reader that went away is not an error.
fn print(text: &str) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    let _ = write!(stdout, "{text}{newline}").and_then(|()| stdout.flush());
}

/// Progress and errors, for whoever watches.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// What the front door speaks.
const fn protocol(has_tls: bool) -> &'static str {
    if has_tls { "https" } else { "http" }
}

/// A fresh `whsec_…` of 32 bytes.
fn signing_secret(random: &Random) -> String {
    let mut key = [0; 32];
    random.fill(&mut key);
    format!("whsec_{}", BASE64_STANDARD.encode(key))
}

/// Runs a command to its end, and what it began on other threads.
fn block_on<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    Ok(runtime()?.block_on(future))
}

/// The runtime of a command.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_options_of_every_command_fit_together() {
        Arguments::command().debug_assert();
    }
}

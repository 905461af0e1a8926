//! `hookloom plugin`: what an author does with a plugin, one file a command.

mod bench;
pub(super) mod build;
mod changes;
mod check;
mod diff;
mod event_file;
mod expect;
mod figures;
mod fixture;
mod lang;
mod log_lines;
mod memory_state;
pub(super) mod new;
mod node;
mod room;
mod run;
pub(super) mod sdk_bundle;
mod test;
mod trial;
mod update;

use std::process::ExitCode;

use crate::plugin::{self, Plugin};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Write a new plugin
    New(new::Arguments),
    /// Build plugins into the plugins folder
    Build(build::Arguments),
    /// Show what a component is, and whether the gateway would take it
    Check(check::Arguments),
    /// Call a component for an event, and show what it makes of it
    Run(run::Arguments),
    /// Hold a plugin against its fixtures, on the gateway's engine and within its limits
    Test(test::Arguments),
    /// Measure what a call costs, in a fresh instance and in one that is there
    Bench(bench::Arguments),
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::New(arguments) => new::main(arguments),
        Command::Build(arguments) => build::main(arguments),
        Command::Check(arguments) => Ok(check::main(arguments)),
        Command::Run(arguments) => run::main(arguments),
        Command::Test(arguments) => test::main(arguments),
        Command::Bench(arguments) => bench::main(arguments),
    }
}

/// Under which key a fixture expects a drop of this plugin.
fn drop_key(plugin: &Plugin) -> &'static str {
    if plugin.exports().iter().any(|export| export == "transform") { "outcome" } else { "verdict" }
}

/// The imports that need a grant, by the interface's name.
fn needs_grant(imports: &[String]) -> Vec<&'static str> {
    imports.iter().filter_map(|import| plugin::needs_grant(import)).collect()
}

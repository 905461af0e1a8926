//! `hookloom plugin run`: one call for an event, and what it made of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use bytes::Bytes;
use serde_json::{Value, json};

use super::fixture::{self, Fixture};
use super::node::Node;
use super::room::{self, Room};
use super::trial::{self, Trial};
use super::{changes, drop_key};
use crate::cli::print;
use crate::cli::style::Style;
use crate::clock::Clock;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The component
    #[arg(value_name = "X.wasm")]
    wasm: PathBuf,
    #[command(flatten)]
    events: Events,
    /// What the plugin's kv holds before: a JSON object
    #[arg(long, value_name = "FILE.json")]
    kv: Option<PathBuf>,
    #[command(flatten)]
    room: room::Options,
    /// One JSON object a call
    #[arg(long)]
    json: bool,
}

/// What a plugin is called with.
#[derive(Debug, clap::Args)]
pub(super) struct Events {
    /// An event file, a fixture, or a folder of them; may be repeated
    #[arg(long = "event", value_name = "FILE.json", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// The step's configuration, in a file or as JSON; a fixture's own by default
    #[arg(long, value_name = "FILE.json|JSON")]
    config: Option<String>,
}

impl Events {
    /// Every event that is named, with its configuration.
    pub(super) fn read(&self) -> anyhow::Result<Vec<Fixture>> {
        let mut all = Vec::new();
        for file in &self.files {
            if file.is_dir() {
                let found = fixture::read_folder(file)?;
                anyhow::ensure!(!found.is_empty(), "{} holds no event (*.json)", file.display());
                all.extend(found);
            } else {
                all.extend(fixture::read(file)?);
            }
        }
        if let Some(config) = &self.config {
            let config = config_text(config)?;
            for one in &mut all {
                one.input.config.clone_from(&config);
            }
        }
        Ok(all)
    }
}

pub(in crate::cli) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let state = arguments.kv.as_deref().map(read_kv).transpose()?;
    let mut events = arguments.events.read()?;
    let room = Room::open(&arguments.wasm, &arguments.room)?;
    let style = Style::of_stdout();
    let clock = Clock::system();
    let mut all_answered = true;
    for event in &mut events {
        if let Some(state) = &state {
            event.input.state.clone_from(state);
        }
        let now = event.input.now.unwrap_or_else(|| clock.now());
        let plugin = room.plugin(now, &event.input.secrets)?;
        let trial = trial::run(&plugin, &event.input);
        all_answered &= trial.answered();
        if arguments.json {
            print(&as_json(event, &trial, &plugin).to_string());
        } else {
            print(&changes::render(&event.name(), &event.input, &trial, style));
        }
    }
    Ok(if all_answered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(event: &Fixture, trial: &Trial, plugin: &crate::plugin::Plugin) -> Value {
    let mut all = json!({
        "event": event.name(),
        "plugin": plugin.name(),
        "digest": plugin.digest(),
        "verdict": trial.call.verdict,
        "reason": trial.call.reason,
    });
    let answer = trial.as_expected(drop_key(plugin), false, &event.input);
    all["messages"] = answer["messages"].clone();
    all["state"] = answer["state"].clone();
    all["log"] = json!(trial.log);
    all["log_dropped"] = json!(trial.call.log_dropped);
    all["micros"] = json!(trial.call.took.as_micros());
    all["memory"] = json!(trial.call.memory);
    all
}

/// JSON as it stands, or the text of a file that holds it.
fn config_text(given: &str) -> anyhow::Result<String> {
    let inline = given.trim_start().starts_with(['{', '[', '"']);
    let text = if inline {
        given.to_owned()
    } else {
        fs::read_to_string(given).with_context(|| format!("{given} cannot be read"))?
    };
    let place = if inline { "--config" } else { given };
    let value: Value = serde_json::from_str(&text).with_context(|| format!("{place} is no JSON"))?;
    Ok(value.to_string())
}

fn read_kv(file: &Path) -> anyhow::Result<BTreeMap<String, Bytes>> {
    let text = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let value: Value =
        serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    fixture::read_state(&Node::top(&value))
        .map_err(|message| anyhow::anyhow!("{}: {message}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_json_or_a_file_of_it() {
        assert_eq!(config_text(r#" {"a": [1]}"#).unwrap(), r#"{"a":[1]}"#);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.json");
        fs::write(&file, "null").unwrap();
        assert_eq!(config_text(file.to_str().unwrap()).unwrap(), "null");
        assert!(format!("{:#}", config_text("{").unwrap_err()).starts_with("--config is no JSON: EOF"));
        assert!(config_text("missing.json").unwrap_err().to_string().contains("missing.json cannot be read"));
    }
}

//! `hookloom plugin check`: what a component is, and whether the gateway would take it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::figures::bytes;
use super::needs_grant;
use super::room::{self, Room};
use crate::cli::style::Style;
use crate::cli::table::plain;
use crate::cli::{print, say};
use crate::config::Config;
use crate::plugin::{Grants, ServingStatus};

/// Width of the names before what they name.
const NAMES: usize = 12;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Components
    #[arg(value_name = "X.wasm", required = true)]
    wasm: Vec<PathBuf>,
    #[command(flatten)]
    room: room::Options,
    /// One JSON object a component
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Debug)]
struct Found {
    name: String,
    status: ServingStatus,
    /// Imports that need a grant, and whether the configuration has one; `None`: there is
    /// no configuration.
    grants: Vec<(String, Option<bool>)>,
    /// Linear memory that it may have, in bytes.
    memory_limit: usize,
    uses: Vec<Use>,
}

/// A place of the configuration that names the plugin.
#[derive(Debug)]
struct Use {
    /// For people: `route "orders"`.
    place: String,
    config: String,
    /// Why the plugin cannot do what it is asked there, or does not take its configuration.
    refusal: Option<String>,
}

pub(in crate::cli) fn main(arguments: &Arguments) -> ExitCode {
    let mut fine = true;
    for wasm in &arguments.wasm {
        let found = Room::open(wasm, &arguments.room).and_then(|room| look(&room));
        fine &= found.as_ref().is_ok_and(Found::is_fine);
        match found {
            Ok(found) if arguments.json => print(&found.as_json(wasm).to_string()),
            Ok(found) => print(&found.render(Style::of_stdout())),
            Err(error) if arguments.json => {
                print(&json!({ "file": wasm, "ok": false, "error": format!("{error:#}") }).to_string());
            }
            Err(error) => say(&format!("error: {error:#}")),
        }
    }
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn look(room: &Room) -> anyhow::Result<Found> {
    let status = room.status()?;
    let policy = room.policy();
    let granted = |kind: &str| room.config.is_some().then(|| has(&policy.grants, kind));
    let grants =
        needs_grant(&status.imports).into_iter().map(|kind| (kind.to_owned(), granted(kind))).collect();
    let uses = room.config.iter().flat_map(Config::plugin_uses);
    let uses = uses.filter(|used| used.named.plugin == room.name()).map(|used| Use {
        refusal: match used.asks.missing_in(&status.exports) {
            Some(missing) => Some(format!("exports {missing}")),
            None => room.check_config(&used.named.config).err(),
        },
        place: used.place,
        config: used.named.config,
    });
    let uses = uses.collect();
    Ok(Found { name: room.name().to_owned(), grants, memory_limit: policy.limits.memory, uses, status })
}

fn has(grants: &Grants, kind: &str) -> bool {
    match kind {
        "kv" => grants.kv,
        "secrets" => !grants.secrets.is_empty(),
        _ => !grants.reveal.is_empty(),
    }
}

impl Found {
    fn is_fine(&self) -> bool {
        self.uses.iter().all(|used| used.refusal.is_none())
    }

    fn render(&self, style: Style) -> String {
        let status = &self.status;
        let word = if self.is_fine() { "ok" } else { "refused" };
        let mut text = format!("{}  {}\n", self.name, style.state(word));
        let mut line = |name: &str, value: &str| {
            // Writing to a `String` does not fail.
            let _ = writeln!(text, "  {name:<NAMES$}{value}");
        };
        line("says", &plain(&format!("{} {}: {}", status.title, status.version, status.description)));
        line("contract", &status.contract);
        line("exports", &status.exports.join(", "));
        let (ours, others) = imports(&status.imports);
        line(
            "imports",
            &if ours.is_empty() { "nothing of the contract".to_owned() } else { ours.join(", ") },
        );
        if others > 0 {
            line("", &style.faint(&format!("{others} of WASI, through which nothing is granted")));
        }
        for (kind, granted) in &self.grants {
            line("grant", &grant(&self.name, kind, *granted, style));
        }
        line("reads", &reads(status));
        let compiled =
            if status.cached { String::new() } else { format!(", compiled in {} ms", status.compile_ms) };
        line("size", &format!("{}{compiled}", bytes(status.size)));
        let limit = bytes(self.memory_limit as u64);
        line("memory", &format!("{} to start with, of {limit}", bytes(status.memory)));
        if let Some(schema) = &status.config_schema {
            line("config", &plain(&one_line(schema)));
        }
        for used in &self.uses {
            let verdict = match &used.refusal {
                None => style.state("accepted"),
                Some(refusal) => format!("{}: {}", style.state("refused"), plain(refusal)),
            };
            line("used", &format!("by {}, config {}: {verdict}", used.place, plain(&used.config)));
        }
        text
    }

    fn as_json(&self, file: &Path) -> Value {
        let mut all = json!(self.status);
        let uses = self.uses.iter().map(|used| {
            let config: Value = serde_json::from_str(&used.config).unwrap_or_default();
            json!({ "place": used.place, "config": config, "refusal": used.refusal })
        });
        all["file"] = json!(file);
        all["name"] = json!(self.name);
        all["ok"] = json!(self.is_fine());
        all["grants"] =
            self.grants.iter().map(|(kind, granted)| json!({ "kind": kind, "granted": granted })).collect();
        all["memory_limit"] = json!(self.memory_limit);
        all["uses"] = uses.collect();
        all
    }
}

/// The interfaces of the contract that it imports, and how many others.
fn imports(all: &[String]) -> (Vec<&str>, usize) {
    let ours =
        all.iter().filter_map(|import| Some(import.strip_prefix("hookloom:plugin/")?.split_once('@')?.0));
    // Types are no capability.
    let ours: Vec<_> = ours.filter(|name| *name != "types").collect();
    let others = all.iter().filter(|import| !import.starts_with("hookloom:plugin/")).count();
    (ours, others)
}

fn grant(plugin: &str, kind: &str, granted: Option<bool>, style: Style) -> String {
    let wanted = if kind == "kv" { "kv".to_owned() } else { format!("{kind}:NAME") };
    match granted {
        Some(true) => format!("{kind}: {}", style.good("granted")),
        Some(false) => format!(
            "{kind}: {}, add grants = [\"{wanted}\"] under [plugin.{plugin}]",
            style.bad("not granted")
        ),
        None => format!("{kind}: needs grants = [\"{wanted}\"] under [plugin.{plugin}]"),
    }
}

fn reads(status: &ServingStatus) -> String {
    let headers = match status.header_names.as_deref() {
        None => "all headers".to_owned(),
        Some([]) => "no headers".to_owned(),
        Some(names) => format!("the headers {}", plain(&names.join(", "))),
    };
    format!("{}, {headers}", if status.needs_body { "the body" } else { "no body" })
}

/// A schema without its line breaks.
fn one_line(schema: &str) -> String {
    serde_json::from_str::<Value>(schema).map_or_else(|_| schema.to_owned(), |schema| schema.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Found {
        let import = |name: &str| format!("hookloom:plugin/{name}@0.1.0");
        Found {
            name: "enrich".into(),
            status: ServingStatus {
                digest: "d".into(),
                contract: "0.1.0".into(),
                title: "Enrich".into(),
                version: "1.2.3".into(),
                description: "Adds".into(),
                config_schema: Some("{\n \"type\": \"object\" }".into()),
                needs_body: false,
                header_names: Some(vec!["x-a".into()]),
                exports: vec!["filter".into(), "transform".into()],
                imports: vec![import("types"), import("log"), import("kv"), "wasi:cli/exit@0.2.6".into()],
                size: 2048,
                memory: 1 << 20,
                compile_ms: 12,
                cached: false,
                loaded_at: 0,
            },
            grants: vec![("kv".into(), None)],
            memory_limit: 64 << 20,
            uses: vec![],
        }
    }

    #[test]
    fn everything_an_operator_asks_is_said() {
        let expected = "\
enrich  ok
  says        Enrich 1.2.3: Adds
  contract    0.1.0
  exports     filter, transform
  imports     log, kv
              1 of WASI, through which nothing is granted
  grant       kv: needs grants = [\"kv\"] under [plugin.enrich]
  reads       no body, the headers x-a
  size        2.0 KiB, compiled in 12 ms
  memory      1.0 MiB to start with, of 64.0 MiB
  config      {\"type\":\"object\"}
";
        assert_eq!(found().render(Style::PLAIN), expected);
    }

    #[test]
    fn a_use_that_is_refused_is_not_fine() {
        let used = |refusal: Option<&str>| Use {
            place: "route \"r\"".into(),
            config: "null".into(),
            refusal: refusal.map(str::to_owned),
        };
        let mut found = found();
        found.uses = vec![used(None)];
        assert!(found.is_fine());
        found.uses.push(used(Some("no paths")));
        assert!(!found.is_fine());
        let text = found.render(Style::PLAIN);
        assert!(text.starts_with("enrich  refused\n"), "{text}");
        assert!(text.contains("  used        by route \"r\", config null: refused: no paths\n"), "{text}");
    }

    #[test]
    fn grants_are_held_against_the_configuration() {
        let say = |kind, granted| grant("p", kind, granted, Style::PLAIN);
        assert_eq!(say("kv", Some(true)), "kv: granted");
        assert_eq!(
            say("secrets", Some(false)),
            "secrets: not granted, add grants = [\"secrets:NAME\"] under [plugin.p]"
        );
    }
}

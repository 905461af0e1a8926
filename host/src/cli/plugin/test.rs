//! `hookloom plugin test`: fixtures on the production engine, within the production
//! limits.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use tempfile::TempDir;

use super::build::{self, BuildOptions};
use super::expect::Difference;
use super::fixture::{self, Fixture, NOW};
use super::room::{self, Room};
use super::trial::{self, Trial};
use super::{diff, drop_key, update};
use crate::cli::style::Style;
use crate::cli::table::plain;
use crate::cli::{print, say};
use crate::plugin::{Plugin, normalize};

/// Before what belongs to a fixture's line.
const INDENT: &str = "        ";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Plugins to test: a plugin's folder, or its name in the plugins folder, which is built
    /// first, or a component; the plugin here by default
    #[arg(value_name = "DIR|X.wasm")]
    plugins: Vec<PathBuf>,
    /// The folder of fixtures, or a file of them; by default `fixtures` in the plugin's
    /// folder, and for NAME.wasm those in `NAME/fixtures` or `fixtures` beside it
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
    /// Write what the calls came to into the fixtures that differ
    #[arg(long)]
    update: bool,
    /// Use what was downloaded before, and nothing else, when building
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    room: room::Options,
    /// One JSON object a fixture
    #[arg(long)]
    json: bool,
}

/// Where a plugin is.
#[derive(Debug)]
enum Place {
    /// As a component.
    Component(PathBuf),
    /// As what one is built of.
    Folder(PathBuf),
}

/// How fixtures went.
#[derive(Debug, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    updated: usize,
}

pub(in crate::cli) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut tally = Tally::default();
    let named: Vec<_> = arguments.plugins.iter().map(|plugin| Some(plugin.as_path())).collect();
    for plugin in if named.is_empty() { vec![None] } else { named } {
        let built = TempDir::new().context("no place for the component")?;
        let place = Place::of(plugin)?;
        let fixtures = fixtures(&place.fixtures(), arguments.fixtures.as_deref())?;
        let wasm = place.component(built.path(), arguments)?;
        let room = Room::open(&wasm, &arguments.room)?;
        if !arguments.json {
            print(&format!("{}, {} fixture(s){}", room.name(), fixtures.len(), policy(&room)?));
        }
        for fixture in &fixtures {
            one(fixture, &room, arguments, &mut tally)?;
        }
    }
    let Tally { passed, failed, updated } = tally;
    if arguments.json {
        print(&json!({ "passed": passed, "failed": failed, "updated": updated }).to_string());
    } else {
        let also = if updated > 0 { format!(", {updated} updated") } else { String::new() };
        print(&format!("{passed} passed, {failed} failed{also}"));
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Place {
    /// What is named, or the folder that the command stands in.
    fn of(plugin: Option<&Path>) -> anyhow::Result<Self> {
        match plugin {
            Some(wasm) if wasm.extension().is_some_and(|extension| extension == "wasm") => {
                Ok(Self::Component(wasm.to_owned()))
            }
            plugin => build::find_plugin(plugin, Path::new("plugins")).map(Self::Folder),
        }
    }

    /// Where its fixtures may be.
    fn fixtures(&self) -> Vec<PathBuf> {
        match self {
            Self::Folder(folder) => vec![folder.join("fixtures")],
            Self::Component(wasm) => {
                let stem = wasm.file_stem().unwrap_or_default().to_string_lossy();
                let folders = [stem.to_string(), normalize(&stem)];
                let folders = folders.map(|name| wasm.with_file_name(name).join("fixtures"));
                folders.into_iter().chain([wasm.with_file_name("fixtures")]).collect()
            }
        }
    }

    /// The component; a folder's is built into `out`. Not into the plugins folder: what a
    /// gateway takes up has passed its tests.
    fn component(&self, out: &Path, arguments: &Arguments) -> anyhow::Result<PathBuf> {
        let folder = match self {
            Self::Component(wasm) => return Ok(wasm.clone()),
            Self::Folder(folder) => folder,
        };
        let options = BuildOptions {
            crates: vec![folder.clone()],
            out: out.to_owned(),
            offline: arguments.offline,
            quiet: arguments.json,
        };
        let built = build::build(&options)?.into_iter().next();
        Ok(built.with_context(|| format!("{} makes no component", folder.display()))?.path)
    }
}

fn fixtures(folders: &[PathBuf], given: Option<&Path>) -> anyhow::Result<Vec<Fixture>> {
    let folder = given.or_else(|| folders.iter().map(PathBuf::as_path).find(|folder| folder.is_dir()));
    let found = match folder {
        Some(file) if file.is_file() => fixture::read(file)?,
        Some(folder) => fixture::read_folder(folder)?,
        None => Vec::new(),
    };
    let place = folder.or(folders.first().map(PathBuf::as_path)).unwrap_or(Path::new("fixtures")).display();
    anyhow::ensure!(
        !found.is_empty(),
        "no fixtures in {place}\n    help: write one, {{\"event\": {{…}}, \"expect\": {{…}}}}, or export an event of a \
         gateway: hookloom events export ID --out {place}"
    );
    Ok(found)
}

/// Says what was granted for want of a configuration, where that matters.
fn policy(room: &Room) -> anyhow::Result<String> {
    let granted = super::needs_grant(&room.status()?.imports).join(", ");
    Ok(if room.config.is_some() || granted.is_empty() {
        String::new()
    } else {
        format!(" ({granted}: granted here)")
    })
}

fn one(fixture: &Fixture, room: &Room, arguments: &Arguments, tally: &mut Tally) -> anyhow::Result<()> {
    let input = &fixture.input;
    let plugin = room.plugin(input.now.unwrap_or(NOW), &input.secrets)?;
    let trial = trial::run(&plugin, input);
    let differences = match &fixture.expect {
        Some(expect) => expect.compare(&input.event, &trial),
        None => vec![Difference {
            what: "nothing is expected: write `expect`, or let --update do it".to_owned(),
            texts: None,
        }],
    };
    let word = match (differences.is_empty(), arguments.update) {
        (true, _) => {
            tally.passed += 1;
            "ok"
        }
        (false, true) => {
            rewrite(fixture, &trial, &plugin)?;
            tally.updated += 1;
            "updated"
        }
        (false, false) => {
            tally.failed += 1;
            "FAILED"
        }
    };
    if arguments.json {
        print(&as_json(fixture, &trial, &plugin, word, &differences).to_string());
    } else {
        print(&report(&fixture.name(), &trial, word, &differences, Style::of_stdout()));
    }
    Ok(())
}

fn as_json(
    fixture: &Fixture,
    trial: &Trial,
    plugin: &Plugin,
    word: &str,
    differences: &[Difference],
) -> serde_json::Value {
    json!({
        "plugin": plugin.name(),
        "digest": plugin.digest(),
        "fixture": fixture.name(),
        "result": word.to_lowercase(),
        "differences": differences.iter().map(|difference| &difference.what).collect::<Vec<_>>(),
        "got": trial.as_expected(drop_key(plugin), true, &fixture.input),
        "micros": trial.call.took.as_micros(),
    })
}

/// A fixture's line, and below it what differs and what the plugin logged.
fn report(name: &str, trial: &Trial, word: &str, differences: &[Difference], style: Style) -> String {
    let mut text = format!("{}{}{name}\n", style.state(word), " ".repeat(INDENT.len() - word.len()));
    for Difference { what, texts } in differences {
        // Writing to a `String` does not fail.
        let _ = writeln!(text, "{INDENT}{}", plain(what));
        if let Some((expected, got)) = texts {
            let _ = writeln!(text, "{INDENT}{} {}", style.bad("- expected"), style.good("+ got"));
            text += &diff::lines(expected, got, INDENT, style);
        }
    }
    if !differences.is_empty() {
        for line in &trial.log {
            let said = plain(&format!("log {}: {}", line.level, line.message));
            let _ = writeln!(text, "{INDENT}{}", style.faint(&said));
        }
    }
    text
}

/// Writes what the call came to into the file.
fn rewrite(fixture: &Fixture, trial: &Trial, plugin: &Plugin) -> anyhow::Result<()> {
    let file = fixture.file.display();
    let with_reason = fixture.expect.as_ref().is_some_and(super::expect::Expect::has_reason);
    let expect = trial.as_expected(drop_key(plugin), with_reason, &fixture.input);
    let text = fs::read_to_string(&fixture.file).with_context(|| format!("{file} cannot be read"))?;
    anyhow::ensure!(
        !update::is_bare(&text, fixture.index),
        "{} is an event, which has no place for what is expected\n    help: make a fixture of it: {{\"event\": …}}",
        fixture.name()
    );
    let updated = update::with_expect(&text, fixture.index, &expect)
        .with_context(|| format!("{file} changed meanwhile"))?;
    fs::write(&fixture.file, updated).with_context(|| format!("{file} cannot be written"))?;
    if !trial.answered() {
        say(&format!("{}: it now expects an error; is that what should happen?", fixture.name()));
    }
    Ok(())
}

#[cfg(test)]
#[path = "test_tests.rs"]
mod tests;

//! `hookloom check`: configuration, secrets, plugins and store, without changing any.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use super::{print, say};
use crate::clock::{Clock, Random};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::plugin::{PluginHost, PluginSettings};
use crate::store::{SqliteStore, StoreError, StoreInspection};

pub(super) fn run(file: &Path) -> anyhow::Result<ExitCode> {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(problems) => {
            say(&format!("{problems}"));
            say(&format!("{} problem(s)", problems.0.len()));
            return Ok(ExitCode::FAILURE);
        }
    };
    for warning in &config.warnings {
        say(&format!("warning: {warning}"));
    }
    let mut problems = plugins(&config)?;
    problems.extend(store(&config));
    for problem in &problems {
        say(problem);
    }
    if !problems.is_empty() {
        say(&format!("{} problem(s)", problems.len()));
        return Ok(ExitCode::FAILURE);
    }
    print(&format!(
        "{}: {} source(s), {} route(s), {} destination(s): fine",
        file.display(),
        config.front_door.sources.len(),
        config.routes.len(),
        config.destinations.len()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Loads every plugin as `serve` would, and tries every step's configuration.
fn plugins(config: &Config) -> anyhow::Result<Vec<String>> {
    let (clock, metrics) = (Clock::system(), Arc::new(Metrics::new()));
    // Without the cache: a check beside a running gateway changes nothing of its.
    let settings = PluginSettings { cache_dir: None, ..config.plugins.clone() };
    let host = PluginHost::start(settings, clock, Random::system(), metrics)?;
    let report = host.scan(&config.step_configs());
    let mut problems: Vec<_> =
        report.problems.iter().map(|problem| format!("{}: {}", problem.plugin, problem.message)).collect();
    let loaded = host.plugins();
    let missing =
        config.step_configs().into_iter().map(|(plugin, _)| plugin).filter(|p| loaded.get(p).is_none());
    for plugin in missing.collect::<std::collections::BTreeSet<_>>() {
        if !report.problems.iter().any(|problem| problem.plugin == plugin) {
            problems.push(format!(
                "{}: a step names the plugin \"{plugin}\", and {} has no {plugin}.wasm\n    help: build it with `hookloom plugin build`; until then its runs are held",
                config.file.display(),
                config.plugins.dir.display()
            ));
        }
    }
    Ok(problems)
}

fn store(config: &Config) -> Option<String> {
    let path = &config.store.path;
    match SqliteStore::inspect(path) {
        Ok(found) => {
            for warning in held(config, &found) {
                say(&format!("warning: {warning}"));
            }
            None
        }
        Err(error @ StoreError::TooNew { .. }) => Some(format!("{}: {error}", path.display())),
        Err(error) => Some(format!("{}: the store cannot be read: {error}", path.display())),
    }
}

/// What waits in the store for a destination or a route that is not configured: it is
/// held until that is there again.
fn held(config: &Config, found: &StoreInspection) -> Vec<String> {
    let destinations = found
        .backlog
        .deliveries
        .iter()
        .filter(|(name, _)| !config.destinations.iter().any(|known| known.name == *name))
        .map(|(name, waiting)| (waiting, "deliveries wait for the destination", name));
    let routes = found
        .runs
        .iter()
        .filter(|(name, _)| !config.routes.contains_key(name))
        .map(|(name, waiting)| (waiting, "runs wait for the route", name));
    destinations
        .chain(routes)
        .map(|(waiting, what, name)| {
            format!("{waiting} {what} \"{name}\", which is not in the configuration: they are held")
        })
        .collect()
}

//! `hookloom check`: configuration, secrets, plugins and store, without changing any.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use super::{print, say};
use crate::app::refused_uses;
use crate::clock::{Clock, Random};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::plugin::{self, Compiler, PluginHost, PluginSettings, PluginStatus, ProblemKind};
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

/// Loads every plugin as `serve` would, and tries the configuration of every place that
/// names one.
fn plugins(config: &Config) -> anyhow::Result<Vec<String>> {
    let context = plugin::Context {
        clock: Clock::system(),
        random: Random::system(),
        metrics: Arc::new(Metrics::new()),
        state: Arc::new(plugin::NoState),
    };
    // Without the cache: a check beside a running gateway changes nothing of its.
    let settings =
        PluginSettings { cache_dir: None, compiler: Compiler::this_program(), ..config.plugins.clone() };
    let host = PluginHost::start(settings, context)?;
    let report = host.scan(&config.plugin_configs());
    for status in host.status() {
        grants(&status);
    }
    // Of a configuration that is refused, the place says more than the plugin.
    let of_files = report.problems.iter().filter(|problem| problem.kind == ProblemKind::File);
    let mut problems: Vec<_> =
        of_files.map(|problem| format!("{}: {}", problem.plugin, problem.message)).collect();
    problems.extend(refused_uses(&host, config).iter().map(|refused| refused.problem.to_string()));
    let explained = |plugin: &str| report.problems.iter().any(|problem| problem.plugin == plugin);
    let loaded = host.plugins();
    let mut missing = BTreeMap::new();
    for used in config.plugin_uses() {
        let plugin = &used.named.plugin;
        if loaded.get(plugin).is_none() && !explained(plugin) {
            missing.entry(plugin.clone()).or_insert(used);
        }
    }
    problems.extend(missing.into_iter().map(|(plugin, used)| {
        format!(
            "{}: {} names the plugin \"{plugin}\", and {} has no {plugin}.wasm\n    help: build it with `hookloom plugin build`; until then {}",
            config.file.display(),
            used.place,
            config.plugins.dir.display(),
            used.meanwhile()
        )
    }));
    Ok(problems)
}

/// What a plugin imports that needs a grant, beside what it was granted.
fn grants(status: &PluginStatus) {
    let imports = status.serving.iter().flat_map(|serving| &serving.imports);
    let needs: Vec<_> = imports.filter_map(|import| plugin::needs_grant(import)).collect();
    if !(needs.is_empty() && status.grants.is_empty()) {
        let shown = |names: &[&str]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        let grants: Vec<_> = status.grants.iter().map(String::as_str).collect();
        print(&format!("plugin {}: needs {}, is granted {}", status.name, shown(&needs), shown(&grants)));
    }
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

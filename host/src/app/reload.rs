//! Puts configurations and plugins in force while traffic goes on: each whole, or not
//! at all.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, watch};

use crate::admin::Access;
use crate::config::{self, Config, Problem, Problems};
use crate::deliver::Targets;
use crate::ingest::FrontDoor;
use crate::metrics::Metrics;
use crate::plugin::{self, PluginHost};
use crate::process::{Changes, Routes};

/// What is in force, and how it is replaced.
pub(super) struct Reloader {
    pub(super) file: PathBuf,
    pub(super) door: Arc<ArcSwap<FrontDoor>>,
    pub(super) routes: Arc<ArcSwap<Routes>>,
    pub(super) targets: watch::Sender<Arc<Targets>>,
    pub(super) settings: watch::Sender<config::Store>,
    pub(super) plugins: Arc<PluginHost>,
    pub(super) changes: Changes,
    pub(super) access: Arc<Access>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) state: Mutex<State>,
}

/// What reloads decide by; its lock lets one reload happen at a time.
pub(super) struct State {
    /// The configuration in force.
    pub(super) config: Config,
    /// The file's text when it was last read: a watcher also wakes for nothing.
    pub(super) text: Option<String>,
    /// The file on disk was refused; plugins that change may make it acceptable.
    pub(super) refused: bool,
    /// What the last scan found wrong with plugins.
    pub(super) problems: Vec<plugin::Problem>,
}

impl Reloader {
    /// Reads the file again if its text is another than last time.
    pub(super) async fn reload_if_changed(self: &Arc<Self>) {
        let text = tokio::fs::read_to_string(&self.file).await.ok();
        if self.state.lock().await.text != text {
            self.reload_config().await;
        }
    }

    /// Reads the file again and puts it in force if nothing is wrong with it.
    pub(super) async fn reload_config(self: &Arc<Self>) {
        let mut state = self.state.lock().await;
        let reloader = self.clone();
        state.text = tokio::fs::read_to_string(&self.file).await.ok();
        let loaded = tokio::task::spawn_blocking(move || reloader.load()).await;
        let (next, targets) = match loaded {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(problems)) => {
                state.refused = true;
                self.metrics.reload("config", "refused");
                tracing::error!("the configuration is refused, the running one stays in force:\n{problems}");
                return;
            }
            Err(error) => {
                tracing::error!(%error, "the configuration could not be read");
                return;
            }
        };
        for name in state.config.needs_restart(&next) {
            tracing::warn!("{name} changed; that takes effect at the next restart");
        }
        self.put_in_force(&mut state, next, targets);
        // A version of a plugin that waited for this configuration serves now.
        self.scan(&mut state).await;
    }

    fn put_in_force(&self, state: &mut State, next: Config, targets: Targets) {
        let next = state.config.without_restart(next);
        self.plugins.set_settings(next.plugins.clone());
        // Destinations first: no route in force names one that is not there.
        self.targets.send_replace(Arc::new(targets));
        self.settings.send_replace(next.store.clone());
        self.routes.store(next.routes.clone());
        self.door.store(next.front_door.clone());
        // The port stays as it is until a restart, and one beyond loopback keeps a token.
        if next.server.admin_token.is_some() || self.access.loopback {
            self.access.token.store(next.server.admin_token.clone().map(Arc::new));
        }
        state.config = next;
        state.refused = false;
        self.changes.announce();
        self.metrics.reload("config", "ok");
        tracing::info!(file = %self.file.display(), "the configuration is in force");
    }

    fn load(&self) -> Result<(Config, Targets), Problems> {
        let next = Config::load(&self.file)?;
        let refusals = refused_configs(&self.plugins, &next);
        if !refusals.is_empty() {
            return Err(Problems(refusals));
        }
        let targets = self
            .targets
            .borrow()
            .replaced(next.destinations.clone(), next.egress.clone())
            .map_err(|error| Problems(vec![problem(&next, error.to_string())]))?;
        Ok((next, targets))
    }

    /// Looks at the plugins folder again. A configuration that was refused is tried
    /// again when something has changed there: it may have waited for that.
    pub(super) async fn rescan_plugins(self: &Arc<Self>) {
        let mut state = self.state.lock().await;
        let changed = self.scan(&mut state).await;
        let retry = changed && state.refused;
        drop(state);
        if retry {
            self.reload_config().await;
        }
    }

    /// Whether what serves or what is wrong is other than before.
    async fn scan(self: &Arc<Self>, state: &mut State) -> bool {
        let configs = state.config.step_configs();
        let reloader = self.clone();
        let report = match tokio::task::spawn_blocking(move || reloader.plugins.scan(&configs)).await {
            Ok(report) => report,
            Err(error) => {
                tracing::error!(%error, "the plugins folder could not be read");
                return false;
            }
        };
        if report.changed() {
            self.changes.announce();
        }
        let other_problems = state.problems != report.problems;
        state.problems.clone_from(&report.problems);
        report.changed() || other_problems
    }
}

/// The step configurations that plugins do not take: neither as they serve, nor in a
/// version that waits in the folder for these configurations.
pub(crate) fn refused_configs(plugins: &PluginHost, config: &Config) -> Vec<Problem> {
    let configs = config.step_configs();
    configs
        .iter()
        .filter_map(|(plugin, step)| {
            // A plugin that is not there holds its runs; it refuses nothing.
            plugins.plugins().get(plugin)?;
            let refusal = plugins.check_config(plugin, step).err()?;
            if plugins.waits_for(plugin, &configs) {
                return None;
            }
            let route = config.routes.values().find(|route| {
                route.steps.iter().any(|named| named.plugin == *plugin && named.config == *step)
            });
            let route = route.map_or("?", |route| &route.name);
            Some(problem(config, format!("route \"{route}\": the plugin \"{plugin}\" {refusal}")))
        })
        .collect()
}

fn problem(config: &Config, message: String) -> Problem {
    Problem { file: config.file.clone(), place: None, message, remedy: None }
}

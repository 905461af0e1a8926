//! Puts configurations and plugins in force while traffic goes on: each whole, or not
//! at all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, watch};

use super::tls::Certificates;
use crate::admin::Access;
use crate::config::{self, Config, PluginUse, Problem, Problems};
use crate::deliver::Targets;
use crate::ingest::FrontDoor;
use crate::metrics::Metrics;
use crate::model::NamedPlugin;
use crate::plugin::{self, PluginHost};
use crate::process::{Changes, Routes};

/// What is in force, and how it is replaced.
pub(super) struct Reloader {
    pub(super) file: PathBuf,
    pub(super) door: Arc<ArcSwap<FrontDoor>>,
    pub(super) routes: Arc<ArcSwap<Routes>>,
    pub(super) targets: watch::Sender<Arc<Targets>>,
    pub(super) settings: watch::Sender<config::Store>,
    /// Of a front door that speaks TLS.
    pub(super) certificates: Option<Arc<Certificates>>,
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
        // A version of a plugin that waited for this configuration serves now. What is held
        // looks at both together.
        self.scan(&mut state).await;
        self.changes.announce();
    }

    fn put_in_force(&self, state: &mut State, next: Config, targets: Targets) {
        let next = state.config.without_restart(next);
        self.plugins.set_settings(next.plugins.clone());
        // Destinations first: no route in force names one that is not there.
        self.targets.send_replace(Arc::new(targets));
        self.settings.send_replace(next.store.clone());
        self.routes.store(next.routes.clone());
        next.front_door.continue_from(&self.door.load());
        self.door.store(next.front_door.clone());
        if let (Some(certificates), Some(files)) = (&self.certificates, &next.server.tls) {
            certificates.follow(files);
        }
        // The port stays as it is until a restart, and one beyond loopback keeps a token.
        if next.server.admin_token.is_some() || self.access.loopback {
            self.access.token.store(next.server.admin_token.clone().map(Arc::new));
        }
        state.config = next;
        state.refused = false;
        self.metrics.reload("config", "ok");
        tracing::info!(file = %self.file.display(), "the configuration is in force");
    }

    fn load(&self) -> Result<(Config, Targets), Problems> {
        let next = Config::load(&self.file)?;
        let refused = refused_uses(&self.plugins, &next);
        if !refused.is_empty() {
            return Err(Problems(refused.into_iter().map(|refused| refused.problem).collect()));
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

    /// A version that lacks what it is asked for takes the place of one that had it: that
    /// is its author's to decide, and an operator's to know.
    fn tell_of_lacking(&self, config: &Config) {
        for used in config.plugin_uses() {
            if let Some(missing) = lacking(&self.plugins, &used) {
                let (place, plugin, meanwhile) = (&used.place, &used.named.plugin, used.meanwhile());
                tracing::error!("{place}: the plugin \"{plugin}\" exports {missing}; {meanwhile}");
            }
        }
    }

    /// Whether what serves or what is wrong is other than before.
    async fn scan(self: &Arc<Self>, state: &mut State) -> bool {
        let configs = state.config.plugin_configs();
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
            self.tell_of_lacking(&state.config);
        }
        let other_problems = state.problems != report.problems;
        state.problems.clone_from(&report.problems);
        report.changed() || other_problems
    }
}

/// What a plugin lacks for what it is asked there, if it serves at all.
fn lacking(plugins: &PluginHost, used: &PluginUse) -> Option<&'static str> {
    used.asks.missing_in(plugins.plugins().get(&used.named.plugin)?.exports())
}

/// A place that names a plugin which does not serve it as it is configured.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    /// The place.
    pub(crate) used: PluginUse,
    /// What is wrong.
    pub(crate) problem: Problem,
}

/// The places that plugins do not serve under the limits and grants of that configuration:
/// neither as they are, nor in a version that waits in the folder for it.
pub(crate) fn refused_uses(plugins: &PluginHost, config: &Config) -> Vec<Refused> {
    let (settings, configs, uses) = (&config.plugins, config.plugin_configs(), config.plugin_uses());
    let mut waiting = BTreeMap::new();
    // Of each plugin once: it may have to be compiled.
    let mut waits = |plugin: &str| {
        let suits = |exports: &[String]| {
            let mut asked = uses.iter().filter(|used| used.named.plugin == plugin);
            asked.all(|used| used.asks.missing_in(exports).is_none())
        };
        *waiting
            .entry(plugin.to_owned())
            .or_insert_with(|| plugins.waits_for(settings, plugin, suits, &configs))
    };
    let refused = |used: &PluginUse| {
        let NamedPlugin { plugin, config: own } = &used.named;
        // A plugin that is not there refuses nothing: it is waited for.
        plugins.plugins().get(plugin)?;
        let refusal = match lacking(plugins, used) {
            Some(missing) => format!("exports {missing}"),
            None => plugins.check_config_under(settings, plugin, own).err()?,
        };
        if waits(plugin) {
            return None;
        }
        let problem = problem(config, format!("{}: the plugin \"{plugin}\" {refusal}", used.place));
        Some(Refused { used: used.clone(), problem })
    };
    uses.iter().filter_map(refused).collect()
}

fn problem(config: &Config, message: String) -> Problem {
    Problem { file: config.file.clone(), place: None, message, remedy: None }
}

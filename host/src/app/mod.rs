//! The composition root: the one place that knows which store, which threads and which
//! channels a gateway is made of.

mod crowd;
mod descriptors;
mod herald;
mod janitor;
mod linger;
mod monitor;
mod outside;
mod paced;
mod parts;
mod reload;
mod serve;
mod shown;
mod state;
mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use crate::admin;
use crate::alerts::Alerts;
use crate::clock::{Clock, Random};
use crate::config::Config;
use crate::deliver::{Board, Targets};
use crate::ingest::{Gate, Learnt};
use crate::learning::Windows;
use crate::lifecycle::Shutdown;
use crate::metrics::Metrics;
use crate::plugin::{self, PluginHost, StateReader};
use crate::process::Changes;
use crate::store::{SqliteOptions, SqliteStore, Store};

pub use outside::Surroundings;

use outside::KeyFetcher;
use parts::Stages;
use reload::{Refused, Reloader, State};
use state::StoredState;
use tls::Certificates;

pub(crate) use reload::refused_uses;

/// For a stop, until the configuration in force can be looked at.
const STATE_WAIT: Duration = Duration::from_secs(1);

/// A gateway that is up.
pub struct App {
    /// Where webhooks come in; the port is known where 0 was asked for.
    pub listen: SocketAddr,
    /// Where operators look.
    pub admin_listen: SocketAddr,
    /// Stops it.
    pub shutdown: Shutdown,
    reloader: Arc<Reloader>,
    store: Arc<dyn Store>,
    /// `server.shutdown_grace` at the start.
    grace: Duration,
    tasks: JoinSet<&'static str>,
}

impl App {
    /// Opens the store, loads the plugins, binds both ports and starts the stages.
    pub async fn start(config: Config, surroundings: Surroundings) -> anyhow::Result<Self> {
        let Surroundings { clock, random, fetcher } = surroundings;
        let places = descriptors::places(config.server.max_connections, descriptors::raise());
        let metrics = Arc::new(Metrics::new());
        let shutdown = Shutdown::new();
        let listener = bind(config.server.listen).await?;
        let admin_listener = bind(config.server.admin_listen).await?;
        let (listen, admin_listen) = (listener.local_addr()?, admin_listener.local_addr()?);
        let store = open_store(&config, &clock, &random, &metrics)?;
        let windows = Arc::<Windows>::default();
        let learnt = Learnt::open(store.clone(), windows.clone(), clock.clone()).await?;
        let (plugins, state) = open_plugins(&config, &store, &clock, &random, &metrics)?;
        let problems = plugins.scan(&config.plugin_configs()).problems;
        report_refused(&plugins, &config);
        let (targets, targets_in_force) =
            watch::channel(Arc::new(Targets::new(config.destinations.clone(), config.egress.clone())?));
        let certificates = config.server.tls.as_ref().map(Certificates::new);
        let reloader = Arc::new(Reloader {
            certificates,
            file: config.file.clone(),
            door: Arc::new(ArcSwap::new(config.front_door.clone())),
            routes: Arc::new(ArcSwap::new(config.routes.clone())),
            targets,
            settings: watch::Sender::new(config.store.clone()),
            plugins,
            changes: Changes::default(),
            access: Arc::new(admin::Access {
                token: config.server.admin_token.clone().map(Arc::new).into(),
                loopback: config.server.admin_listen.ip().is_loopback(),
            }),
            metrics: metrics.clone(),
            state: Mutex::new(State {
                text: std::fs::read_to_string(&config.file).ok(),
                config: config.clone(),
                refused: false,
                problems,
            }),
        });
        let gate = Arc::new(Gate::default());
        let (alerts, raised) = Alerts::new();
        let tasks = JoinSet::new();
        let board = Board::new(targets_in_force.clone(), clock.clone());
        let mut parts = Stages {
            config,
            places,
            clock,
            random,
            metrics,
            alerts,
            board,
            fetcher: fetcher.unwrap_or_else(|| Arc::new(KeyFetcher::new(targets_in_force.clone()))),
            windows,
            learnt,
            store,
            state,
            gate,
            run_bell: Arc::default(),
            delivery_bell: Arc::default(),
            recall: Arc::default(),
            shutdown,
            tasks,
        };
        parts.watch(&reloader)?;
        parts.admin(&reloader, admin_listener);
        parts.stages(&reloader, targets_in_force, listener)?;
        parts.keepers(&reloader, raised);
        let Stages { config, store, shutdown, tasks, .. } = parts;
        let grace = config.server.shutdown_grace;
        Ok(Self { listen, admin_listen, shutdown, reloader, store, grace, tasks })
    }

    /// Reads the configuration file again, as SIGHUP asks.
    pub async fn reload(&self) {
        self.reloader.reload_config().await;
        self.reloader.rescan_plugins().await;
    }

    /// What [`App::reload`] does, for a task that does not own the gateway.
    pub fn reload_handle(
        &self,
    ) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Send + use<> {
        let reloader = self.reloader.clone();
        move || {
            let reloader = reloader.clone();
            Box::pin(async move {
                reloader.reload_config().await;
                reloader.rescan_plugins().await;
            })
        }
    }

    /// Runs until it is told to stop and has stopped.
    ///
    /// # Errors
    /// The part that ended by itself.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let (reloader, at_start) = (self.reloader, self.grace);
        let grace = async move {
            // A reload that is at work, compiling plugins, holds the state.
            let now = tokio::time::timeout(STATE_WAIT, reloader.state.lock()).await;
            now.map_or(at_start, |state| state.config.server.shutdown_grace)
        };
        let ended = supervise(&mut self.tasks, &self.shutdown, grace).await;
        self.store.close().await;
        ended
    }
}

/// Waits for the stop and for the end of every part, at most `grace` long; a part that
/// ends by itself stops the others.
///
/// # Errors
/// A part that ended by itself, or panicked while it was stopped.
async fn supervise(
    tasks: &mut JoinSet<&'static str>,
    shutdown: &Shutdown,
    grace: impl Future<Output = Duration>,
) -> anyhow::Result<()> {
    let died = tokio::select! {
        biased;
        () = shutdown.soft.cancelled() => None,
        ended = tasks.join_next() => ended,
    };
    shutdown.soft.cancel();
    let hurry = shutdown.hard.clone();
    let grace = grace.await;
    let timer = tokio::spawn(async move {
        tokio::time::sleep(grace).await;
        tracing::warn!(
            "the grace period is over; what is under way is dropped here and done after the next start"
        );
        hurry.cancel();
    });
    let mut failed = None;
    while let Some(ended) = tasks.join_next().await {
        failed = failed.or(ended.err());
    }
    timer.abort();
    match (died, failed) {
        (Some(Ok(name)), _) => anyhow::bail!("the {name} ended by itself"),
        (Some(Err(error)), _) | (None, Some(error)) => anyhow::bail!("a part of the gateway failed: {error}"),
        (None, None) => Ok(()),
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// The plugin room, and the store as plugins read it.
/// Says which uses of plugins are refused, and what happens meanwhile.
fn report_refused(plugins: &PluginHost, config: &Config) {
    for Refused { used, problem } in refused_uses(plugins, config) {
        tracing::error!("{problem}; {}", used.meanwhile());
    }
}

fn open_plugins(
    config: &Config,
    store: &Arc<dyn Store>,
    clock: &Clock,
    random: &Random,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<(Arc<PluginHost>, Arc<dyn StateReader>)> {
    let state: Arc<dyn StateReader> =
        Arc::new(StoredState { store: store.clone(), runtime: Handle::current() });
    let context = plugin::Context {
        clock: clock.clone(),
        random: random.clone(),
        metrics: metrics.clone(),
        state: state.clone(),
    };
    let plugins =
        PluginHost::start(config.plugins.clone(), context).context("the plugin engine cannot start")?;
    Ok((plugins, state))
}

fn open_store(
    config: &Config,
    clock: &Clock,
    random: &Random,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Arc<dyn Store>> {
    let options = SqliteOptions { synchronous: config.store.synchronous, ..SqliteOptions::default() };
    let path = &config.store.path;
    let store = SqliteStore::open(path, &options, clock.clone(), random, metrics.clone())
        .with_context(|| format!("the store {} cannot be opened", path.display()))?;
    Ok(Arc::new(store))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_mins(1);

    /// How the gateway ends that is made of these parts.
    async fn ended(
        parts: impl FnOnce(&mut JoinSet<&'static str>, &Shutdown),
    ) -> (Shutdown, Result<(), String>) {
        let (mut tasks, shutdown) = (JoinSet::new(), Shutdown::new());
        parts(&mut tasks, &shutdown);
        let ended = supervise(&mut tasks, &shutdown, std::future::ready(GRACE)).await;
        (shutdown, ended.map_err(|error| error.to_string()))
    }

    /// Ends when it is told to.
    fn obedient(tasks: &mut JoinSet<&'static str>, shutdown: &Shutdown) {
        let soft = shutdown.soft.clone();
        tasks.spawn(async move {
            soft.cancelled().await;
            "obedient part"
        });
    }

    #[tokio::test]
    async fn a_part_that_ends_by_itself_stops_the_others_and_is_an_error() {
        let (shutdown, ended) = ended(|tasks, shutdown| {
            obedient(tasks, shutdown);
            tasks.spawn(async { "short part" });
        })
        .await;
        assert_eq!(ended, Err("the short part ended by itself".into()));
        assert!(shutdown.soft.is_cancelled() && !shutdown.hard.is_cancelled());
    }

    #[tokio::test]
    async fn a_part_that_panics_is_an_error_whenever_it_does() {
        let (_, at_work) = ended(|tasks, shutdown| {
            obedient(tasks, shutdown);
            tasks.spawn(async { panic!("a bug") });
        })
        .await;
        let (_, stopping) = ended(|tasks, shutdown| {
            let soft = shutdown.soft.clone();
            tasks.spawn(async move {
                soft.cancelled().await;
                panic!("another bug")
            });
            shutdown.soft.cancel();
        })
        .await;
        for ended in [at_work, stopping] {
            assert!(ended.unwrap_err().starts_with("a part of the gateway failed: "));
        }
    }

    #[tokio::test]
    async fn a_stop_that_was_asked_for_is_none() {
        let (shutdown, ended) = ended(|tasks, shutdown| {
            obedient(tasks, shutdown);
            shutdown.soft.cancel();
        })
        .await;
        assert_eq!(ended, Ok(()));
        assert!(!shutdown.hard.is_cancelled());
    }

    #[tokio::test]
    async fn after_the_grace_period_the_rest_is_dropped() {
        let (mut tasks, shutdown) = (JoinSet::new(), Shutdown::new());
        let hard = shutdown.hard.clone();
        tasks.spawn(async move {
            hard.cancelled().await;
            "stubborn part"
        });
        shutdown.soft.cancel();
        let none = std::future::ready(Duration::ZERO);
        assert!(supervise(&mut tasks, &shutdown, none).await.is_ok());
        assert!(shutdown.hard.is_cancelled());
    }
}

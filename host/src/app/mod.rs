//! The composition root: the one place that knows which store, which threads and which
//! channels a gateway is made of.

mod linger;
mod monitor;
mod reload;
mod serve;

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::admin;
use crate::clock::{Clock, Random};
use crate::config::Config;
use crate::deliver::{self, Deliver, Targets};
use crate::ingest::{self, Gate, RunHandoff};
use crate::lifecycle::Shutdown;
use crate::metrics::Metrics;
use crate::plugin::{PluginHost, Settle, Watcher, Workers};
use crate::process::{self, Changes, DeliveryHandoff};
use crate::store::{SqliteOptions, SqliteStore, Store};

use monitor::Monitor;
use reload::{Reloader, State};

pub(crate) use reload::refused_configs;

/// Batches of deliveries on their way to the delivery stage.
const DELIVERY_HANDOFF_BATCHES: usize = 64;
/// Jobs that wait for a worker thread, each of a few runs.
const WORKER_QUEUE: usize = 64;

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
    tasks: JoinSet<&'static str>,
}

impl App {
    /// Opens the store, loads the plugins, binds both ports and starts the stages.
    pub async fn start(config: Config, clock: Clock, random: Random) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::new());
        let shutdown = Shutdown::new();
        let listener = bind(config.server.listen).await?;
        let admin_listener = bind(config.server.admin_listen).await?;
        let (listen, admin_listen) = (listener.local_addr()?, admin_listener.local_addr()?);
        let store = open_store(&config, &clock, &random, &metrics)?;
        let plugins =
            PluginHost::start(config.plugins.clone(), clock.clone(), random.clone(), metrics.clone())
                .context("the plugin engine cannot start")?;
        let problems = plugins.scan(&config.step_configs()).problems;
        for problem in refused_configs(&plugins, &config) {
            tracing::error!("{problem}; its runs are held");
        }

        let (targets, targets_in_force) =
            watch::channel(Arc::new(Targets::new(config.destinations.clone(), config.egress.clone())?));
        let reloader = Arc::new(Reloader {
            file: config.file.clone(),
            door: Arc::new(ArcSwap::new(config.front_door.clone())),
            routes: Arc::new(ArcSwap::new(config.routes.clone())),
            targets,
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
        let mut parts =
            Stages { config, clock, random, metrics, store, gate, shutdown, tasks: JoinSet::new() };
        parts.watch(&reloader)?;
        parts.admin(&reloader, admin_listener);
        parts.stages(&reloader, targets_in_force, listener)?;
        let Stages { store, shutdown, tasks, .. } = parts;
        Ok(Self { listen, admin_listen, shutdown, reloader, store, tasks })
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
        let died = tokio::select! {
            biased;
            () = self.shutdown.soft.cancelled() => None,
            ended = self.tasks.join_next() => ended,
        };
        self.shutdown.soft.cancel();
        let hurry = self.shutdown.hard.clone();
        let grace = self.reloader.state.lock().await.config.server.shutdown_grace;
        let timer = tokio::spawn(async move {
            tokio::time::sleep(grace).await;
            tracing::warn!(
                "the grace period is over; what is under way is dropped here and done after the next start"
            );
            hurry.cancel();
        });
        while self.tasks.join_next().await.is_some() {}
        timer.abort();
        self.store.close().await;
        match died {
            None => Ok(()),
            Some(Ok(name)) => anyhow::bail!("the {name} ended by itself"),
            Some(Err(error)) => anyhow::bail!("a part of the gateway failed: {error}"),
        }
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
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

/// What the parts are started from.
struct Stages {
    config: Config,
    clock: Clock,
    random: Random,
    metrics: Arc<Metrics>,
    store: Arc<dyn Store>,
    gate: Arc<Gate>,
    shutdown: Shutdown,
    tasks: JoinSet<&'static str>,
}

impl Stages {
    fn spawn(&mut self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            part.await;
            name
        });
    }

    fn stages(
        &mut self,
        reloader: &Arc<Reloader>,
        targets: watch::Receiver<Arc<Targets>>,
        listener: TcpListener,
    ) -> anyhow::Result<()> {
        let (runs, claimed_runs) = mpsc::channel(process::MAX_IN_FLIGHT);
        let (deliveries, claimed_deliveries) = mpsc::channel(DELIVERY_HANDOFF_BATCHES);
        let (run_bell, delivery_bell) = (Arc::new(Notify::new()), Arc::new(Notify::new()));

        let router = ingest::router(ingest::Parts {
            door: reloader.door.clone(),
            store: self.store.clone(),
            handoff: RunHandoff { runs, bell: run_bell.clone(), lease: process::RUN_LEASE },
            gate: self.gate.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            metrics: self.metrics.clone(),
        });
        self.spawn("front door", serve::serve(listener, router, self.shutdown.clone()));

        let processing = process::Parts {
            store: self.store.clone(),
            routes: reloader.routes.clone(),
            plugins: reloader.plugins.clone(),
            workers: Arc::new(Workers::start(self.config.plugins.workers, WORKER_QUEUE)?),
            runs: claimed_runs,
            bell: run_bell,
            changes: reloader.changes.clone(),
            handoff: DeliveryHandoff { deliveries, bell: delivery_bell.clone(), lease: deliver::LEASE },
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
        };
        self.spawn("processing stage", process::run(processing, self.shutdown.clone()));

        let delivering = Deliver {
            store: self.store.clone(),
            targets,
            handoff: claimed_deliveries,
            bell: delivery_bell,
            clock: self.clock.clone(),
            random: self.random.clone(),
            metrics: self.metrics.clone(),
        };
        self.spawn("delivery stage", delivering.run(self.shutdown.clone()));

        let folder = self.config.store.path.parent().unwrap_or(Path::new(".")).to_owned();
        let monitor = Monitor {
            store: self.store.clone(),
            gate: self.gate.clone(),
            metrics: self.metrics.clone(),
            folder,
            max_backlog: self.config.store.max_backlog,
            min_free_disk: self.config.store.min_free_disk,
        };
        self.spawn("monitor", monitor.run(self.shutdown.clone()));
        Ok(())
    }

    fn admin(&mut self, reloader: &Arc<Reloader>, listener: TcpListener) {
        let gate = self.gate.clone();
        let plugins = reloader.plugins.clone();
        let router = admin::router(admin::Parts {
            store: self.store.clone(),
            not_ready: Arc::new(move || gate.state().map(ingest::Closed::reason)),
            plugins: Arc::new(move || {
                plugins.status().iter().filter_map(|status| serde_json::to_value(status).ok()).collect()
            }),
            metrics: self.metrics.clone(),
            access: reloader.access.clone(),
        });
        self.spawn("admin side", serve::serve(listener, router, self.shutdown.clone()));
    }

    /// Reloads when the file or the folder has changed and settled.
    fn watch(&mut self, reloader: &Arc<Reloader>) -> anyhow::Result<()> {
        let beside = self.config.file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut file = Watcher::start(beside.unwrap_or(Path::new(".")), Settle::default())?;
        let mut folder = Watcher::start(&self.config.plugins.dir, Settle::default())?;
        let (reloader, shutdown) = (reloader.clone(), self.shutdown.clone());
        self.spawn("reloader", async move {
            let reload = async {
                loop {
                    tokio::select! {
                        () = file.changed() => reloader.reload_if_changed().await,
                        () = folder.changed() => reloader.rescan_plugins().await,
                    }
                }
            };
            // Nothing of a reload is lost with it: the next start reads everything.
            let _ = shutdown.soft.run_until_cancelled(reload).await;
        });
        Ok(())
    }
}

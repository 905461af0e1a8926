//! The parts of a gateway, and how each is started: the stages, those who look after the
//! whole, the admin side, the watchers.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::descriptors::Places;
use super::herald::Herald;
use super::janitor::Janitor;
use super::monitor::Monitor;
use super::reload::Reloader;
use super::serve::Service;
use super::{serve, shown};
use crate::admin;
use crate::alerts::{Alert, Alerts};
use crate::budget::Budget;
use crate::clock::{Clock, Random};
use crate::config::Config;
use crate::deliver::{self, Board, Deliver, Targets};
use crate::ingest::{self, Fetcher, Gate, Learnt, RunHandoff};
use crate::learning::Windows;
use crate::lifecycle::Shutdown;
use crate::metrics::Metrics;
use crate::plugin::{Judge, Settle, StateReader, Watcher, Workers};
use crate::process::{self, DeliveryHandoff};
use crate::store::Store;

/// Batches of deliveries on their way to the delivery stage.
const DELIVERY_HANDOFF_BATCHES: usize = 64;
/// Jobs that wait for a worker thread, each of a few runs.
const WORKER_QUEUE: usize = 64;

/// What the parts are started from.
pub(super) struct Stages {
    pub(super) config: Config,
    pub(super) places: Places,
    pub(super) clock: Clock,
    pub(super) random: Random,
    pub(super) metrics: Arc<Metrics>,
    pub(super) alerts: Alerts,
    /// How destinations stand.
    pub(super) board: Board,
    /// Gets the keys that providers publish.
    pub(super) fetcher: Arc<dyn Fetcher>,
    /// In which handshakes may hand over secrets.
    pub(super) windows: Arc<Windows>,
    /// What they handed over.
    pub(super) learnt: Arc<Learnt>,
    pub(super) store: Arc<dyn Store>,
    /// The store as plugins read it.
    pub(super) state: Arc<dyn StateReader>,
    pub(super) gate: Arc<Gate>,
    /// Rung when runs may be claimable.
    pub(super) run_bell: Arc<Notify>,
    /// Rung when deliveries may be claimable.
    pub(super) delivery_bell: Arc<Notify>,
    /// Rung when deliveries were taken back.
    pub(super) recall: Arc<Notify>,
    pub(super) shutdown: Shutdown,
    pub(super) tasks: JoinSet<&'static str>,
}

impl Stages {
    fn spawn(&mut self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            part.await;
            name
        });
    }

    pub(super) fn stages(
        &mut self,
        reloader: &Arc<Reloader>,
        targets: watch::Receiver<Arc<Targets>>,
        listener: TcpListener,
    ) -> anyhow::Result<()> {
        let (runs, claimed_runs) = mpsc::channel(process::MAX_IN_FLIGHT);
        let (deliveries, claimed_deliveries) = mpsc::channel(DELIVERY_HANDOFF_BATCHES);

        let workers = self.config.plugins.workers;
        let judge = |threads| {
            let plugins = reloader.plugins.clone();
            Judge::new(threads, workers, move || plugins.plugins())
        };
        let budget = Budget::new(process::MAX_BYTES_IN_FLIGHT);
        let handoff = RunHandoff {
            runs,
            bell: self.run_bell.clone(),
            budget: budget.clone(),
            lease: process::RUN_LEASE,
        };
        let router = ingest::router(ingest::Parts {
            door: reloader.door.clone(),
            store: self.store.clone(),
            handoff,
            gate: self.gate.clone(),
            judge: judge("verify"),
            fetcher: self.fetcher.clone(),
            learnt: self.learnt.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            metrics: self.metrics.clone(),
            alerts: self.alerts.clone(),
        });
        let mut service = Service::new(router, self.places.door, &self.config.server);
        if let Some(certificates) = &reloader.certificates {
            service.tls = Some(certificates.acceptor()?);
            self.spawn("certificate watch", certificates.clone().watch(self.shutdown.clone()));
        }
        self.spawn("front door", serve::serve(listener, service, self.shutdown.clone()));

        let processing = process::Parts {
            store: self.store.clone(),
            routes: reloader.routes.clone(),
            plugins: reloader.plugins.clone(),
            state: self.state.clone(),
            workers: Arc::new(Workers::start(workers, WORKER_QUEUE)?),
            runs: claimed_runs,
            bell: self.run_bell.clone(),
            budget,
            changes: reloader.changes.clone(),
            handoff: DeliveryHandoff { deliveries, bell: self.delivery_bell.clone(), lease: deliver::LEASE },
            clock: self.clock.clone(),
            random: self.random.clone(),
            metrics: self.metrics.clone(),
            alerts: self.alerts.clone(),
        };
        self.spawn("processing stage", process::run(processing, self.shutdown.clone()));

        let delivering = Deliver {
            board: self.board.clone(),
            store: self.store.clone(),
            targets,
            handoff: claimed_deliveries,
            bell: self.delivery_bell.clone(),
            recall: self.recall.clone(),
            judge: judge("classify"),
            clock: self.clock.clone(),
            random: self.random.clone(),
            metrics: self.metrics.clone(),
            alerts: self.alerts.clone(),
        };
        self.spawn("delivery stage", delivering.run(self.shutdown.clone()));
        Ok(())
    }

    /// What looks after the whole: the door, the store's size, what operators hear.
    pub(super) fn keepers(&mut self, reloader: &Arc<Reloader>, raised: mpsc::Receiver<Alert>) {
        let folder = self.config.store.path.parent().unwrap_or(Path::new(".")).to_owned();
        let monitor = Monitor {
            store: self.store.clone(),
            gate: self.gate.clone(),
            metrics: self.metrics.clone(),
            folder,
            settings: reloader.settings.subscribe(),
            alerts: self.alerts.clone(),
        };
        self.spawn("monitor", monitor.run(self.shutdown.clone()));
        let janitor = Janitor {
            store: self.store.clone(),
            settings: reloader.settings.subscribe(),
            metrics: self.metrics.clone(),
        };
        self.spawn("janitor", janitor.run(self.shutdown.clone()));
        let herald = Herald {
            raised,
            door: reloader.door.clone(),
            store: self.store.clone(),
            bell: self.run_bell.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
        };
        self.spawn("herald", herald.run(self.shutdown.clone()));
    }

    pub(super) fn admin(&mut self, reloader: &Arc<Reloader>, listener: TcpListener) {
        let gate = self.gate.clone();
        let plugins = reloader.plugins.clone();
        let (in_force, folder, door) = (reloader.clone(), reloader.clone(), reloader.door.clone());
        let (run_bell, delivery_bell) = (self.run_bell.clone(), self.delivery_bell.clone());
        let learnt = self.learnt.clone();
        let (board, recall) = (self.board.clone(), self.recall.clone());
        let router = admin::router(admin::Parts {
            store: self.store.clone(),
            not_ready: Arc::new(move || gate.state().map(ingest::Closed::reason)),
            plugins: Arc::new(move || {
                plugins.status().iter().filter_map(|status| serde_json::to_value(status).ok()).collect()
            }),
            reload_plugins: Arc::new(move || {
                let reloader = folder.clone();
                // By itself: the request is dropped when its client goes away, and what was
                // found would be told to nobody.
                let rescan = tokio::spawn(async move { reloader.rescan_plugins().await });
                Box::pin(async move {
                    if let Err(error) = rescan.await {
                        tracing::error!(%error, "the plugins folder could not be looked at");
                    }
                })
            }),
            configured: Arc::new(move || {
                let targets = in_force.targets.borrow().clone();
                shown::configured(&in_force.door.load(), &targets)
            }),
            runs_for: Arc::new(move |source, event_type| door.load().runs_for(source, event_type)),
            standing: Arc::new(move |name| {
                board.standing(name).and_then(|standing| serde_json::to_value(standing).ok())
            }),
            ring_runs: Arc::new(move || run_bell.notify_one()),
            ring_deliveries: Arc::new(move || delivery_bell.notify_one()),
            recall: Arc::new(move || recall.notify_one()),
            windows: self.windows.clone(),
            forget: Arc::new(move |source| {
                let learnt = learnt.clone();
                Box::pin(async move { learnt.forget(&source).await })
            }),
            clock: self.clock.clone(),
            random: self.random.clone(),
            metrics: self.metrics.clone(),
            access: reloader.access.clone(),
        });
        let service = Service::new(router, self.places.admin, &self.config.server);
        self.spawn("admin side", serve::serve(listener, service, self.shutdown.clone()));
    }

    /// Reloads when the file or the folder has changed and settled.
    pub(super) fn watch(&mut self, reloader: &Arc<Reloader>) -> anyhow::Result<()> {
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

//! What the host keeps for one instance while it runs.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wasmtime::{ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};

use super::journal::Journal;
use super::limits::{HANDLES, INSTANCES, Limits, TABLE_ELEMENTS};
use super::meter::Meter;
use super::stdio::Printer;
use super::wasi::Timers;
use crate::clock::{Clock, Random};
use crate::metrics::Metrics;
use crate::model::EventId;

/// What all versions and calls of a plugin share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: Arc<str>,
    pub(super) clock: Clock,
    pub(super) random: Random,
    pub(super) metrics: Arc<Metrics>,
    pub(super) metric_names: Mutex<BTreeSet<String>>,
    pub(super) metrics_dropped: AtomicU64,
    pub(super) calls: AtomicU64,
    pub(super) traps: AtomicU64,
    pub(super) nanos: AtomicU64,
}

impl Shared {
    pub(super) fn new(name: &str, clock: Clock, random: Random, metrics: Arc<Metrics>) -> Self {
        Self {
            name: name.into(),
            clock,
            random,
            metrics,
            metric_names: Mutex::default(),
            metrics_dropped: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            traps: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
        }
    }

    /// Counts a call that ended.
    pub(super) fn called(&self, took: Duration, trapped: bool) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if trapped {
            self.traps.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A store's data: the guest's budgets and what it holds of the host.
pub(super) struct Guest {
    pub(super) shared: Arc<Shared>,
    pub(super) journal: Arc<Journal>,
    pub(super) meter: Meter,
    pub(super) table: ResourceTable,
    pub(super) timers: Timers,
    /// What was asked for above a limit.
    pub(super) denied: Option<Denied>,
    wasi: Option<Box<WasiCtx>>,
    memory: usize,
    memory_limit: usize,
    elements: usize,
}

/// A request for memory that was turned down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    /// Linear memory, in bytes.
    #[error("asked for {asked} bytes of memory, and its limit is {limit}")]
    Memory { asked: usize, limit: usize },
    /// Table elements.
    #[error("asked for {0} table elements, and the limit is {TABLE_ELEMENTS}")]
    Table(usize),
}

impl Guest {
    /// A fresh store for one call on this thread. The deadline is set before
    /// anything is instantiated, because start functions are guest code.
    pub(super) fn store(
        engine: &wasmtime::Engine,
        shared: &Arc<Shared>,
        limits: &Limits,
        event: Option<EventId>,
    ) -> Store<Self> {
        let guest = Self {
            shared: Arc::clone(shared),
            journal: Arc::new(Journal::new(Arc::clone(&shared.name), event, limits)),
            meter: Meter::start(limits.deadline, &shared.clock),
            table: table(),
            timers: Timers::default(),
            denied: None,
            wasi: None,
            memory: 0,
            memory_limit: limits.memory,
            elements: 0,
        };
        let mut store = Store::new(engine, guest);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|context| {
            context.data().meter.check()?;
            Ok(UpdateDeadline::Continue(1))
        });
        store.set_hostcall_fuel(limits.output_bytes);
        store.limiter(|guest| guest);
        store
    }
}

/// Gives a store that is used for another call its budgets of time and output back.
pub(super) fn renew(store: &mut Store<Guest>, limits: &Limits) {
    let meter = Meter::start(limits.deadline, &store.data().shared.clock);
    store.data_mut().meter = meter;
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(limits.output_bytes);
}

fn table() -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES);
    table
}

impl WasiView for Guest {
    /// Made when it is first asked for, because most calls never do. Nothing is
    /// granted: no files, arguments, environment or network, and stdin is closed.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let journal = &self.journal;
        let ctx = self.wasi.get_or_insert_with(|| {
            let mut builder = WasiCtx::builder();
            builder
                .stdout(Printer { journal: Arc::clone(journal), stderr: false })
                .stderr(Printer { journal: Arc::clone(journal), stderr: true })
                .allow_tcp(false)
                .allow_udp(false)
                .allow_ip_name_lookup(false);
            Box::new(builder.build())
        });
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let asked = self.memory.saturating_sub(current).saturating_add(desired);
        if asked > self.memory_limit {
            self.denied = Some(Denied::Memory { asked, limit: self.memory_limit });
            return Ok(false);
        }
        self.memory = asked;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let asked = self.elements.saturating_sub(current).saturating_add(desired);
        if asked > TABLE_ELEMENTS {
            self.denied = Some(Denied::Table(asked));
            return Ok(false);
        }
        self.elements = asked;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        INSTANCES
    }
}

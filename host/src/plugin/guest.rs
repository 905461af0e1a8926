//! What the host keeps for one instance while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmtime::{ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};

use super::granted::Powers;
use super::journal::Journal;
use super::limits::{HANDLES, INSTANCES, Limits, MEMORIES, TABLE_ELEMENTS, TABLES};
use super::meter::Meter;
use super::registry::Context;
use super::state::StateReader;
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
    pub(super) state: Arc<dyn StateReader>,
    pub(super) metrics_dropped: AtomicU64,
    pub(super) calls: AtomicU64,
    pub(super) traps: AtomicU64,
    pub(super) nanos: AtomicU64,
}

impl Shared {
    pub(super) fn new(name: &str, context: Context) -> Self {
        let Context { clock, random, metrics, state } = context;
        Self {
            state,
            name: name.into(),
            clock,
            random,
            metrics,
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
    pub(super) powers: Powers,
    /// What was asked for above a limit.
    pub(super) denied: Option<Denied>,
    /// What it may still hand to the host while it runs, in bytes.
    traffic: usize,
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
            powers: Powers::default(),
            denied: None,
            traffic: limits.output_bytes,
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
        store.set_max_component_handles(HANDLES);
        store.limiter(|guest| guest);
        store
    }

    /// Counts bytes that the guest handed to the host: each call is bounded by itself,
    /// and this is about all of them together.
    pub(super) fn receive(&mut self, bytes: usize) -> Result<(), Flood> {
        self.traffic = self.traffic.checked_sub(bytes).ok_or(Flood)?;
        Ok(())
    }
}

/// Handed over more than its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("handed the gateway more than its `output` allows")]
pub(super) struct Flood;

/// Gives a store that is used for another call what is counted by the call: time, log
/// and output. Memory that grew stays with the instance, and so does its count.
pub(super) fn renew(store: &mut Store<Guest>, limits: &Limits, event: Option<EventId>) {
    let guest = store.data_mut();
    guest.meter = Meter::start(limits.deadline, &guest.shared.clock);
    guest.journal.begin(event, limits);
    guest.traffic = limits.output_bytes;
    guest.denied = None;
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(limits.output_bytes);
}

impl Guest {
    /// Linear memory of all its instances, in bytes. It never shrinks.
    pub(super) const fn memory(&self) -> usize {
        self.memory
    }
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
        TABLES as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }
}

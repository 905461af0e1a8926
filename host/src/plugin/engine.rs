//! The one engine: its settings, its pool of instances and the thread that lets its
//! epochs pass.

use std::num::NonZeroUsize;
use std::time::Duration;

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
    WasmFeatures,
};

use super::PluginError;
use super::limits::{INSTANCES, MEMORIES, STACK, TABLE_ELEMENTS, TABLES};

/// How often a running guest is asked whether its time is over.
pub(super) const TICK: Duration = Duration::from_millis(2);

/// Frames of a backtrace that are kept.
const BACKTRACE_FRAMES: usize = 8;
/// Linear memory that stays resident between instances, in bytes. It is above what a
/// small guest dirties, so that resetting it is a memset and costs no page fault.
const MEMORY_RESIDENT: usize = 512 << 10;
/// The same for tables.
const TABLE_RESIDENT: usize = 8 << 10;
/// Largest linear memory that a slot holds: all of 32-bit wasm. Address space is
/// reserved for it anyway; each plugin's own limit is applied when memory grows.
const SLOT_MEMORY: usize = 4 << 30;
/// Slots beside those of the workers, for checks of configuration and self-tests.
const SPARE_SLOTS: u32 = 8;
/// Instances at work for each worker: its own, and one for each of the two judges, of
/// requests and of answers.
const BUSY_PER_WORKER: u32 = 3;
/// Instances that may wait for their next event, for each worker: about as many as a
/// route has steps whose plugins reuse theirs.
const IDLE_PER_WORKER: u32 = 4;

/// An engine and how it allocates.
pub(super) struct PooledEngine {
    pub(super) engine: Engine,
    /// Slots of the pool; 0 when instances are allocated on demand.
    pub(super) slots: u32,
    /// Instances that may wait for their next event.
    pub(super) idle: usize,
}

/// Builds the engine, with fewer slots and at last without a pool where the address
/// space does not suffice (`ulimit -v`, small virtual address spaces).
pub(super) fn build(workers: usize) -> Result<PooledEngine, PluginError> {
    let workers = u32::try_from(workers).unwrap_or(u32::MAX);
    let mut slots = busy(workers).saturating_add(workers.saturating_mul(IDLE_PER_WORKER));
    while slots > 0 {
        let mut config = config();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(slots)));
        match Engine::new(&config) {
            Ok(engine) => return Ok(PooledEngine { engine, slots, idle: idle(slots, workers) }),
            Err(error) => {
                tracing::warn!(slots, error = format!("{error:#}"), "no room for a pool of plugin instances");
            }
        }
        slots /= 2;
    }
    tracing::warn!("plugin instances are allocated on demand, which is slower");
    let engine = Engine::new(&config()).map_err(|error| PluginError::Engine(format!("{error:#}")))?;
    Ok(PooledEngine { engine, slots: 0, idle: idle(0, workers) })
}

/// Slots that must be free of instances that wait.
const fn busy(workers: u32) -> u32 {
    workers.saturating_mul(BUSY_PER_WORKER).saturating_add(SPARE_SLOTS)
}

/// How many may wait: in a pool that is smaller than wanted, what those at work leave.
fn idle(slots: u32, workers: u32) -> usize {
    let wanted = workers.saturating_mul(IDLE_PER_WORKER);
    let room = if slots == 0 { wanted } else { slots.saturating_sub(busy(workers)).min(wanted) };
    usize::try_from(room).unwrap_or(usize::MAX)
}

/// An engine that compiles for the serving one and is then dropped: wasmtime keeps
/// the compiler's scratch memory for as long as the engine lives.
pub(super) fn compiler() -> Result<Engine, PluginError> {
    Engine::new(&config()).map_err(|error| PluginError::Engine(format!("{error:#}")))
}

/// What is not needed is off by name and not by default, because other crates in the
/// build may turn its cargo feature on.
fn config() -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .gc_support(false)
        .wasm_features(WasmFeatures::EXCEPTIONS | WasmFeatures::CM_ASYNC | WasmFeatures::THREADS, false)
        .shared_memory(false)
        .wasm_memory64(false)
        .epoch_interruption(true)
        .consume_fuel(false)
        .max_wasm_stack(STACK)
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES))
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .native_unwind_info(false)
        .relaxed_simd_deterministic(true)
        .parallel_compilation(true)
        .memory_init_cow(true);
    config
}

fn pool(slots: u32) -> PoolingAllocationConfig {
    let instances = u32::try_from(INSTANCES).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        // As much for every slot as one component may have: what has many tables takes
        // nothing from its neighbours.
        .total_core_instances(slots.saturating_mul(instances))
        .total_memories(slots.saturating_mul(MEMORIES))
        .total_tables(slots.saturating_mul(TABLES))
        .max_unused_warm_slots(slots)
        .max_core_instances_per_component(instances)
        .max_memories_per_component(MEMORIES)
        .max_memories_per_module(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_tables_per_module(TABLES)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(SLOT_MEMORY)
        .linear_memory_keep_resident(MEMORY_RESIDENT)
        .table_keep_resident(TABLE_RESIDENT)
        // It does not reset pages that were swapped out, so that the next instance
        // could read them.
        .pagemap_scan(Enabled::No);
    pool
}

/// Starts the thread that lets epochs pass; it ends with the engine.
pub(super) fn start_ticker(engine: &Engine) -> Result<(), PluginError> {
    let weak = engine.weak();
    let ticker = move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new()
        .name("plugin-epochs".into())
        .spawn(ticker)
        .map(drop)
        .map_err(|error| PluginError::Engine(format!("no thread for the plugins' deadlines: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_takes_no_place_of_who_works() {
        // With all that was wanted, with half of it, without a pool.
        assert_eq!((idle(120, 16), idle(60, 16), idle(0, 16)), (64, 4, 64));
        assert_eq!((idle(22, 2), idle(11, 2), idle(0, 2)), (8, 0, 8));
    }
}

//! What one plugin may use, and what the room is started with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Log lines longer than this are cut, in bytes.
pub(super) const LOG_LINE_BYTES: usize = 8 * 1024;
/// Metric names that one plugin may use.
pub(super) const METRIC_NAMES: usize = 32;
/// Random bytes that one call of `random.bytes` may ask for.
pub(super) const RANDOM_BYTES: u64 = 64 * 1024;
/// Headers, removed headers, attributes or destinations in one message.
pub(super) const ITEMS: usize = 256;
/// Core instances, memories and tables of one component: what toolchains emit for
/// one language runtime, with room.
pub(super) const INSTANCES: usize = 32;
/// Elements of all tables of a component; a Python runtime has some 10,000.
pub(super) const TABLE_ELEMENTS: usize = 100_000;
/// Handles that a guest may hold at once.
pub(super) const HANDLES: usize = 1_000;
/// How much longer than its CPU deadline a call may take by the wall clock.
pub(super) const WALL_FACTOR: u32 = 10;

/// What one call of a plugin may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// CPU time of one call, instance and `configure` included; time spent waiting
    /// counts as well. By the wall clock a call may take ten times as long.
    pub deadline: Duration,
    /// Linear memory, in bytes.
    pub memory: usize,
    /// What a call may return, and what it may hand to the gateway in all, in bytes.
    pub output_bytes: usize,
    /// Messages of one split.
    pub messages: usize,
    /// Log lines of one call, printed ones included; more are dropped and counted.
    pub log_lines: u32,
    /// Their bytes.
    pub log_bytes: usize,
    /// The component's file, in bytes.
    pub module_bytes: u64,
}

impl Limits {
    /// `deadline`, by default.
    pub const DEADLINE: Duration = Duration::from_millis(50);
    /// `memory`, by default: 64 MiB.
    pub const MEMORY: usize = 64 << 20;
    /// `output_bytes`, by default: 16 MiB.
    pub const OUTPUT_BYTES: usize = 16 << 20;
    /// `messages`, by default and by the contract.
    pub const MESSAGES: usize = 1_000;
    /// `log_lines`, by default and by the contract.
    pub const LOG_LINES: u32 = 100;
    /// `log_bytes`, by default and by the contract: 64 KiB.
    pub const LOG_BYTES: usize = 64 << 10;
    /// `module_bytes`, by default: 32 MiB, which holds a Python runtime.
    pub const MODULE_BYTES: u64 = 32 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Self::DEADLINE,
            memory: Self::MEMORY,
            output_bytes: Self::OUTPUT_BYTES,
            messages: Self::MESSAGES,
            log_lines: Self::LOG_LINES,
            log_bytes: Self::LOG_BYTES,
            module_bytes: Self::MODULE_BYTES,
        }
    }
}

/// What the room is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginSettings {
    /// The folder of `*.wasm` files. It need not exist.
    pub dir: PathBuf,
    /// Where compiled code and last good versions are kept; made when it is missing.
    /// `None`: nowhere, so each start compiles and a broken file has no predecessor.
    pub cache_dir: Option<PathBuf>,
    /// How many threads call plugins at once; instances are pooled for so many.
    pub workers: usize,
    /// For plugins without limits of their own.
    pub defaults: Limits,
    /// One plugin's own, by normalised name.
    pub overrides: BTreeMap<String, Limits>,
}

impl PluginSettings {
    /// The limits of the plugin of that (normalised) name.
    pub fn limits(&self, plugin: &str) -> &Limits {
        self.overrides.get(plugin).unwrap_or(&self.defaults)
    }
}

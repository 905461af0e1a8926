//! What a plugin may use: of a call, of what it hands over, and before it is called at all.
//! What operators may change is a field of [`Limits`]; the rest holds for every plugin.

use std::time::Duration;

/// How much longer than its processor time a call or a compilation may take by the wall
/// clock.
pub(super) const WALL_FACTOR: u32 = 10;

/// Log lines and reasons longer than this are cut, in bytes.
pub(super) const LOG_LINE_BYTES: usize = 8 << 10;
/// What `describe` may say in all, in bytes; it is kept for as long as the plugin serves.
pub(super) const DESCRIPTION_BYTES: usize = 256 << 10;
/// Random bytes that one call of `random.bytes` may ask for.
pub(super) const RANDOM_BYTES: u64 = 64 << 10;

/// Headers, removed headers, attributes or destinations in one message.
pub(super) const ITEMS: usize = 256;
/// A header's name or value, and what becomes one (media type, event type), in bytes:
/// what servers take in one line.
pub(super) const HEADER_BYTES: usize = 16 << 10;

/// Core instances of one component: what toolchains emit for one language runtime, with
/// room.
pub(super) const INSTANCES: usize = 32;
/// Linear memories of one component.
pub(super) const MEMORIES: u32 = 4;
/// Tables of one component.
pub(super) const TABLES: u32 = 16;
/// Elements of all tables of a component; a Python runtime has some 10,000.
pub(super) const TABLE_ELEMENTS: usize = 100_000;
/// Handles that a guest may hold at once, of the host's resources and of its own.
pub(super) const HANDLES: usize = 1_000;
/// Wasm stack of one call, in bytes. Worker threads have several times as much, because
/// overflowing the native stack would end the process.
pub(super) const STACK: usize = 512 << 10;
/// Machine code of one component, in bytes; it stays in memory while the plugin serves.
pub(super) const CODE_BYTES: u64 = 256 << 20;

/// What one plugin may use, as far as operators decide it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// CPU time of one call, instance and `configure` included; time spent waiting
    /// counts as well. By the wall clock a call may take ten times as long.
    pub deadline: Duration,
    /// Linear memory of one instance, in bytes.
    pub memory: usize,
    /// What a call may return, and what it may hand to the gateway meanwhile, in bytes.
    pub output_bytes: usize,
    /// Messages of one split.
    pub messages: usize,
    /// Log lines of one call, printed ones included; more are dropped and counted.
    pub log_lines: u32,
    /// Their bytes.
    pub log_bytes: usize,
    /// The component's file, in bytes.
    pub module_bytes: u64,
    /// What the plugin's durable keys and values may take together, in bytes.
    pub kv_size: u64,
    /// CPU time of compiling it, on all threads together, in whole seconds. By the wall
    /// clock it may take ten times as long.
    pub compile_time: Duration,
    /// Memory of the process that compiles it, in bytes.
    pub compile_memory: u64,
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
    /// `kv_size`, by default: 64 MiB.
    pub const KV_SIZE: u64 = 64 << 20;
    /// `compile_time`, by default.
    pub const COMPILE_TIME: Duration = Duration::from_secs(30);
    /// `compile_memory`, by default: 1 GiB.
    pub const COMPILE_MEMORY: u64 = 1 << 30;
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
            kv_size: Self::KV_SIZE,
            compile_time: Self::COMPILE_TIME,
            compile_memory: Self::COMPILE_MEMORY,
        }
    }
}

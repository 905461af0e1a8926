//! The plugin room, the only one that knows wasmtime: a folder of components in, calls
//! with recorded verdicts out.
//!
//! [`PluginHost`] loads and watches over the folder; [`Plugins`] is a snapshot of what
//! serves, for one run; [`Plugin::call`] makes one call on the calling thread, which
//! should be one of [`Workers`]. Nothing that a guest does is an error of this room: it
//! is a [`Call`] with its verdict.

mod bindings;
mod blame;
mod cache;
mod call;
mod classify;
mod compiler;
mod component;
mod engine;
mod folder;
mod granted;
mod guest;
mod imports;
mod journal;
mod judge;
mod kv;
mod limits;
mod measure;
mod meter;
mod output;
mod plugins;
mod reason;
mod registry;
mod reuse;
mod secrets;
mod settings;
mod state;
mod status;
mod stdio;
mod turns;
mod verify;
mod version;
mod wasi;
mod watch;
mod workers;

pub use call::{Call, CallInput, Output, PluginMessage};
pub use classify::{Classification, ClassifyInput};
pub use compiler::{Budget, COMMAND as COMPILE_COMMAND, Compiled, Compiler, REFUSED, compile_within};
pub use component::needs_grant;
pub use folder::normalize;
pub use judge::{Judge, Judged, NoAnswer};
pub use limits::Limits;
pub use measure::Parts;
pub use plugins::{Plugin, Plugins};
pub use reason::shortened;
pub use registry::{Context, PluginHost, Problem, ProblemKind, ScanReport};
pub use reuse::PluginId;
pub use settings::{Grants, PluginSettings, Policy};
pub use state::{NoState, StateReader, StateView};
pub use status::{PluginState, PluginStatus, ServingStatus};
pub use verify::{Acceptance, PluginResponse, Verification, VerifyInput};
pub use watch::{Settle, WatchError, Watcher};
pub use workers::{Job, JobLost, Workers};

/// Why the room could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// The engine, its threads or its links.
    #[error("the plugin engine does not start: {0}")]
    Engine(String),
    /// The folder for compiled code.
    #[error("the folder for compiled plugins cannot be used: {0}")]
    Cache(String),
}

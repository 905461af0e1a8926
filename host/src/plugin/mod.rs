//! The plugin room, the only one that knows wasmtime: a folder of components in, calls
//! with recorded verdicts out.
//!
//! [`PluginHost`] loads and watches over the folder; [`Plugins`] is a snapshot of what
//! serves, for one run; [`Plugin::call`] makes one call on the calling thread, which
//! should be one of [`Workers`]. Nothing that a guest does is an error of this room: it
//! is a [`Call`] with its verdict.

mod bindings;
mod cache;
mod call;
mod component;
mod engine;
mod folder;
mod guest;
mod imports;
mod journal;
mod limits;
mod meter;
mod output;
mod plugins;
mod registry;
mod status;
mod stdio;
mod version;
mod wasi;
mod watch;
mod workers;

pub use call::{Call, CallInput, Output, PluginMessage};
pub use folder::normalize;
pub use limits::{Limits, PluginSettings};
pub use plugins::{Plugin, Plugins};
pub use registry::{PluginHost, Problem, ProblemKind, ScanReport};
pub use status::{PluginState, PluginStatus, ServingStatus};
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

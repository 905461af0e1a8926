//! A run: one event on one route, and what its steps said.

use serde::{Deserialize, Serialize};

use super::Event;

/// Where a run stands.
///
/// ```text
/// pending ──► processed | dropped | failed
///    ▲  │ retry, held                 │ repeat of the event
///    └──┘◄────────────────────────────┘
/// ```
///
/// A replay makes a new run, of the next generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// To be processed at its due time.
    Pending,
    /// Its deliveries are committed.
    Processed,
    /// A step dropped it; the reason says which.
    Dropped,
    /// Given up and kept.
    Failed,
}

/// One event on one route, claimed for processing.
#[derive(Clone, Debug)]
pub struct Run {
    /// The event's number, by order of acceptance; with the route and the
    /// generation it names the run.
    pub seq: i64,
    /// The route's name.
    pub route: String,
    /// 0 for the first; a replay is the next.
    pub generation: u32,
    /// How often it was processed without an end before this time.
    pub attempts: u32,
    /// The event itself.
    pub event: std::sync::Arc<Event>,
    /// Names the lease under which it was claimed.
    pub lease: u64,
}

/// What a failed call does to its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The run fails and is kept.
    Dead,
    /// The event is dropped, with the error as reason.
    Drop,
    /// The step is passed over.
    Pass,
    /// The run is tried again after each delay, then `then` applies.
    Retry {
        /// Delay before each further try.
        delays: Vec<std::time::Duration>,
        /// What follows the last one; never itself a retry.
        then: Box<OnError>,
    },
}

/// What one call of a step came to, as it is stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The plugin's name.
    pub plugin: String,
    /// First 16 hex digits of the SHA-256 of the component that ran; empty when
    /// none did.
    pub digest: String,
    /// The version that it says it is, cut to 64 bytes; empty when none ran.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// What it said.
    pub verdict: StepVerdict,
    /// Its reason or error, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Wall-clock time of the call, in microseconds.
    pub micros: u64,
}

/// The kinds of [`StepRecord`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepVerdict {
    /// A filter let it through.
    Pass,
    /// A transform left it as it was.
    Unchanged,
    /// A transform made one message of it.
    Replace,
    /// A transform made several.
    Split,
    /// Dropped, by a filter or a transform.
    Drop,
    /// The plugin does not understand the event.
    InvalidInput,
    /// The plugin cannot work as configured: the run is held.
    Misconfigured,
    /// The plugin asks for a later try.
    Retry,
    /// Any other error of the plugin.
    Error,
    /// The component trapped: a panic, a bad access, a stack overflow.
    Trap,
    /// It used more time than its deadline.
    Timeout,
    /// It asked for more memory than its limit.
    Memory,
    /// What it returned breaks the contract (a forbidden header, an unknown
    /// destination, too much output).
    BadOutput,
    /// The plugin is not there: the run is held.
    Missing,
}

impl StepVerdict {
    /// Whether `on_error` applies.
    pub const fn is_error(self) -> bool {
        matches!(
            self,
            Self::InvalidInput
                | Self::Retry
                | Self::Error
                | Self::Trap
                | Self::Timeout
                | Self::Memory
                | Self::BadOutput
        )
    }

    /// Whether the plugin broke, rather than answered.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Error | Self::Trap | Self::Timeout | Self::Memory | Self::BadOutput)
    }

    /// Whether the call was ended, rather than came to its end.
    pub const fn is_cut(self) -> bool {
        matches!(self, Self::Trap | Self::Timeout | Self::Memory)
    }

    /// Whether the run waits, without an attempt being counted.
    pub const fn holds(self) -> bool {
        matches!(self, Self::Misconfigured | Self::Missing)
    }

    /// The word for metrics and logs, as JSON has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unchanged => "unchanged",
            Self::Replace => "replace",
            Self::Split => "split",
            Self::Drop => "drop",
            Self::InvalidInput => "invalid-input",
            Self::Misconfigured => "misconfigured",
            Self::Retry => "retry",
            Self::Error => "error",
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::BadOutput => "bad-output",
            Self::Missing => "missing",
        }
    }
}

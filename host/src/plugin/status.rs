//! How a plugin is, as the admin API shows it.

use serde::{Deserialize, Serialize};

/// One plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PluginStatus {
    /// Its name: the file's stem, with `-` for `_`.
    pub name: String,
    /// Its file.
    pub file: String,
    /// What it does now.
    pub state: PluginState,
    /// What is wrong with the file or a configuration, if anything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the configuration grants it: `kv`, `secrets:NAME`, `reveal:NAME`.
    #[serde(default)]
    pub grants: Vec<String>,
    /// What serves; absent when nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<ServingStatus>,
    /// Calls since the start, of all versions.
    pub calls: u64,
    /// Those of them that trapped or ran out of time or memory.
    pub traps: u64,
    /// Mean time of a call, in microseconds; 0 without calls.
    pub mean_micros: f64,
    /// Metrics that were dropped for their name or number.
    pub metrics_dropped: u64,
}

/// The version that serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServingStatus {
    /// First 16 hex digits of the SHA-256 of its file.
    pub digest: String,
    /// The version of the contract it was built for.
    pub contract: String,
    /// What it says of itself: its name,
    pub title: String,
    /// its version,
    pub version: String,
    /// and one sentence.
    pub description: String,
    /// JSON Schema of its configuration, where it declares one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<String>,
    /// Whether it reads bodies; otherwise none is handed to it.
    pub needs_body: bool,
    /// The headers that it reads; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_names: Option<Vec<String>>,
    /// `filter`, `transform`, `verify`, `classify`.
    pub exports: Vec<String>,
    /// The interfaces it imports.
    pub imports: Vec<String>,
    /// Size of its file, in bytes.
    pub size: u64,
    /// Linear memory that an instance starts with, in bytes.
    pub memory: u64,
    /// How long loading its code took, in milliseconds.
    pub compile_ms: u64,
    /// Whether that was code compiled earlier.
    pub cached: bool,
    /// When it was loaded, in milliseconds since 1970.
    pub loaded_at: i64,
}

/// What a plugin does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginState {
    /// Its file serves.
    Active,
    /// It serves, but its file is broken (the last good version serves) or a step's
    /// configuration is refused.
    Degraded,
    /// Its file is broken and there is no good version: its runs are held.
    Failed,
    /// Its file was deleted: its runs are held.
    Missing,
}

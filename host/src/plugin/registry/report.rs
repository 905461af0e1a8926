//! What a scan tells.

use super::super::journal;
use super::super::version::Unfit;

/// What a scan changed and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Plugins that serve a version which they did not before.
    pub loaded: Vec<String>,
    /// Plugins that no longer serve, because their file or a grant that they need is gone.
    pub removed: Vec<String>,
    /// Plugins that serve, and with other grants or secrets than before.
    pub granted: Vec<String>,
    /// What is wrong, new or still.
    pub problems: Vec<Problem>,
}

/// Something wrong with a plugin's file or configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The plugin's name, or the folder when that cannot be read.
    pub plugin: String,
    /// Which kind.
    pub kind: ProblemKind,
    /// For people: what is wrong and what to do about it.
    pub message: String,
}

/// The kinds of [`Problem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The file is not a plugin that can serve.
    File,
    /// The plugin refuses this configuration of a step (JSON text).
    Config(String),
}

impl ScanReport {
    /// Whether what serves, or what it was granted, is other than before.
    pub fn changed(&self) -> bool {
        !(self.loaded.is_empty() && self.removed.is_empty() && self.granted.is_empty())
    }
}

impl Problem {
    pub(super) fn of_config(plugin: &str, config: &str, unfit: &Unfit) -> Self {
        let message = format!("a configuration in force is refused: {}", unfit.message());
        Self { plugin: plugin.to_owned(), kind: ProblemKind::Config(config.to_owned()), message }
    }

    pub(super) fn of_file(plugin: &str, message: &str) -> Self {
        // It may quote names that the component chose.
        Self { plugin: plugin.to_owned(), kind: ProblemKind::File, message: journal::line(message) }
    }
}

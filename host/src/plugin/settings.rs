//! What the room is started with, and what each plugin is allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::compiler::Compiler;
use super::limits::Limits;
use crate::model::Secret;

/// What the room is started with.
#[derive(Clone, Debug)]
pub struct PluginSettings {
    /// The folder of `*.wasm` files. It need not exist.
    pub dir: PathBuf,
    /// Where compiled code and last good versions are kept; made when it is missing.
    /// `None`: nowhere, so each start compiles and a broken file has no predecessor.
    pub cache_dir: Option<PathBuf>,
    /// Where they are compiled.
    pub compiler: Compiler,
    /// How many threads call plugins at once; instances are pooled for so many.
    pub workers: usize,
    /// For plugins without a policy of their own.
    pub defaults: Policy,
    /// One plugin's own, by normalised name.
    pub plugins: BTreeMap<String, Policy>,
    /// What grants may name.
    pub secrets: BTreeMap<String, Secret>,
}

/// What one plugin may use and do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Of one call.
    pub limits: Limits,
    /// How many events one instance serves before it is replaced; 0: a fresh instance
    /// for each event.
    pub reuse: u32,
    /// What it may import beside what everyone may.
    pub grants: Grants,
}

/// The grants of one plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// `kv`.
    pub kv: bool,
    /// `secrets:NAME`: it may sign with these.
    pub secrets: BTreeSet<String>,
    /// `reveal:NAME`: it may read these.
    pub reveal: BTreeSet<String>,
}

impl Grants {
    /// As the configuration writes them.
    pub fn written(&self) -> Vec<String> {
        let secrets = self.secrets.iter().map(|name| format!("secrets:{name}"));
        let reveal = self.reveal.iter().map(|name| format!("reveal:{name}"));
        self.kv.then(|| "kv".to_owned()).into_iter().chain(secrets).chain(reveal).collect()
    }
}

impl PluginSettings {
    /// For plugins in `dir` without grants, each within `limits`; without a cache,
    /// compiled in this process.
    pub fn new(dir: impl Into<PathBuf>, limits: Limits) -> Self {
        Self {
            dir: dir.into(),
            cache_dir: None,
            compiler: Compiler::InProcess,
            workers: 2,
            defaults: Policy { limits, ..Policy::default() },
            plugins: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }

    /// What the plugin of that (normalised) name may do.
    pub fn policy(&self, plugin: &str) -> &Policy {
        self.plugins.get(plugin).unwrap_or(&self.defaults)
    }

    /// The limits of the plugin of that (normalised) name.
    pub fn limits(&self, plugin: &str) -> &Limits {
        &self.policy(plugin).limits
    }
}

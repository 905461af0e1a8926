//! What is known of one name: its file, the version that serves, what is wrong.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::component::CONTRACT;
use super::super::granted::Granted;
use super::super::guest::Shared;
use super::super::settings::{PluginSettings, Policy};
use super::super::status::{PluginState, PluginStatus, ServingStatus};
use super::super::version::{Unfit, Version};
use super::{Context, Problem};

/// What is known of one name.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) shared: Arc<Shared>,
    pub(super) files: Vec<PathBuf>,
    pub(super) version: Option<Arc<Version>>,
    pub(super) problem: Option<Problem>,
    /// What it was granted when the last scan looked.
    pub(super) granted: Arc<Granted>,
    pub(super) grants: Vec<String>,
    /// What the last scan judged, so that the same is not judged again.
    pub(super) judged: Option<Judged>,
    pub(super) missing: bool,
}

/// What a judgement depends on.
#[derive(Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) digest: String,
    pub(super) configs: BTreeSet<String>,
    pub(super) policy: Policy,
}

impl Entry {
    /// One that nothing is known of.
    pub(super) fn new(name: &str, context: Context) -> Self {
        let shared = Shared::new(name, context);
        Self {
            shared: Arc::new(shared),
            files: vec![],
            version: None,
            problem: None,
            granted: Arc::default(),
            grants: vec![],
            judged: None,
            missing: false,
        }
    }

    /// Takes what the settings grant it; whether that is other than before.
    pub(super) fn grant(&mut self, settings: &PluginSettings) -> bool {
        let grants = &settings.policy(&self.shared.name).grants;
        self.grants = grants.written();
        let granted = Granted::new(grants, &settings.secrets);
        let other = !granted.is_unchanged(&self.granted);
        if other {
            self.granted = Arc::new(granted);
        }
        other
    }

    /// The first configuration in force that the version refuses, and why.
    pub(super) fn refused_config(&self, version: &Version, judged: &Judged) -> Option<(String, Unfit)> {
        judged.configs.iter().find_map(|config| {
            let unfit = version.configure(&self.shared, &judged.policy.limits, config).err()?;
            Some((config.clone(), unfit))
        })
    }

    pub(super) fn shown_files(&self) -> String {
        self.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
    }

    /// As the admin API shows it.
    pub(super) fn status(&self) -> PluginStatus {
        let state = match (&self.version, &self.problem) {
            _ if self.missing => PluginState::Missing,
            (Some(_), None) => PluginState::Active,
            (Some(_), Some(_)) => PluginState::Degraded,
            (None, _) => PluginState::Failed,
        };
        let calls = self.shared.calls.load(Ordering::Relaxed);
        let nanos = self.shared.nanos.load(Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
        let mean_micros = if calls == 0 { 0.0 } else { nanos as f64 / calls as f64 / 1000.0 };
        PluginStatus {
            name: self.shared.name.to_string(),
            file: self.shown_files(),
            state,
            grants: self.grants.clone(),
            error: self.problem.as_ref().map(|p| p.message.clone()),
            serving: self.version.as_deref().map(serving),
            calls,
            traps: self.shared.traps.load(Ordering::Relaxed),
            mean_micros,
            metrics_dropped: self.shared.metrics_dropped.load(Ordering::Relaxed),
        }
    }
}

fn serving(version: &Version) -> ServingStatus {
    ServingStatus {
        digest: version.digest[..16].to_owned(),
        contract: CONTRACT.to_owned(),
        title: version.metadata.name.clone(),
        version: version.metadata.version.clone(),
        description: version.metadata.description.clone(),
        config_schema: version.metadata.config_schema.clone(),
        needs_body: version.metadata.needs_body,
        header_names: version.metadata.header_names.clone(),
        exports: version.interfaces.exports.clone(),
        imports: version.interfaces.imports.clone(),
        size: version.size,
        memory: version.memory,
        compile_ms: u64::try_from(version.compile_time.as_millis()).unwrap_or(u64::MAX),
        cached: version.cached,
        loaded_at: version.loaded_at.0,
    }
}

//! What a plugin was granted, as its guests use it: only during their capability, never
//! while they start, describe or configure themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::guest::Guest;
use super::settings::Grants;
use super::state::StateView;
use crate::model::Secret;

/// Grants with what they stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Granted {
    pub(super) kv: bool,
    /// It may sign with these, by name.
    pub(super) secrets: BTreeMap<String, Secret>,
    /// It may read these, by name.
    pub(super) reveal: BTreeMap<String, Secret>,
}

/// What a guest may do with durable values now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum StateMode {
    /// Nothing, and its secrets are kept from it as well.
    #[default]
    None,
    /// Read: `verify` and `classify`.
    ReadOnly,
    /// Read and write: `filter` and `transform`.
    Run,
}

/// What a guest may do now, and with what.
#[derive(Debug, Default)]
pub(super) struct Powers {
    pub(super) mode: StateMode,
    pub(super) granted: Arc<Granted>,
    /// Bytes that the plugin's keys and values may take.
    pub(super) kv_size: u64,
    /// There unless `mode` is `None`.
    pub(super) state: Option<StateView>,
}

impl Granted {
    pub(super) fn new(grants: &Grants, secrets: &BTreeMap<String, Secret>) -> Self {
        let named = |names: &std::collections::BTreeSet<String>| {
            let known = names.iter().filter_map(|name| Some((name.clone(), secrets.get(name)?.clone())));
            known.collect()
        };
        Self { kv: grants.kv, secrets: named(&grants.secrets), reveal: named(&grants.reveal) }
    }

    /// Whether the operator left it as it was, the secrets' texts included.
    pub(super) fn is_unchanged(&self, since: &Self) -> bool {
        let Self { kv, secrets, reveal } = self;
        *kv == since.kv
            && Secret::are_unchanged(secrets, &since.secrets)
            && Secret::are_unchanged(reveal, &since.reveal)
    }
}

impl Guest {
    /// From here on the guest may use what it was granted.
    pub(super) fn empower(
        &mut self,
        mode: StateMode,
        granted: &Arc<Granted>,
        kv_size: u64,
        state: &mut StateView,
    ) {
        self.powers = Powers { mode, granted: Arc::clone(granted), kv_size, state: Some(state.lend()) };
    }

    /// Its call has ended: what it did to durable values goes back.
    pub(super) fn disempower(&mut self, state: &mut StateView) {
        if let Some(changed) = std::mem::take(&mut self.powers).state {
            *state = changed;
        }
    }

    /// Whether it may use its secrets.
    pub(super) fn may_use_secrets(&self) -> bool {
        self.powers.mode != StateMode::None
    }
}

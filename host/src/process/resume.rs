//! Held runs go on by themselves, once what holds them is another than it was.
//!
//! Only those that a change concerns become due: a plugin that is still missing keeps its
//! runs where they are, however many. They become due step by step, each when what was
//! due before it has been claimed, so that what is accepted meanwhile never waits behind
//! more than a step of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::plugin::{PluginHost, PluginId};
use crate::store::{Holder, Resumed, Store, StoreError};

use super::{Changes, POLL, Routes};

/// Runs in one transaction: accepts wait no longer than this many updates take.
const STEP: usize = 500;

/// Makes held runs due whenever plugins or configuration changed, and once at start.
pub(super) struct Resumer {
    pub(super) store: Arc<dyn Store>,
    pub(super) routes: Arc<ArcSwap<Routes>>,
    pub(super) plugins: Arc<PluginHost>,
    pub(super) changes: Changes,
    /// Rung when runs have become due.
    pub(super) bell: Arc<Notify>,
    /// Whether all that was due has been claimed.
    pub(super) drained: Arc<watch::Sender<bool>>,
    pub(super) soft: CancellationToken,
}

/// What runs can be held for, as of one moment.
#[derive(Clone, Debug)]
struct World {
    /// A reload of the configuration makes others.
    routes: Arc<Routes>,
    /// The plugins that serve. One that went and came back between two looks is another.
    versions: BTreeMap<String, PluginId>,
}

impl Resumer {
    pub(super) async fn run(self) {
        // Nothing is known of what held runs before the start.
        let mut before = None;
        loop {
            let now = self.world();
            match self.pass(before.as_ref(), &now).await {
                Ok(()) => before = Some(now),
                Err(error) => {
                    tracing::error!(%error, "held runs cannot be resumed; trying again");
                    if self.soft.run_until_cancelled(tokio::time::sleep(POLL)).await.is_none() {
                        return;
                    }
                    continue;
                }
            }
            let Some(missed) = self.soft.run_until_cancelled(self.changes.changed()).await else { return };
            if missed {
                before = None;
            }
        }
    }

    fn world(&self) -> World {
        let plugins = self.plugins.plugins();
        let version = |name: &str| Some((name.to_owned(), plugins.get(name)?.id()));
        World { routes: self.routes.load_full(), versions: plugins.names().filter_map(version).collect() }
    }

    async fn pass(&self, before: Option<&World>, now: &World) -> Result<(), StoreError> {
        for holder in self.store.holders().await?.iter().filter(|holder| concerned(holder, before, now)) {
            let mut after = 0;
            while !self.soft.is_cancelled() {
                self.drained.send_replace(false);
                let Resumed { count, last } = self.store.resume_held(holder, after, STEP).await?;
                if count > 0 {
                    self.bell.notify_one();
                }
                if count < STEP {
                    break;
                }
                after = last;
                let drained = self.drained.subscribe();
                self.until(drained).await;
            }
        }
        Ok(())
    }

    /// Waits until the stage has claimed what is due; at most for a moment, because a slow
    /// route may keep it from doing so.
    async fn until(&self, mut drained: watch::Receiver<bool>) {
        let wait = tokio::time::timeout(POLL, drained.wait_for(|drained| *drained));
        drop(self.soft.run_until_cancelled(wait).await);
    }
}

/// Whether runs that `holder` holds may come further than before.
fn concerned(holder: &Holder, before: Option<&World>, now: &World) -> bool {
    // Of a route that is gone, what was held for a plugin is told so, once.
    let Some(route) = now.routes.get(&holder.route) else { return holder.plugin.is_some() };
    let Some(plugin) = &holder.plugin else { return true };
    let version = now.versions.get(plugin);
    if version.is_none() && route.steps.iter().any(|step| step.plugin == *plugin) {
        return false;
    }
    before.is_none_or(|before| {
        !Arc::ptr_eq(&before.routes, &now.routes) || before.versions.get(plugin) != version
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{OnError, Route, Step};

    fn route(name: &str, plugins: &[&str]) -> (String, Route) {
        let step = |plugin: &&str| Step {
            plugin: (*plugin).to_owned(),
            config: "null".into(),
            on_error: OnError::Dead,
        };
        let steps = plugins.iter().map(step).collect();
        (name.to_owned(), Route { name: name.into(), from: vec![], types: vec![], steps, to: vec![] })
    }

    fn world(routes: &Arc<Routes>, versions: &[(&str, u64)]) -> World {
        let version = |(name, id): &(&str, u64)| ((*name).to_owned(), PluginId(*id));
        World { routes: Arc::clone(routes), versions: versions.iter().map(version).collect() }
    }

    #[test]
    fn only_what_a_change_concerns_goes_on() {
        let routes = Arc::new(Routes::from([route("r", &["p"]), route("s", &["p", "q"])]));
        let reloaded = Arc::new(Routes::from([route("r", &[]), route("s", &["p", "q"])]));
        let none = world(&routes, &[]);
        let first = world(&routes, &[("p", 1)]);
        let second = world(&routes, &[("p", 2), ("q", 3)]);
        let without = world(&reloaded, &[]);
        let cases = [
            // At the start: whatever could go on.
            ("r", Some("p"), None, &none, false),
            ("r", Some("p"), None, &first, true),
            ("s", Some("q"), None, &first, false),
            // The route is there, or not.
            ("r", None, Some(&first), &first, true),
            ("gone", None, None, &first, false),
            ("gone", Some("p"), None, &first, true),
            // The plugin is another, or the same.
            ("r", Some("p"), Some(&none), &first, true),
            ("r", Some("p"), Some(&first), &first, false),
            ("r", Some("p"), Some(&first), &second, true),
            ("s", Some("q"), Some(&first), &second, true),
            ("r", Some("p"), Some(&first), &none, false),
            // The configuration is another: the plugin may be wanted no more.
            ("r", Some("p"), Some(&none), &without, true),
            ("s", Some("p"), Some(&none), &without, false),
            ("r", Some("p"), Some(&first), &world(&reloaded, &[("p", 1)]), true),
        ];
        for (route, plugin, before, now, expected) in cases {
            let holder = Holder { route: route.into(), plugin: plugin.map(Into::into) };
            assert_eq!(concerned(&holder, before, now), expected, "{holder:?} {before:?} {now:?}");
        }
    }
}

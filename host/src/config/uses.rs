//! Where a configuration names plugins, and what it asks of them there.

use super::Config;
use crate::model::NamedPlugin;

/// A place that names a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginUse {
    /// For people: `route "orders"`.
    pub place: String,
    /// The plugin and the configuration that it is given there.
    pub named: NamedPlugin,
    /// What it is asked for.
    pub asks: Asks,
}

/// What a place asks its plugin for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// A route: `filter` or `transform`.
    Step,
    /// A source.
    Verify,
    /// A destination.
    Classify,
}

impl Asks {
    /// What a plugin with these exports lacks for it, for people.
    pub fn missing_in(self, exports: &[String]) -> Option<&'static str> {
        let has = |wanted: &str| exports.iter().any(|export| export == wanted);
        match self {
            Self::Step => (!has("filter") && !has("transform")).then_some("neither `filter` nor `transform`"),
            Self::Verify => (!has("verify")).then_some("no `verify`"),
            Self::Classify => (!has("classify")).then_some("no `classify`"),
        }
    }
}

impl PluginUse {
    /// What happens there while the plugin cannot be asked, for people.
    pub const fn meanwhile(&self) -> &'static str {
        match self.asks {
            Asks::Step => "its runs are held",
            Asks::Verify => "its requests are answered 503",
            Asks::Classify => "its answers mean what their status says",
        }
    }
}

impl Config {
    /// Every place that names a plugin: routes, sources, destinations, each by name.
    pub fn plugin_uses(&self) -> Vec<PluginUse> {
        let steps = self.routes.values().flat_map(|route| {
            let place = format!("route \"{}\"", route.name);
            route.steps.iter().map(move |step| {
                let named = NamedPlugin { plugin: step.plugin.clone(), config: step.config.clone() };
                PluginUse { place: place.clone(), named, asks: Asks::Step }
            })
        });
        let sources = self.front_door.sources.values().filter_map(|source| {
            let named = source.scheme.plugin()?.as_ref().clone();
            Some(PluginUse { place: format!("source \"{}\"", source.name), named, asks: Asks::Verify })
        });
        let destinations = self.destinations.iter().filter_map(|destination| {
            let named = destination.classify.as_ref()?.as_ref().clone();
            let place = format!("destination \"{}\"", destination.name);
            Some(PluginUse { place, named, asks: Asks::Classify })
        });
        let mut uses: Vec<_> = steps.chain(sources).chain(destinations).collect();
        uses.sort_by(|a, b| (&a.place, &a.named).cmp(&(&b.place, &b.named)));
        uses
    }

    /// Every (plugin, config) that a place names.
    pub fn plugin_configs(&self) -> Vec<(String, String)> {
        let pair = |used: PluginUse| (used.named.plugin, used.named.config);
        let mut all: Vec<_> = self.plugin_uses().into_iter().map(pair).collect();
        all.sort();
        all.dedup();
        all
    }
}

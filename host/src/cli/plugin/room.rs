//! The production engine and limits for one component, away from any gateway.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::clock::{Clock, Random};
use crate::config::{Config, Secret, resolve_secret};
use crate::metrics::Metrics;
use crate::model::Millis;
use crate::plugin::{
    self, Compiler, Grants, Limits, NoState, Plugin, PluginHost, PluginSettings, Policy, ServingStatus,
    normalize,
};

/// Stands among the grants where no secret is given: so a plugin that asks for secrets
/// loads, and is refused each by its name.
const NO_SECRET: &str = "none-given";

/// What a plugin may use and do while it is tried.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Options {
    /// Take limits, grants and secrets from the gateway's configuration; without it a
    /// plugin has the default limits and every grant
    #[arg(short = 'c', long = "gateway", value_name = "hookloom.toml")]
    pub(super) gateway: Option<PathBuf>,
    /// A secret that the plugin may use: its text, `env:NAME` or `file:PATH`; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE", value_parser = secret)]
    secrets: Vec<(String, Secret)>,
}

fn secret(text: &str) -> Result<(String, Secret), String> {
    let (name, reference) = text.split_once('=').ok_or("write it like NAME=VALUE")?;
    let (secret, _) = resolve_secret(reference, Path::new(""))?;
    Ok((name.to_owned(), secret))
}

/// One component, loaded as the gateway loads it.
pub(super) struct Room {
    host: Arc<PluginHost>,
    clock: Clock,
    name: String,
    settings: PluginSettings,
    /// The gateway's, where one was named; otherwise everything is granted.
    pub(super) config: Option<Config>,
    given: RefCell<BTreeMap<String, Secret>>,
    _folder: TempDir,
}

impl Room {
    /// Loads a component. It goes by its file's name, as in the plugins folder.
    ///
    /// # Errors
    /// In the gateway's words: why it would not serve.
    pub(super) fn open(wasm: &Path, options: &Options) -> anyhow::Result<Self> {
        anyhow::ensure!(
            !wasm.is_dir(),
            "{0} is a folder, not a component\n    help: `hookloom plugin build {0}` makes one of it",
            wasm.display()
        );
        let stem = wasm.file_stem().unwrap_or_default().to_string_lossy();
        let name = normalize(&stem);
        let folder = TempDir::new().context("no place for a copy of the component")?;
        fs::copy(wasm, folder.path().join(format!("{name}.wasm")))
            .with_context(|| format!("{} cannot be read", wasm.display()))?;
        let config = options.gateway.as_deref().map(Config::load).transpose()?;
        let settings = settings(&name, folder.path(), config.as_ref(), &options.secrets);
        // It stands still, so that what a plugin makes of the time can be told beforehand.
        let clock = Clock::standing(Clock::system().now());
        let context = plugin::Context {
            clock: clock.clone(),
            random: Random::seeded(0),
            metrics: Arc::new(Metrics::new()),
            state: Arc::new(NoState),
        };
        let host = PluginHost::start(settings.clone(), context)?;
        let room = Self { host, clock, name, settings, config, given: RefCell::default(), _folder: folder };
        room.scan().with_context(|| wasm.display().to_string())?;
        Ok(room)
    }

    /// The plugin, to be called at that time and with these secrets beside its own.
    pub(super) fn plugin(
        &self,
        now: Millis,
        secrets: &BTreeMap<String, Secret>,
    ) -> anyhow::Result<Arc<Plugin>> {
        self.clock.jump_to(now);
        if !Secret::are_unchanged(secrets, &self.given.borrow()) {
            let mut settings = self.settings.clone();
            give(&mut settings, secrets, self.config.is_none());
            self.host.set_settings(settings);
            self.scan()?;
            self.given.replace(secrets.clone());
        }
        self.host.plugins().get(&self.name).context("the plugin no longer serves")
    }

    /// What is known of it.
    pub(super) fn status(&self) -> anyhow::Result<ServingStatus> {
        let found = self.host.status().into_iter().find(|status| status.name == self.name);
        found.and_then(|status| status.serving).context("the plugin does not serve")
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What it may use.
    pub(super) fn policy(&self) -> &Policy {
        self.settings.policy(&self.name)
    }

    /// Asks it whether it takes a step's configuration (JSON text); the message says why
    /// not.
    pub(super) fn check_config(&self, config: &str) -> Result<(), String> {
        self.host.check_config(&self.name, config)
    }

    fn scan(&self) -> anyhow::Result<()> {
        let problem = self.host.scan(&[]).problems.into_iter().next();
        anyhow::ensure!(problem.is_none(), problem.map(|problem| problem.message).unwrap_or_default());
        let serves = self.host.plugins().get(&self.name).is_some();
        anyhow::ensure!(
            serves,
            "`{}` is no name for a plugin: the gateway passes over such files",
            self.name
        );
        Ok(())
    }
}

/// The gateway's settings for it, or the defaults with every grant.
fn settings(
    name: &str,
    folder: &Path,
    config: Option<&Config>,
    secrets: &[(String, Secret)],
) -> PluginSettings {
    let base = config.map_or_else(|| everything(name, folder), |config| config.plugins.clone());
    // Without the gateway's cache: nothing of a running one changes.
    let (dir, compiler) = (folder.to_owned(), Compiler::this_program());
    let mut settings = PluginSettings { dir, cache_dir: None, workers: 1, compiler, ..base };
    // What one call leaves behind is not what another one begins with.
    let policies = settings.plugins.values_mut().chain([&mut settings.defaults]);
    policies.for_each(|policy| policy.reuse = 0);
    give(&mut settings, &secrets.iter().cloned().collect(), config.is_none());
    settings
}

fn everything(name: &str, folder: &Path) -> PluginSettings {
    let none_given = BTreeSet::from([NO_SECRET.to_owned()]);
    let grants = Grants { kv: true, secrets: none_given.clone(), reveal: none_given };
    let mut settings = PluginSettings::new(folder, Limits::default());
    settings.plugins.insert(name.to_owned(), Policy { grants, ..Policy::default() });
    settings
}

/// Adds secrets, and where there is no configuration to say so, the right to use them.
fn give(settings: &mut PluginSettings, secrets: &BTreeMap<String, Secret>, grant: bool) {
    settings.secrets.extend(secrets.clone());
    if grant {
        for policy in settings.plugins.values_mut() {
            policy.grants.secrets.extend(secrets.keys().cloned());
            policy.grants.reveal.extend(secrets.keys().cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_configuration_everything_is_granted() {
        let key = [("KEY".to_owned(), Secret::from_text("k".to_owned()))];
        let settings = settings("p", Path::new("."), None, &key);
        let grants = &settings.policy("p").grants;
        assert!(grants.kv && grants.secrets.contains("KEY") && grants.reveal.contains("KEY"));
        assert_eq!(settings.policy("p").limits, Limits::default());
        assert_eq!(settings.secrets["KEY"].expose(), "k");
    }

    #[test]
    fn secrets_are_named() {
        assert_eq!(secret("A=b=c").unwrap().1.expose(), "b=c");
        assert_eq!(secret("A").unwrap_err(), "write it like NAME=VALUE");
        assert!(secret("A=env:HOOKLOOM_TEST_NOT_SET").unwrap_err().contains("is not set"));
    }
}

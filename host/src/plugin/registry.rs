//! Which version of each plugin serves. A scan looks at the folder, prepares what is
//! new off the hot path and then swaps the snapshot; what is broken changes nothing.

mod entry;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use wasmtime::Engine;
use wasmtime::component::Linker;

use super::cache::Cache;
use super::compiler::Compiler;
use super::guest::Guest;
use super::plugins::{Plugin, Plugins};
use super::reuse::{Idle, PluginId};
use super::settings::{PluginSettings, Policy};
use super::state::StateReader;
use super::status::PluginStatus;
use super::version::{self, Loader, Unfit, Version};
use super::{PluginError, engine, folder, imports, wasi};
use crate::clock::{Clock, Random};
use crate::metrics::Metrics;
use entry::{Entry, Judged};

pub use report::{Problem, ProblemKind, ScanReport};

/// The room's keeper. One for a process: compiled code belongs to its engine.
pub struct PluginHost {
    engine: Engine,
    slots: u32,
    linker: Linker<Guest>,
    cache: Option<Cache>,
    compiler: Compiler,
    context: Context,
    settings: ArcSwap<PluginSettings>,
    serving: ArcSwap<Plugins>,
    /// One scan at a time; it holds this for as long as compiling takes.
    entries: Mutex<BTreeMap<String, Entry>>,
    /// The entries as the last scan left them, for everyone who must not wait.
    seen: ArcSwap<BTreeMap<String, Entry>>,
    /// Instances between two events, of plugins that reuse them.
    idle: Arc<Idle>,
    ids: AtomicU64,
}

/// What plugins reach through the room.
#[derive(Clone, Debug)]
pub struct Context {
    /// Time.
    pub clock: Clock,
    /// What is unpredictable.
    pub random: Random,
    /// Counts, the gateway's and the plugins' own.
    pub metrics: Arc<Metrics>,
    /// Where their durable values are read.
    pub state: Arc<dyn StateReader>,
}

impl PluginHost {
    /// Opens the room. Nothing serves until the first [`scan`](Self::scan).
    pub fn start(settings: PluginSettings, context: Context) -> Result<Arc<Self>, PluginError> {
        let engine::PooledEngine { engine, slots, idle } = engine::build(settings.workers)?;
        let idle = Arc::new(Idle::new(idle));
        engine::start_ticker(&engine)?;
        let mut linker = Linker::new(&engine);
        let result = wasi::link(&mut linker).and_then(|()| imports::link(&mut linker));
        result.map_err(|error| PluginError::Engine(format!("{error:#}")))?;
        let cache = match &settings.cache_dir {
            None => None,
            Some(dir) => Cache::open(dir, &engine)
                .inspect_err(|error| {
                    let dir = dir.display();
                    tracing::warn!(%dir, %error, "no cache of compiled plugins: each start compiles them");
                })
                .ok(),
        };
        Ok(Arc::new(Self {
            engine,
            slots,
            linker,
            cache,
            compiler: settings.compiler.clone(),
            context,
            settings: ArcSwap::from_pointee(settings),
            serving: ArcSwap::default(),
            entries: Mutex::default(),
            seen: ArcSwap::default(),
            idle,
            ids: AtomicU64::new(0),
        }))
    }

    /// Takes new policies and secrets, and a new folder if it is another; they are in force after
    /// the next scan. The number of workers, the cache and the compiler stay as they were.
    pub fn set_settings(&self, settings: PluginSettings) {
        self.settings.store(Arc::new(settings));
    }

    /// How many instances the pool has room for; 0: they are allocated on demand.
    pub const fn pool_slots(&self) -> u32 {
        self.slots
    }

    /// What serves now, without a lock.
    pub fn plugins(&self) -> Arc<Plugins> {
        self.serving.load_full()
    }

    /// Asks the version that serves whether it takes that configuration; the message
    /// says why not. Runs the plugin on this thread, for its deadline at most.
    pub fn check_config(&self, plugin: &str, config: &str) -> Result<(), String> {
        self.check_config_under(&self.settings.load(), plugin, config)
    }

    /// The same within the limits of settings that are not in force yet.
    pub fn check_config_under(
        &self,
        settings: &PluginSettings,
        plugin: &str,
        config: &str,
    ) -> Result<(), String> {
        let Some(found) = self.plugins().get(plugin) else {
            return Err(match self.seen.load().get(plugin).and_then(|e| e.problem.clone()) {
                Some(problem) => format!("the plugin `{plugin}` does not load: {}", problem.message),
                None => format!("there is no plugin `{plugin}` in {}", settings.dir.display()),
            });
        };
        let taken = found.version.configure(&found.shared, settings.limits(plugin), config);
        taken.map_err(|unfit| unfit.message().to_owned())
    }

    /// Whether the plugin's file, other than the version that serves, would serve under
    /// `settings`, which are not in force yet: `suits` what it exports, and it takes all of
    /// the plugin's configurations among `configs`. A version and the configuration that
    /// only it takes wait for each other. Blocks as a scan does.
    pub fn waits_for(
        &self,
        settings: &PluginSettings,
        plugin: &str,
        suits: impl FnOnce(&[String]) -> bool,
        configs: &[(String, String)],
    ) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let found = folder::list(&settings.dir).unwrap_or_default();
        let (Some(entry), Some([file])) = (entries.get(plugin), found.get(plugin).map(Vec::as_slice)) else {
            return false;
        };
        let policy = settings.policy(plugin);
        let Ok(wasm) = folder::read(file, policy.limits.module_bytes) else { return false };
        let digest = version::digest(&wasm);
        if entry.version.as_ref().is_some_and(|serving| serving.digest == digest) {
            return false;
        }
        let Ok(version) = self.loader(entry, policy).load(&wasm, digest) else { return false };
        let mut configs = configs.iter().filter(|(name, _)| name == plugin);
        suits(&version.interfaces.exports)
            && configs.all(|(_, config)| version.configure(&entry.shared, &policy.limits, config).is_ok())
    }

    /// Brings what serves in line with the folder. `configs` are the configurations
    /// (JSON text) of all steps in force, each with the name of its plugin: a new
    /// version that refuses one of them does not replace an old one. Blocks, for as
    /// long as compiling takes: not for asynchronous threads.
    pub fn scan(&self, configs: &[(String, String)]) -> ScanReport {
        let settings = self.settings.load_full();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report = ScanReport::default();
        let found = match folder::list(&settings.dir) {
            Ok(found) => found,
            Err(error) => {
                let message = format!("the folder cannot be read: {error}");
                let plugin = settings.dir.display().to_string();
                tracing::error!(folder = plugin, "{message}");
                report.problems.push(Problem { plugin, kind: ProblemKind::File, message });
                // What is known goes on, under the settings as they are now.
                let known = entries.iter().filter(|(_, entry)| !entry.missing);
                known.map(|(name, entry)| (name.clone(), entry.files.clone())).collect()
            }
        };
        for (name, entry) in
            entries.iter_mut().filter(|(name, entry)| !found.contains_key(*name) && !entry.missing)
        {
            self.remove(name, entry, &mut report);
        }
        for (name, files) in found {
            let entry =
                entries.entry(name.clone()).or_insert_with(|| Entry::new(&name, self.context.clone()));
            entry.files = files;
            entry.missing = false;
            let configs =
                configs.iter().filter(|(plugin, _)| *plugin == name).map(|(_, c)| c.clone()).collect();
            let before = entry.version.as_ref().map(|v| v.digest.clone());
            let problem = entry.problem.clone();
            self.judge(entry, configs, settings.policy(&name));
            let granted = entry.grant(&settings);
            match &entry.version {
                None if before.is_some() => report.removed.push(name),
                Some(version) if before.as_ref() != Some(&version.digest) => report.loaded.push(name),
                Some(_) if granted => report.granted.push(name),
                _ => {}
            }
            if let Some(new) = entry.problem.as_ref().filter(|new| Some(*new) != problem.as_ref()) {
                self.refuse(entry, new);
            }
        }
        report.problems.extend(entries.values().filter_map(|entry| entry.problem.clone()));
        self.publish(&entries, &settings);
        self.tell(&report);
        report
    }

    /// All plugins that were ever seen, by name.
    pub fn status(&self) -> Vec<PluginStatus> {
        self.seen.load().values().map(Entry::status).collect()
    }

    /// A deleted plugin does not come back by a broken file of its name. While the
    /// folder itself is away, though, it may be about to return as it was.
    fn remove(&self, name: &str, entry: &mut Entry, report: &mut ScanReport) {
        entry.missing = true;
        entry.problem = None;
        entry.judged = None;
        if entry.version.take().is_some() {
            report.removed.push(name.to_owned());
        }
        if self.settings.load().dir.is_dir()
            && let Some(cache) = &self.cache
        {
            cache.forget_last_good(name);
        }
    }

    /// Decides which version of a plugin serves.
    fn judge(&self, entry: &mut Entry, configs: BTreeSet<String>, policy: &Policy) {
        let name = Arc::clone(&entry.shared.name);
        if entry.version.as_ref().is_some_and(|version| !version.fits(&name, policy)) {
            // Its runs are held, as those of a plugin that is not there.
            entry.version = None;
        }
        let wasm = match entry.files.as_slice() {
            [file] => folder::read(file, policy.limits.module_bytes),
            _ => Err(format!("several files have this name: {}", entry.shown_files())),
        };
        let wasm = match wasm {
            Ok(wasm) => wasm,
            Err(message) => {
                entry.judged = None;
                entry.problem = Some(Problem::of_file(&name, &message));
                return self.fall_back(entry, policy);
            }
        };
        let judged = Judged { digest: version::digest(&wasm), configs, policy: policy.clone() };
        if entry.judged.as_ref() == Some(&judged) {
            return;
        }
        let candidate = self.candidate(entry, &wasm, &judged);
        let refusal = candidate.as_ref().ok().and_then(|new| entry.refused_config(new, &judged));
        // What the machine did is no verdict on the file: the next scan asks again.
        let lasts = !matches!(
            (&candidate, &refusal),
            (Err(Unfit::Machine(_)), _) | (_, Some((_, Unfit::Machine(_))))
        );
        entry.problem = match (&candidate, refusal.as_ref()) {
            (Err(unfit), _) => Some(Problem::of_file(&name, unfit.message())),
            (Ok(_), refusal) => refusal.map(|(config, unfit)| Problem::of_config(&name, config, unfit)),
        };
        match candidate {
            Ok(new) if refusal.is_none() => self.promote(entry, new, &wasm),
            Ok(new) => {
                // Without a predecessor the new version serves: then only the steps
                // whose configuration it refuses are held, and not all of them.
                self.fall_back(entry, policy);
                if entry.version.is_none() {
                    entry.version = Some(new);
                }
            }
            Err(_) => self.fall_back(entry, policy),
        }
        entry.judged = lasts.then_some(judged);
    }

    /// The version of the file: the one that serves, if it is that.
    fn candidate(&self, entry: &Entry, wasm: &[u8], judged: &Judged) -> Result<Arc<Version>, Unfit> {
        match &entry.version {
            Some(version) if version.digest == judged.digest => Ok(Arc::clone(version)),
            _ => self.loader(entry, &judged.policy).load(wasm, judged.digest.clone()).map(Arc::new),
        }
    }

    fn loader<'a>(&'a self, entry: &'a Entry, policy: &'a Policy) -> Loader<'a> {
        let (engine, linker, cache) = (&self.engine, &self.linker, self.cache.as_ref());
        let Policy { limits, grants, .. } = policy;
        let compiler = &self.compiler;
        Loader { engine, linker, cache, compiler, shared: &entry.shared, limits, grants }
    }

    fn promote(&self, entry: &mut Entry, new: Arc<Version>, wasm: &[u8]) {
        let same = entry.version.as_ref().is_some_and(|old| old.digest == new.digest);
        if !same
            && let Some(cache) = &self.cache
            && cache.last_good(&entry.shared.name).as_deref() != Some(wasm)
            && let Err(error) = cache.keep_last_good(&entry.shared.name, wasm)
        {
            tracing::warn!(plugin = &*entry.shared.name, %error, "cannot be kept for the next start");
        }
        entry.version = Some(new);
    }

    /// After a restart beside a broken file: the version that served before it.
    fn fall_back(&self, entry: &mut Entry, policy: &Policy) {
        if entry.version.is_some() {
            return;
        }
        let Some(wasm) = self.cache.as_ref().and_then(|cache| cache.last_good(&entry.shared.name)) else {
            return;
        };
        match self.loader(entry, policy).load(&wasm, version::digest(&wasm)) {
            Ok(version) => entry.version = Some(Arc::new(version)),
            Err(unfit) => {
                let error = unfit.message();
                tracing::warn!(plugin = &*entry.shared.name, error, "its last good version fails as well");
            }
        }
    }

    fn publish(&self, entries: &BTreeMap<String, Entry>, settings: &PluginSettings) {
        let before = self.serving.load();
        let plugin = |(name, entry): (&String, &Entry)| {
            let version = entry.version.as_ref()?;
            let policy = settings.policy(name);
            // One that is as it was stays, and its waiting instances with it.
            let same = before.by_name.get(name).filter(|old| old.is(version, policy, &entry.granted));
            let plugin = same.map_or_else(|| Arc::new(self.plugin(entry, version, policy)), Arc::clone);
            Some((name.clone(), plugin))
        };
        let by_name: BTreeMap<_, _> = entries.iter().filter_map(plugin).collect();
        let ids = by_name.values().map(|plugin| plugin.id).collect();
        self.serving.store(Arc::new(Plugins { by_name }));
        self.idle.serve(ids, self.context.clock.monotonic());
        self.seen.store(Arc::new(entries.clone()));
        if let Some(cache) = &self.cache {
            let in_use: Vec<_> =
                entries.values().filter_map(|e| Some(e.version.as_ref()?.digest.as_str())).collect();
            cache.prune(&in_use);
        }
    }

    fn plugin(&self, entry: &Entry, version: &Arc<Version>, policy: &Policy) -> Plugin {
        Plugin {
            id: PluginId(self.ids.fetch_add(1, Ordering::Relaxed)),
            version: Arc::clone(version),
            shared: Arc::clone(&entry.shared),
            policy: policy.clone(),
            granted: Arc::clone(&entry.granted),
            idle: Arc::clone(&self.idle),
        }
    }

    fn refuse(&self, entry: &Entry, problem: &Problem) {
        let serves = entry.version.as_ref().map(|v| &v.digest[..16]);
        tracing::warn!(plugin = problem.plugin, serves, "{}", problem.message);
        self.context.metrics.reload("plugin", "refused");
    }

    fn tell(&self, report: &ScanReport) {
        for name in &report.loaded {
            let plugins = self.serving.load();
            let digest = plugins.by_name.get(name).map(|p| p.digest().to_owned());
            tracing::info!(plugin = name, digest, "plugin serves");
            self.context.metrics.reload("plugin", "ok");
        }
        for name in &report.removed {
            tracing::warn!(plugin = name, "plugin serves no more; its runs are held");
            self.context.metrics.reload("plugin", "ok");
        }
    }
}

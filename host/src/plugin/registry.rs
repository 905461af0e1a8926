//! Which version of each plugin serves. A scan looks at the folder, prepares what is
//! new off the hot path and then swaps the snapshot; what is broken changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use wasmtime::Engine;
use wasmtime::component::Linker;

use super::cache::Cache;
use super::component::CONTRACT;
use super::guest::{Guest, Shared};
use super::limits::{Limits, PluginSettings};
use super::plugins::{Plugin, Plugins};
use super::status::{PluginState, PluginStatus, ServingStatus};
use super::version::{self, Loader, Version};
use super::{PluginError, engine, folder, imports, wasi};
use crate::clock::{Clock, Random};
use crate::metrics::Metrics;

/// The room's keeper. One for a process: compiled code belongs to its engine.
pub struct PluginHost {
    engine: Engine,
    slots: u32,
    linker: Linker<Guest>,
    cache: Option<Cache>,
    clock: Clock,
    random: Random,
    metrics: Arc<Metrics>,
    settings: ArcSwap<PluginSettings>,
    serving: ArcSwap<Plugins>,
    /// One scan at a time; it holds this for as long as compiling takes.
    entries: Mutex<BTreeMap<String, Entry>>,
    /// The entries as the last scan left them, for everyone who must not wait.
    seen: ArcSwap<BTreeMap<String, Entry>>,
}

/// What is known of one name.
#[derive(Clone)]
struct Entry {
    shared: Arc<Shared>,
    files: Vec<PathBuf>,
    version: Option<Arc<Version>>,
    problem: Option<Problem>,
    /// What the last scan judged, so that the same is not judged again.
    judged: Option<Judged>,
    missing: bool,
}

/// What a judgement depends on.
#[derive(Clone, PartialEq)]
struct Judged {
    digest: String,
    configs: BTreeSet<String>,
    limits: Limits,
}

/// What a scan changed and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Plugins that serve a version which they did not before.
    pub loaded: Vec<String>,
    /// Plugins that no longer serve, because their file is gone.
    pub removed: Vec<String>,
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
    /// Whether the set of versions that serve is another than before.
    pub fn changed(&self) -> bool {
        !self.loaded.is_empty() || !self.removed.is_empty()
    }
}

impl PluginHost {
    /// Opens the room. Nothing serves until the first [`scan`](Self::scan).
    pub fn start(
        settings: PluginSettings,
        clock: Clock,
        random: Random,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, PluginError> {
        let engine::PooledEngine { engine, slots } = engine::build(settings.workers)?;
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
            clock,
            random,
            metrics,
            settings: ArcSwap::from_pointee(settings),
            serving: ArcSwap::default(),
            entries: Mutex::default(),
            seen: ArcSwap::default(),
        }))
    }

    /// Takes new limits, and a new folder if it is another; they are in force after
    /// the next scan. The number of workers and the cache stay as they were.
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
        let Some(found) = self.plugins().get(plugin) else {
            return Err(match self.seen.load().get(plugin).and_then(|e| e.problem.clone()) {
                Some(problem) => format!("the plugin `{plugin}` does not load: {}", problem.message),
                None => format!("there is no plugin `{plugin}` in {}", self.settings.load().dir.display()),
            });
        };
        found.version.configure(&found.shared, &found.limits, config)
    }

    /// Whether the plugin's file, other than the version that serves, takes all of its
    /// configurations among `configs`: a version and the configuration that only it
    /// takes wait for each other. Blocks as a scan does.
    pub fn waits_for(&self, plugin: &str, configs: &[(String, String)]) -> bool {
        let settings = self.settings.load_full();
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let found = folder::list(&settings.dir).unwrap_or_default();
        let (Some(entry), Some([file])) = (entries.get(plugin), found.get(plugin).map(Vec::as_slice)) else {
            return false;
        };
        let limits = settings.limits(plugin);
        let Ok(wasm) = folder::read(file, limits.module_bytes) else { return false };
        let Ok(version) = self.loader(entry, limits).load(&wasm, version::digest(&wasm)) else {
            return false;
        };
        let mut configs = configs.iter().filter(|(name, _)| name == plugin);
        configs.all(|(_, config)| version.configure(&entry.shared, limits, config).is_ok())
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
                return report;
            }
        };
        for (name, entry) in
            entries.iter_mut().filter(|(name, entry)| !found.contains_key(*name) && !entry.missing)
        {
            self.remove(name, entry, &mut report);
        }
        for (name, files) in found {
            let entry = entries.entry(name.clone()).or_insert_with(|| self.entry(&name));
            entry.files = files;
            entry.missing = false;
            let configs =
                configs.iter().filter(|(plugin, _)| *plugin == name).map(|(_, c)| c.clone()).collect();
            let before = entry.version.as_ref().map(|v| v.digest.clone());
            let problem = entry.problem.clone();
            self.judge(entry, configs, settings.limits(&name));
            if entry.version.as_ref().map(|v| &v.digest) != before.as_ref() {
                report.loaded.push(name);
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
        self.seen.load().values().map(status).collect()
    }

    fn entry(&self, name: &str) -> Entry {
        let shared = Shared::new(name, self.clock.clone(), self.random.clone(), Arc::clone(&self.metrics));
        Entry {
            shared: Arc::new(shared),
            files: vec![],
            version: None,
            problem: None,
            judged: None,
            missing: false,
        }
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
    fn judge(&self, entry: &mut Entry, configs: BTreeSet<String>, limits: &Limits) {
        let name = Arc::clone(&entry.shared.name);
        let wasm = match entry.files.as_slice() {
            [file] => folder::read(file, limits.module_bytes),
            files => Err(format!("several files have this name: {}", shown(files))),
        };
        let wasm = match wasm {
            Ok(wasm) => wasm,
            Err(message) => {
                entry.judged = None;
                entry.problem = Some(file_problem(&name, message));
                return self.fall_back(entry, limits);
            }
        };
        let judged = Judged { digest: version::digest(&wasm), configs, limits: limits.clone() };
        if entry.judged.as_ref() == Some(&judged) {
            return;
        }
        let candidate = self.candidate(entry, &wasm, &judged);
        let refusal = candidate.as_ref().ok().and_then(|new| refused_config(entry, new, &judged));
        match candidate {
            Ok(new) if refusal.is_none() => self.promote(entry, new, &wasm),
            Ok(new) => {
                // Without a predecessor the new version serves: then only the steps
                // whose configuration it refuses are held, and not all of them.
                self.fall_back(entry, limits);
                if entry.version.is_none() {
                    entry.version = Some(new);
                }
            }
            Err(message) => {
                entry.problem = Some(file_problem(&name, message));
                self.fall_back(entry, limits);
                entry.judged = Some(judged);
                return;
            }
        }
        entry.problem = refusal;
        entry.judged = Some(judged);
    }

    /// The version of the file: the one that serves, if it is that.
    fn candidate(&self, entry: &Entry, wasm: &[u8], judged: &Judged) -> Result<Arc<Version>, String> {
        match &entry.version {
            Some(version) if version.digest == judged.digest => Ok(Arc::clone(version)),
            _ => self.loader(entry, &judged.limits).load(wasm, judged.digest.clone()).map(Arc::new),
        }
    }

    fn loader<'a>(&'a self, entry: &'a Entry, limits: &'a Limits) -> Loader<'a> {
        let (engine, linker, cache) = (&self.engine, &self.linker, self.cache.as_ref());
        Loader { engine, linker, cache, shared: &entry.shared, limits }
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
    fn fall_back(&self, entry: &mut Entry, limits: &Limits) {
        if entry.version.is_some() {
            return;
        }
        let Some(wasm) = self.cache.as_ref().and_then(|cache| cache.last_good(&entry.shared.name)) else {
            return;
        };
        match self.loader(entry, limits).load(&wasm, version::digest(&wasm)) {
            Ok(version) => entry.version = Some(Arc::new(version)),
            Err(error) => {
                tracing::warn!(plugin = &*entry.shared.name, error, "its last good version fails as well");
            }
        }
    }

    fn publish(&self, entries: &BTreeMap<String, Entry>, settings: &PluginSettings) {
        let plugin = |(name, entry): (&String, &Entry)| {
            let version = Arc::clone(entry.version.as_ref()?);
            let limits = settings.limits(name).clone();
            let plugin = Plugin { version, shared: Arc::clone(&entry.shared), limits };
            Some((name.clone(), Arc::new(plugin)))
        };
        self.serving.store(Arc::new(Plugins { by_name: entries.iter().filter_map(plugin).collect() }));
        self.seen.store(Arc::new(entries.clone()));
        if let Some(cache) = &self.cache {
            let in_use: Vec<_> =
                entries.values().filter_map(|e| Some(e.version.as_ref()?.digest.as_str())).collect();
            cache.prune(&in_use);
        }
    }

    fn refuse(&self, entry: &Entry, problem: &Problem) {
        let serves = entry.version.as_ref().map(|v| &v.digest[..16]);
        tracing::warn!(plugin = problem.plugin, serves, "{}", problem.message);
        self.metrics.reload("plugin", "refused");
    }

    fn tell(&self, report: &ScanReport) {
        for name in &report.loaded {
            let plugins = self.serving.load();
            let digest = plugins.by_name.get(name).map(|p| p.digest().to_owned());
            tracing::info!(plugin = name, digest, "plugin serves");
            self.metrics.reload("plugin", "ok");
        }
        for name in &report.removed {
            tracing::warn!(plugin = name, "plugin is gone; its runs are held");
            self.metrics.reload("plugin", "ok");
        }
    }
}

/// The first configuration in force that the version refuses.
fn refused_config(entry: &Entry, version: &Version, judged: &Judged) -> Option<Problem> {
    judged.configs.iter().find_map(|config| {
        let reason = version.configure(&entry.shared, &judged.limits, config).err()?;
        let message = format!("a step's configuration is refused: {reason}");
        let plugin = entry.shared.name.to_string();
        Some(Problem { plugin, kind: ProblemKind::Config(config.clone()), message })
    })
}

fn file_problem(plugin: &str, message: String) -> Problem {
    Problem { plugin: plugin.to_owned(), kind: ProblemKind::File, message }
}

fn shown(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn status(entry: &Entry) -> PluginStatus {
    let state = match (&entry.version, &entry.problem) {
        _ if entry.missing => PluginState::Missing,
        (Some(_), None) => PluginState::Active,
        (Some(_), Some(_)) => PluginState::Degraded,
        (None, _) => PluginState::Failed,
    };
    let calls = entry.shared.calls.load(Ordering::Relaxed);
    let nanos = entry.shared.nanos.load(Ordering::Relaxed);
    #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
    let mean_micros = if calls == 0 { 0.0 } else { nanos as f64 / calls as f64 / 1000.0 };
    PluginStatus {
        name: entry.shared.name.to_string(),
        file: shown(&entry.files),
        state,
        error: entry.problem.as_ref().map(|p| p.message.clone()),
        serving: entry.version.as_deref().map(serving),
        calls,
        traps: entry.shared.traps.load(Ordering::Relaxed),
        mean_micros,
        metrics_dropped: entry.shared.metrics_dropped.load(Ordering::Relaxed),
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
        exports: version.interfaces.exports.clone(),
        imports: version.interfaces.imports.clone(),
        size: version.size,
        compile_ms: u64::try_from(version.compile_time.as_millis()).unwrap_or(u64::MAX),
        cached: version.cached,
        loaded_at: version.loaded_at.0,
    }
}

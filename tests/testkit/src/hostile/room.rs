//! A plugin room with an innocent plugin, to which one hostile guest after the other is
//! added.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookloom::clock::{Clock, Random};
use hookloom::metrics::Metrics;
use hookloom::model::{Attribute, Event, EventId, Header, Millis, StepVerdict};
use hookloom::plugin::{
    Call, CallInput, Compiler, Context, Limits, NoState, PluginHost, PluginSettings, Policy, StateView,
};
use tempfile::TempDir;

use super::cases::{Case, Guest};
use super::{bombs, written};
use crate::guests::{guest, lean_guest};

const HOSTILE: &str = "hostile";
const INNOCENT: &str = "innocent";

/// The room.
pub struct Room {
    host: Arc<PluginHost>,
    settings: PluginSettings,
    dirs: TempDir,
}

/// What became of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `None`: it was refused when it was loaded.
    pub verdict: Option<StepVerdict>,
    /// Why, or what it did.
    pub reason: String,
    /// Log lines of the call that were dropped.
    pub log_dropped: u64,
    /// Wall-clock time of the call; of loading it, when it was refused then.
    pub took: Duration,
}

impl Room {
    /// A room in which `program` compiles; the innocent plugin serves.
    ///
    /// # Panics
    /// When it cannot be opened, or the innocent plugin does not serve.
    pub fn open(program: &Path) -> Self {
        let dirs = TempDir::new().expect("a temporary folder");
        std::fs::create_dir(dirs.path().join("plugins")).expect("a plugins folder");
        let settings = PluginSettings {
            cache_dir: Some(dirs.path().join("cache")),
            compiler: Compiler::Child(program.to_owned()),
            ..PluginSettings::new(dirs.path().join("plugins"), patient())
        };
        let context = Context {
            clock: Clock::system(),
            random: Random::system(),
            metrics: Arc::new(Metrics::new()),
            state: Arc::new(NoState),
        };
        let host = PluginHost::start(settings.clone(), context).expect("the room opens");
        let room = Self { host, settings, dirs };
        room.put(INNOCENT, lean_guest());
        assert_eq!(room.host.scan(&[]).problems, []);
        room
    }

    /// Adds the case's guest, calls it if it loads, and takes it away again.
    ///
    /// # Panics
    /// When the folder cannot be written, or the innocent plugin was harmed.
    pub fn meet(&mut self, case: &Case) -> Outcome {
        let (component, config) = match &case.guest {
            Guest::Act(config) => (guest().to_vec(), config.clone()),
            Guest::Written(name) => (written(name), "null".to_owned()),
            Guest::Bomb(name) => (bombs::bomb(name), "null".to_owned()),
        };
        let policy = Policy { limits: case.limits.clone(), ..Policy::default() };
        self.settings.plugins.insert(HOSTILE.to_owned(), policy);
        self.host.set_settings(self.settings.clone());
        self.put(HOSTILE, &component);
        let before = Instant::now();
        let refusal = self.host.scan(&[]).problems.first().map(|problem| problem.message.clone());
        let outcome = match refusal {
            Some(reason) => Outcome { verdict: None, reason, log_dropped: 0, took: before.elapsed() },
            None => of(self.call(HOSTILE, &config)),
        };
        self.innocent_is_unharmed(case);
        std::fs::remove_file(self.path(HOSTILE)).expect("the guest is there");
        self.host.scan(&[]);
        outcome
    }

    fn innocent_is_unharmed(&self, case: &Case) {
        let call = self.call(INNOCENT, r#"{"do":"version"}"#);
        assert_eq!(call.verdict, StepVerdict::Replace, "after {:?}: {:?}", case.guest, call.reason);
    }

    fn call(&self, plugin: &str, config: &str) -> Call {
        let plugin = self.host.plugins().get(plugin).expect("the plugin serves");
        let event = event();
        let input = CallInput {
            event: &event,
            body: &event.body,
            event_type: None,
            content_type: None,
            attributes: &event.attributes,
        };
        plugin.call(config, &input, &mut StateView::new(Arc::new(NoState)))
    }

    fn put(&self, plugin: &str, component: &[u8]) {
        let partial = self.path(plugin).with_extension("partial");
        std::fs::write(&partial, component).expect("the plugin is written");
        std::fs::rename(&partial, self.path(plugin)).expect("the plugin is in place");
    }

    fn path(&self, plugin: &str) -> std::path::PathBuf {
        self.dirs.path().join(format!("plugins/{plugin}.wasm"))
    }
}

/// The default limits with a deadline that a busy machine does not spend on what is not
/// about time.
pub fn patient() -> Limits {
    Limits { deadline: Duration::from_secs(10), ..Limits::default() }
}

fn of(call: Call) -> Outcome {
    Outcome {
        verdict: Some(call.verdict),
        reason: call.reason.unwrap_or_default(),
        log_dropped: call.log_dropped,
        took: call.took,
    }
}

/// A small webhook.
pub fn event() -> Event {
    Event {
        id: EventId::from_text("evt_hostile"),
        source: "github".into(),
        event_type: None,
        received_at: Millis(1_700_000_000_000),
        method: "POST".into(),
        path: "/in/github".into(),
        query: None,
        headers: vec![Header { name: "x-a".into(), value: "1".into() }],
        body: Bytes::from_static(b"{}"),
        attributes: vec![Attribute { name: "tenant".into(), value: "acme".into() }],
    }
}

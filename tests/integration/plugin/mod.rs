//! The plugin room with real components.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod classify;
mod compiler;
mod contract;
mod fuzz;
mod grants;
mod hostile;
mod kv;
mod limits;
mod metrics;
mod registry;
mod registry_files;
mod registry_many;
mod reuse;
mod secrets;
mod verify;
mod watch;
mod world;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookloom::clock::{Clock, Random};
use hookloom::metrics::Metrics;
use hookloom::model::{Attribute, Event, EventId, Header, Millis};
use hookloom::plugin::{
    Call, CallInput, Context, Limits, NoState, Output, PluginHost, PluginSettings, StateView,
};
use tempfile::TempDir;

/// A room with folders of its own.
pub(crate) struct Room {
    pub(crate) host: Arc<PluginHost>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) dirs: Arc<TempDir>,
}

impl Room {
    pub(crate) fn open(limits: Limits) -> Self {
        Self::open_in(Arc::new(TempDir::new().unwrap()), limits)
    }

    /// In folders that another room may have used before: a restart.
    pub(crate) fn open_in(dirs: Arc<TempDir>, defaults: Limits) -> Self {
        std::fs::create_dir_all(dirs.path().join("plugins")).unwrap();
        let settings = PluginSettings {
            cache_dir: Some(dirs.path().join("cache")),
            workers: 4,
            ..PluginSettings::new(dirs.path().join("plugins"), defaults)
        };
        let metrics = Arc::new(Metrics::new());
        let context = Context {
            clock: Clock::system(),
            random: Random::system(),
            metrics: Arc::clone(&metrics),
            state: Arc::new(NoState),
        };
        let host = PluginHost::start(settings, context).unwrap();
        Self { host, metrics, dirs }
    }

    pub(crate) fn restart(self) -> Self {
        let dirs = Arc::clone(&self.dirs);
        drop(self);
        Self::open_in(dirs, Limits::default())
    }

    pub(crate) fn plugins(&self) -> std::path::PathBuf {
        self.dirs.path().join("plugins")
    }

    /// Writes a plugin as a careful copy does: beside, then renamed.
    pub(crate) fn put(&self, file: &str, bytes: &[u8]) {
        put(&self.plugins(), file, bytes);
    }

    /// With the test guest as plugin `guest`.
    pub(crate) fn with_guest(limits: Limits) -> Self {
        let room = Self::open(limits);
        room.put("guest.wasm", hookloom_testkit::guests::guest());
        let report = room.host.scan(&[]);
        assert_eq!(report.problems, []);
        room
    }

    /// With the guest that verifies and classifies, as plugin `guest`.
    pub(crate) fn at_the_edge(limits: Limits) -> Self {
        let room = Self::open(limits);
        room.put("guest.wasm", hookloom_testkit::guests::edge_guest());
        assert_eq!(room.host.scan(&[]).problems, []);
        room
    }

    pub(crate) fn call(&self, config: &str) -> Call {
        call(&self.host, config, &event())
    }

    /// The version that a call meets, or what is wrong instead.
    pub(crate) fn version(&self) -> String {
        match self.host.plugins().get("guest") {
            None => "none".into(),
            Some(plugin) => body(&call_plugin(&plugin, r#"{"do":"version","v2":1}"#, &event())),
        }
    }
}

pub(crate) fn put(dir: &Path, file: &str, bytes: &[u8]) {
    let partial = dir.join(format!(".{file}.partial"));
    std::fs::write(&partial, bytes).unwrap();
    std::fs::rename(&partial, dir.join(file)).unwrap();
}

pub(crate) fn call(host: &PluginHost, config: &str, event: &Event) -> Call {
    let plugin = host.plugins().get("guest").expect("the guest serves");
    call_plugin(&plugin, config, event)
}

pub(crate) fn call_plugin(plugin: &hookloom::plugin::Plugin, config: &str, event: &Event) -> Call {
    plugin.call(config, &input(event), &mut StateView::new(Arc::new(NoState)))
}

pub(crate) fn input(event: &Event) -> CallInput<'_> {
    CallInput {
        event,
        body: &event.body,
        event_type: event.event_type.as_deref(),
        content_type: event.header("content-type"),
        attributes: &event.attributes,
    }
}

/// The body of a call's one message.
pub(crate) fn body(call: &Call) -> String {
    match &call.output {
        Some(Output::Replace(message)) => {
            String::from_utf8(message.body.as_ref().expect("a body").to_vec()).unwrap()
        }
        _ => panic!("no message: {call:?}"),
    }
}

pub(crate) fn event() -> Event {
    let header = |name: &str, value: &str| Header { name: name.into(), value: value.into() };
    Event {
        id: EventId::from_text("evt_test"),
        source: "github".into(),
        event_type: Some("issues.opened".into()),
        received_at: Millis(1_700_000_000_000),
        method: "POST".into(),
        path: "/in/github".into(),
        query: Some("a=1".into()),
        headers: vec![
            header("content-type", "application/json"),
            header("x-wanted", "1"),
            header("x-wanted", "2"),
        ],
        body: Bytes::from_static(br#"{"action":"opened"}"#),
        attributes: vec![Attribute { name: "tenant".into(), value: "acme".into() }],
    }
}

/// Limits with a deadline that a busy machine does not spend on innocent calls.
pub(crate) fn patient() -> Limits {
    Limits { deadline: Duration::from_secs(5), ..Limits::default() }
}

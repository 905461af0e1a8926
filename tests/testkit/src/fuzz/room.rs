//! A plugin room for one file after the other.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookloom::clock::{Clock, Random};
use hookloom::metrics::Metrics;
use hookloom::model::Event;
use hookloom::plugin::{
    Call, CallInput, Compiler, Context, Limits, NoState, PluginHost, PluginSettings, StateView,
};
use tempfile::TempDir;

const NAME: &str = "guest";

/// The room.
pub(super) struct Room {
    host: Arc<PluginHost>,
    folder: TempDir,
}

impl Room {
    pub(super) fn open(compiler: Compiler) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let limits = Limits {
            deadline: Duration::from_millis(20),
            memory: 8 << 20,
            output_bytes: 1 << 20,
            compile_time: Duration::from_secs(10),
            compile_memory: 512 << 20,
            ..Limits::default()
        };
        let settings = PluginSettings { compiler, ..PluginSettings::new(folder.path(), limits) };
        let context = Context {
            clock: Clock::system(),
            random: Random::seeded(1),
            metrics: Arc::new(Metrics::new()),
            state: Arc::new(NoState),
        };
        let host = PluginHost::start(settings, context).expect("the room opens");
        Self { host, folder }
    }

    /// Puts a file into the folder; what is wrong with it, if anything is.
    pub(super) fn put(&self, component: &[u8]) -> Result<(), String> {
        std::fs::write(self.file(), component).expect("the file is written");
        let report = self.host.scan(&[(NAME.to_owned(), "null".to_owned())]);
        report.problems.first().map_or(Ok(()), |problem| Err(problem.message.clone()))
    }

    /// Takes it away.
    pub(super) fn take(&self) {
        std::fs::remove_file(self.file()).expect("the file is there");
        self.host.scan(&[]);
    }

    /// Calls what serves, with that body.
    pub(super) fn call(&self, body: &Bytes, event: &Event) -> Option<Call> {
        let plugin = self.host.plugins().get(NAME)?;
        let input =
            CallInput { event, body, event_type: None, content_type: None, attributes: &event.attributes };
        Some(plugin.call("null", &input, &mut StateView::new(Arc::new(NoState))))
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join(Path::new(NAME).with_extension("wasm"))
    }
}

/// A call's end in words.
pub(super) fn words(call: &Call) -> String {
    format!("{}: {}", call.verdict.as_str(), call.reason.as_deref().unwrap_or_default())
}

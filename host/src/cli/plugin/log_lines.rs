//! What a plugin logs, caught on the way to the gateway's log.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

/// Under which target the plugin room logs what plugins say.
const TARGET: &str = "plugin";

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub(super) level: String,
    /// What was said.
    pub(super) message: String,
    /// Its named values as the log writes them, `name="value"`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) fields: String,
    /// Where in the plugin, when the room says why it ended a call.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) at: String,
}

/// Runs `act` on this thread and returns the lines that plugins logged meanwhile. They
/// reach no other log.
pub(super) fn during<T>(act: impl FnOnce() -> T) -> (T, Vec<Line>) {
    let caught = Caught::default();
    let filter = Targets::new().with_target(TARGET, LevelFilter::TRACE);
    let subscriber = registry().with(caught.clone().with_filter(filter));
    let result = tracing::subscriber::with_default(subscriber, act);
    let lines = std::mem::take(&mut *caught.0.lock().unwrap_or_else(PoisonError::into_inner));
    (result, lines)
}

#[derive(Clone, Default)]
struct Caught(Arc<Mutex<Vec<Line>>>);

impl<S: Subscriber> Layer<S> for Caught {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line { level: level(*event.metadata().level()).to_owned(), ..Line::default() };
        event.record(&mut line);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "fields" => value.clone_into(&mut self.fields),
            "at" => value.clone_into(&mut self.at),
            // Which plugin and which event is known to whoever made the call.
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_plugins_say_is_caught() {
        let (result, lines) = during(|| {
            tracing::debug!(target: "plugin", plugin = "p", fields = "a=\"1\"", "{}", "hello");
            tracing::error!("something else");
            7
        });
        let line = Line {
            level: "debug".into(),
            message: "hello".into(),
            fields: "a=\"1\"".into(),
            at: String::new(),
        };
        assert_eq!((result, lines), (7, vec![line]));
    }
}

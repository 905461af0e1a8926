//! Logs: one line an event on stderr, as text or JSON. Bodies and secrets never.

use std::io::IsTerminal;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// Starts logging for this process. `level` is a level or a list of directives such as
/// `info,hookloom::deliver=debug`; what cannot be read is `info`. A second call does
/// nothing.
pub fn start(level: &str, json: bool) {
    let filter: Targets = level.parse().unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO));
    let layer = fmt::layer().with_writer(std::io::stderr);
    let started = if json {
        registry().with(layer.json().flatten_event(true).with_filter(filter)).try_init()
    } else {
        let colours = std::io::stderr().is_terminal();
        registry().with(layer.with_ansi(colours).with_target(false).with_filter(filter)).try_init()
    };
    // Tests start several gateways in one process; the first one's logging serves all.
    let _ = started;
}

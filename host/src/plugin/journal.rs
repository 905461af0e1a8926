//! What a guest logs and prints during one call: capped, and written to the gateway's
//! log under the target `plugin`.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Level;

use super::limits::{LOG_LINE_BYTES, Limits};
use crate::model::EventId;

/// How much of what was printed to stderr is kept to explain a trap, in bytes.
const STDERR_TAIL: usize = 1024;

/// The log of one call.
#[derive(Debug)]
pub(super) struct Journal {
    plugin: Arc<str>,
    event: Option<EventId>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    lines_left: u32,
    bytes_left: usize,
    dropped: u64,
    last_error: Option<String>,
    stderr: String,
}

impl Journal {
    pub(super) fn new(plugin: Arc<str>, event: Option<EventId>, limits: &Limits) -> Self {
        let state = State {
            lines_left: limits.log_lines,
            bytes_left: limits.log_bytes,
            dropped: 0,
            last_error: None,
            stderr: String::new(),
        };
        Self { plugin, event, state: Mutex::new(state) }
    }

    /// A line of the import `log`.
    pub(super) fn log<'a>(
        &self,
        level: Level,
        message: &str,
        fields: impl Iterator<Item = (&'a str, &'a str)>,
    ) {
        if level == Level::ERROR {
            self.state().last_error = Some(line(message));
        }
        let mut text = String::new();
        for (name, value) in fields {
            let space = if text.is_empty() { "" } else { " " };
            // Writing to a `String` does not fail.
            let _ = write!(text, "{space}{name}={value:?}");
        }
        self.write(level, message, &text);
    }

    /// A line that was printed.
    pub(super) fn print(&self, message: &str, stderr: bool) {
        if message.trim().is_empty() {
            return;
        }
        if stderr {
            let mut state = self.state();
            if state.stderr.len() + message.len() < STDERR_TAIL && !message.starts_with("note: run with") {
                let space = if state.stderr.is_empty() { "" } else { " " };
                state.stderr += space;
                state.stderr += &line(message);
            }
        }
        self.write(if stderr { Level::WARN } else { Level::INFO }, message, "");
    }

    /// Why the guest says it failed: its last error, or what it printed to stderr,
    /// as a panic without a hook does.
    pub(super) fn last_words(&self) -> Option<String> {
        let mut state = self.state();
        let printed = std::mem::take(&mut state.stderr);
        state.last_error.take().or_else(|| Some(printed).filter(|text| !text.is_empty()))
    }

    /// Lines above the limit, so far.
    pub(super) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    fn write(&self, level: Level, message: &str, fields: &str) {
        let message = line(message);
        {
            let mut state = self.state();
            let size = message.len() + fields.len();
            if state.lines_left == 0 || state.bytes_left < size {
                state.dropped += 1;
                return;
            }
            state.lines_left -= 1;
            state.bytes_left -= size;
        }
        let (plugin, event) = (&*self.plugin, self.event.as_ref().map(EventId::as_str));
        match level {
            Level::ERROR => tracing::error!(target: "plugin", plugin, event, fields, "{message}"),
            Level::WARN => tracing::warn!(target: "plugin", plugin, event, fields, "{message}"),
            Level::INFO => tracing::info!(target: "plugin", plugin, event, fields, "{message}"),
            Level::DEBUG => tracing::debug!(target: "plugin", plugin, event, fields, "{message}"),
            Level::TRACE => tracing::trace!(target: "plugin", plugin, event, fields, "{message}"),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line of bounded length: control characters, which could forge lines or move a
/// terminal's cursor, are escaped.
fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LOG_LINE_BYTES));
    for c in text.chars() {
        if line.len() >= LOG_LINE_BYTES {
            line.push('…');
            break;
        }
        if c.is_control() && c != '\t' {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(lines: u32, bytes: usize) -> Journal {
        let limits = Limits { log_lines: lines, log_bytes: bytes, ..Limits::default() };
        Journal::new("p".into(), None, &limits)
    }

    #[test]
    fn what_is_above_the_limits_is_dropped_and_counted() {
        let few = journal(2, 1000);
        (0..5).for_each(|_| few.print("line", false));
        assert_eq!(few.dropped(), 3);
        let small = journal(100, 10);
        small.print("12345678", false);
        small.print("12345678", true);
        small.print("1", false);
        assert_eq!(small.dropped(), 1);
    }

    #[test]
    fn an_error_explains_a_trap_better_than_stderr_and_both_even_when_they_were_dropped() {
        let journal = journal(0, 0);
        journal.print("thread panicked at src/lib.rs:1:", true);
        journal.print("why", true);
        journal.print("note: run with `RUST_BACKTRACE=1`", true);
        assert_eq!(journal.last_words().as_deref(), Some("thread panicked at src/lib.rs:1: why"));
        journal.log(Level::ERROR, "the hook", std::iter::empty());
        assert_eq!(journal.last_words().as_deref(), Some("the hook"));
        assert_eq!(journal.last_words(), None);
    }

    #[test]
    fn lines_cannot_be_forged() {
        assert_eq!(line("a\nb\u{1b}[31m\tc"), "a\\nb\\u{1b}[31m\tc");
        assert!(line(&"x".repeat(LOG_LINE_BYTES * 2)).len() <= LOG_LINE_BYTES + '…'.len_utf8());
    }
}

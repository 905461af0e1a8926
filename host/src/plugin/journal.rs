//! What a guest logs and prints during one call: capped, and written to the gateway's
//! log under the target `plugin`.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Level;

use super::limits::{LOG_LINE_BYTES, Limits};
use crate::model::EventId;

/// How much of what was printed to stderr is kept to explain a trap, in bytes.
const STDERR_TAIL: usize = 1024;

/// The log of one call, and of the next one where an instance serves several.
#[derive(Debug)]
pub(super) struct Journal {
    plugin: Arc<str>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    event: Option<EventId>,
    lines_left: u32,
    bytes_left: usize,
    dropped: u64,
    last_error: Option<String>,
    stderr: String,
}

impl Journal {
    pub(super) fn new(plugin: Arc<str>, event: Option<EventId>, limits: &Limits) -> Self {
        Self { plugin, state: Mutex::new(State::new(event, limits)) }
    }

    /// Begins another call. In place, because what the guest prints to knows this one.
    pub(super) fn begin(&self, event: Option<EventId>, limits: &Limits) {
        *self.state() = State::new(event, limits);
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
            if text.len() >= LOG_LINE_BYTES {
                text.push('…');
                break;
            }
            let space = if text.is_empty() { "" } else { " " };
            // Writing to a `String` does not fail.
            let value = &value[..value.floor_char_boundary(LOG_LINE_BYTES)];
            let _ = write!(text, "{space}{}={value:?}", line(name));
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
        let event = {
            let mut state = self.state();
            let size = message.len() + fields.len();
            if state.lines_left == 0 || state.bytes_left < size {
                state.dropped += 1;
                return;
            }
            state.lines_left -= 1;
            state.bytes_left -= size;
            state.event.clone()
        };
        let (plugin, event) = (&*self.plugin, event.as_ref().map(EventId::as_str));
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

impl State {
    fn new(event: Option<EventId>, limits: &Limits) -> Self {
        Self {
            event,
            lines_left: limits.log_lines,
            bytes_left: limits.log_bytes,
            dropped: 0,
            last_error: None,
            stderr: String::new(),
        }
    }
}

/// One line of bounded length: control characters, which could forge lines or move a
/// terminal's cursor, are escaped.
pub(super) fn line(text: &str) -> String {
    line_within(text, LOG_LINE_BYTES)
}

/// The same, of about so many bytes.
pub(super) fn line_within(text: &str, bytes: usize) -> String {
    let mut line = String::with_capacity(text.len().min(bytes));
    for c in text.chars() {
        if line.len() >= bytes {
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
    fn another_call_begins_with_its_own_budget_and_words() {
        let limits = Limits { log_lines: 1, ..Limits::default() };
        let journal = Journal::new("p".into(), None, &limits);
        journal.log(Level::ERROR, "of the first call", std::iter::empty());
        journal.print("too much", true);
        assert_eq!(journal.dropped(), 1);
        journal.begin(None, &limits);
        assert_eq!((journal.dropped(), journal.last_words()), (0, None));
        journal.print("fits again", false);
        assert_eq!(journal.dropped(), 0);
    }

    #[test]
    fn lines_cannot_be_forged() {
        assert_eq!(line("a\nb\u{1b}[31m\tc"), "a\\nb\\u{1b}[31m\tc");
        assert!(line(&"x".repeat(LOG_LINE_BYTES * 2)).len() <= LOG_LINE_BYTES + '…'.len_utf8());
    }
}

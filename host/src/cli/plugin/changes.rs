//! What a call made of its event, as text for people.

use std::fmt::Write as _;

use super::diff;
use super::expect::messages;
use super::figures::{bytes, time};
use super::fixture::{Input, shown};
use super::trial::Trial;
use crate::cli::style::Style;
use crate::cli::table::plain;
use crate::model::Event;
use crate::plugin::{Output, PluginMessage};

/// Width of the names before what they name.
const NAMES: usize = 12;
const AS_IT_CAME: &str = "as it came";

/// The verdict, what changed, what was logged, and what it took.
pub(super) fn render(name: &str, input: &Input, trial: &Trial, style: Style) -> String {
    let call = &trial.call;
    let why = call.reason.as_ref().map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
    let mut text = format!("{}{why}  {}\n", style.state(call.verdict.as_str()), style.faint(name));
    let messages = messages(call.output.as_ref());
    for (i, message) in messages.iter().enumerate() {
        if let Some(Output::Split(_)) = call.output {
            let _ = writeln!(text, "  message {} of {}", i + 1, messages.len());
            whole(&mut text, message, style);
        } else {
            changed(&mut text, &input.event, message, style);
        }
        text += &parts(&input.event, message, style);
    }
    for (key, before, after) in trial.changes(input) {
        let value =
            |bytes: Option<&bytes::Bytes>| bytes.map_or("nothing".to_owned(), |b| shown(b).to_string());
        line(&mut text, "kv", &plain(&format!("{key}: {} → {}", value(before), value(after))));
    }
    text += &log(trial, style);
    let took = format!("{}, instance included, {} of memory", time(call.took), bytes(call.memory as u64));
    line(&mut text, "took", &style.faint(&took));
    text
}

/// What is logged, and where a call was ended.
fn log(trial: &Trial, style: Style) -> String {
    let mut text = String::new();
    for logged in &trial.log {
        if logged.at.is_empty() {
            let level = match logged.level.as_str() {
                "error" => style.bad("error"),
                "warn" => style.warn("warn"),
                other => other.to_owned(),
            };
            let fields = if logged.fields.is_empty() { String::new() } else { format!(" {}", logged.fields) };
            line(&mut text, "log", &format!("{level}: {}{fields}", plain(&logged.message)));
        } else {
            for at in logged.at.lines() {
                line(&mut text, "at", &style.faint(&plain(at)));
            }
        }
    }
    if trial.call.log_dropped > 0 {
        line(
            &mut text,
            "log",
            &style.warn(&format!("{} more line(s) than the limit", trial.call.log_dropped)),
        );
    }
    text
}

/// What a message says beside its body.
fn parts(event: &Event, message: &PluginMessage, style: Style) -> String {
    let mut text = String::new();
    for name in &message.remove_headers {
        line(&mut text, "header", &style.bad(&format!("- {name}")));
    }
    for header in &message.set_headers {
        line(&mut text, "header", &style.good(&format!("+ {}: {}", header.name, plain(&header.value))));
    }
    let or_none = |text: Option<&str>| plain(text.unwrap_or("none"));
    let mut renamed = |name: &str, before: Option<&str>, after: Option<&str>| {
        if after.is_some() && before != after {
            line(&mut text, name, &format!("{} → {}", or_none(before), or_none(after)));
        }
    };
    renamed("type", event.event_type.as_deref(), message.event_type.as_deref());
    renamed("content type", event.header("content-type"), message.content_type.as_deref());
    for attribute in &message.attributes {
        line(&mut text, "attribute", &plain(&format!("{} = {}", attribute.name, attribute.value)));
    }
    match message.destinations.as_deref() {
        None => {}
        Some([]) => line(&mut text, "to", "nobody"),
        Some(names) => line(&mut text, "to", &plain(&names.join(", "))),
    }
    if let Some(suffix) = &message.idempotency_suffix {
        line(&mut text, "suffix", suffix);
    }
    text
}

/// The body of one message of several: against the whole event it would be all new.
fn whole(text: &mut String, message: &PluginMessage, style: Style) {
    let Some(body) = &message.body else { return line(text, "body", AS_IT_CAME) };
    line(text, "body", &bytes(body.len() as u64));
    *text += &diff::lines("", &diff::readable(body), "    ", style);
}

/// The body against the event's.
fn changed(text: &mut String, event: &Event, message: &PluginMessage, style: Style) {
    let Some(body) = message.body.as_ref().filter(|body| **body != event.body) else {
        return line(text, "body", AS_IT_CAME);
    };
    let sizes = format!("{} → {}", bytes(event.body.len() as u64), bytes(body.len() as u64));
    let (old, new) = diff::comparable(&event.body, body);
    if old == new {
        return line(text, "body", &format!("{sizes}, the same JSON written otherwise"));
    }
    line(text, "body", &sizes);
    *text += &diff::lines(&old, &new, "    ", style);
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a `String` does not fail.
    let _ = writeln!(text, "  {name:<NAMES$}{value}");
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;

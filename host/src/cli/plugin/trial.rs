//! One call of a plugin from the command line, and everything to be said of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::event_file::Body;
use super::expect::{messages, word};
use super::fixture::{Input, shown};
use super::log_lines::{self, Line};
use super::memory_state::MemoryState;
use crate::model::{Event, StepVerdict};
use crate::plugin::{Call, CallInput, Plugin, PluginMessage, StateReader, StateView};

/// What a call came to.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    /// The room's own record.
    pub(super) call: Call,
    /// What was logged meanwhile.
    pub(super) log: Vec<Line>,
    /// The plugin's `kv` afterwards.
    pub(super) state: BTreeMap<String, Bytes>,
}

/// The event as a step without predecessors gets it.
pub(super) fn call_input(event: &Event) -> CallInput<'_> {
    CallInput {
        event,
        body: &event.body,
        event_type: event.event_type.as_deref(),
        content_type: event.header("content-type"),
        attributes: &event.attributes,
    }
}

/// What the plugin's `kv` reads.
pub(super) fn values(input: &Input) -> Arc<dyn StateReader> {
    Arc::new(MemoryState::new(input.state.clone()))
}

/// Calls a fresh instance. A call that failed leaves `kv` as it was.
pub(super) fn run(plugin: &Plugin, input: &Input) -> Trial {
    let mut view = StateView::new(values(input));
    let (call, log) = log_lines::during(|| plugin.call(&input.config, &call_input(&input.event), &mut view));
    let mut state = MemoryState::new(input.state.clone());
    if call.output.is_some() {
        state.commit(view.into_changes());
    }
    Trial { call, log, state: state.into_values() }
}

impl Trial {
    /// Whether the plugin gave an answer.
    pub(super) const fn answered(&self) -> bool {
        self.call.output.is_some()
    }

    /// What a fixture would expect, had it known. `key` is where a drop is said:
    /// `verdict` for a filter, `outcome` for a transform.
    pub(super) fn as_expected(&self, drop_key: &str, with_reason: bool, before: &Input) -> Value {
        let mut expect = Map::new();
        let key = match self.call.verdict {
            StepVerdict::Pass => "verdict",
            StepVerdict::Unchanged | StepVerdict::Replace | StepVerdict::Split => "outcome",
            StepVerdict::Drop => drop_key,
            _ => "error",
        };
        expect.insert(key.to_owned(), json!(word(self.call.verdict)));
        if let Some(reason) = self.call.reason.as_ref().filter(|_| with_reason) {
            expect.insert("reason".to_owned(), json!(reason));
        }
        let messages = messages(self.call.output.as_ref());
        if !messages.is_empty() {
            expect.insert("messages".to_owned(), messages.iter().map(message).collect());
        }
        let changes = self.changes(before);
        if !changes.is_empty() {
            let state =
                changes.into_iter().map(|(key, _, after)| (key, after.map_or(Value::Null, |b| shown(b))));
            expect.insert("state".to_owned(), Value::Object(state.collect()));
        }
        Value::Object(expect)
    }

    /// The keys of `kv` that changed, with their values before and after.
    pub(super) fn changes<'a>(
        &'a self,
        before: &'a Input,
    ) -> Vec<(String, Option<&'a Bytes>, Option<&'a Bytes>)> {
        let mut keys: Vec<_> = before.state.keys().chain(self.state.keys()).collect();
        keys.sort();
        keys.dedup();
        keys.into_iter()
            .map(|key| (key.clone(), before.state.get(key), self.state.get(key)))
            .filter(|(_, before, after)| before != after)
            .collect()
    }
}

/// A message as a fixture writes it.
fn message(message: &PluginMessage) -> Value {
    let mut written = Map::new();
    let mut put = |key: &str, value: Value| {
        written.insert(key.to_owned(), value);
    };
    if let Some(body) = &message.body {
        let (key, body) = Body::written(body);
        put(key, body);
    }
    let mut headers = Map::new();
    if let Some(content_type) = &message.content_type {
        headers.insert("content-type".to_owned(), json!(content_type));
    }
    for header in &message.set_headers {
        match headers.get_mut(&header.name) {
            None => drop(headers.insert(header.name.clone(), json!(header.value))),
            Some(Value::Array(values)) => values.push(json!(header.value)),
            Some(value) => *value = json!([value.take(), header.value]),
        }
    }
    if !headers.is_empty() {
        put("headers", Value::Object(headers));
    }
    if !message.remove_headers.is_empty() {
        put("removed_headers", json!(message.remove_headers));
    }
    if let Some(event_type) = &message.event_type {
        put("type", json!(event_type));
    }
    if let Some(destinations) = &message.destinations {
        put("destinations", json!(destinations));
    }
    if !message.attributes.is_empty() {
        let attributes: Map<_, _> =
            message.attributes.iter().map(|a| (a.name.clone(), json!(a.value))).collect();
        put("attributes", Value::Object(attributes));
    }
    if let Some(suffix) = &message.idempotency_suffix {
        put("suffix", json!(suffix));
    }
    Value::Object(written)
}

//! One call of a plugin for one event: what goes in and what comes out, in the host's
//! own words.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use wasmtime::component::Instance;
use wasmtime::{AsContextMut, Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::bindings::v0_1_0::exports::hookloom::plugin::{filter, lifecycle, transform};
use super::bindings::v0_1_0::hookloom::plugin::types;
use super::blame;
use super::guest::{Flood, Guest};
use super::limits::Limits;
use super::meter::Cut;
use super::output;
use super::reason::shortened;
use super::version::Version;
use crate::model::{Attribute, Event, Header, StepVerdict};

/// The event as earlier steps left it.
#[derive(Clone, Copy, Debug)]
pub struct CallInput<'a> {
    /// What was received; of it only what the fields below do not replace is passed.
    pub event: &'a Event,
    /// The bytes as they are now.
    pub body: &'a Bytes,
    /// The event's type as it is now.
    pub event_type: Option<&'a str>,
    /// The body's media type as it is now.
    pub content_type: Option<&'a str>,
    /// The attributes as they are now.
    pub attributes: &'a [Attribute],
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is recorded of it.
    pub verdict: StepVerdict,
    /// Why, where there is a reason: of a drop, an error, a trap.
    pub reason: Option<String>,
    /// What it made of the event; `None` when the call failed.
    pub output: Option<Output>,
    /// Wall-clock time, instance included.
    pub took: Duration,
    /// Linear memory that the instance grew to, in bytes.
    pub memory: usize,
    /// Log lines above the limit, which were dropped.
    pub log_dropped: u64,
}

/// What a filter or a transform made of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A filter let it through.
    Pass,
    /// A transform left it as it was.
    Unchanged,
    /// One message.
    Replace(PluginMessage),
    /// Several, at least one; later steps run once for each.
    Split(Vec<PluginMessage>),
    /// Dropped, with this reason.
    Drop(String),
}

/// A message as a transform wrote it, checked against the contract except for what
/// only its route knows (the destinations). A part that is `None` or empty leaves
/// the event's own as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginMessage {
    /// The new bytes.
    pub body: Option<Bytes>,
    /// Their media type.
    pub content_type: Option<String>,
    /// Lower-case names; each replaces all of its name that an earlier step set.
    pub set_headers: Vec<Header>,
    /// Lower-case names that are no longer sent.
    pub remove_headers: Vec<String>,
    /// The event's new type.
    pub event_type: Option<String>,
    /// Narrows the route's destinations; not checked against the route here.
    pub destinations: Option<Vec<String>>,
    /// Added to the event's.
    pub attributes: Vec<Attribute>,
    /// `[A-Za-z0-9_-]{1,64}`, unique within its split.
    pub idempotency_suffix: Option<String>,
}

/// Why a call has no output.
pub(super) enum Failure {
    /// The guest says so, or what it returned breaks the contract.
    Said(StepVerdict, String),
    /// It was ended, or the host could not run it.
    Ended(wasmtime::Error),
}

impl Failure {
    /// The component was asked for what it does not export.
    pub(super) fn lacks(capability: &str) -> Self {
        let reason = format!("the plugin exports no `{capability}`");
        Self::Said(StepVerdict::Misconfigured, reason)
    }

    /// For people.
    pub(super) fn message(self, guest: &Guest) -> String {
        match self {
            Self::Said(_, reason) => reason,
            Self::Ended(error) => explain(&error, guest).1,
        }
    }
}

impl From<wasmtime::Error> for Failure {
    fn from(error: wasmtime::Error) -> Self {
        Self::Ended(error)
    }
}

impl From<types::Error> for Failure {
    fn from(error: types::Error) -> Self {
        let (verdict, reason) = match error {
            types::Error::InvalidInput(reason) => (StepVerdict::InvalidInput, reason),
            types::Error::Misconfigured(reason) => (StepVerdict::Misconfigured, reason),
            types::Error::Retry(reason) => (StepVerdict::Retry, reason),
            types::Error::Other(reason) => (StepVerdict::Error, reason),
        };
        Self::Said(verdict, shortened(&reason))
    }
}

/// A fresh instance with its configuration.
pub(super) fn instance(
    version: &Version,
    store: &mut Store<Guest>,
    config: &str,
) -> Result<Instance, Failure> {
    let instance = version.pre.instantiate(store.as_context_mut())?;
    configured(version, store, &instance, config)?;
    Ok(instance)
}

/// Gives an instance its configuration.
pub(super) fn configured(
    version: &Version,
    store: &mut Store<Guest>,
    instance: &Instance,
    config: &str,
) -> Result<(), Failure> {
    let lifecycle = version.exports.lifecycle.load(store.as_context_mut(), instance)?;
    configure(&lifecycle, store, config)
}

/// Calls an instance's filter and transform, as far as the component has them; a
/// transform runs only when the filter passed.
pub(super) fn run(
    version: &Version,
    store: &mut Store<Guest>,
    instance: &Instance,
    limits: &Limits,
    input: &CallInput<'_>,
) -> Result<Output, Failure> {
    let headers = headers(version, input);
    let attributes: Vec<_> =
        input.attributes.iter().map(|a| types::AttributeParam { name: &a.name, value: &a.value }).collect();
    let event = types::Event {
        id: input.event.id.as_str(),
        source: &input.event.source,
        event_type: input.event_type,
        received_at_ms: u64::try_from(input.event.received_at.0).unwrap_or(0),
        method: &input.event.method,
        path: &input.event.path,
        query: input.event.query.as_deref(),
        headers: &headers,
        content_type: input.content_type,
        body: if version.metadata.needs_body { input.body } else { &[] },
        attributes: &attributes,
    };

    let mut output = None;
    if let Some(filter) = &version.exports.filter {
        let filter = filter.load(store.as_context_mut(), instance)?;
        match filter.call_filter(store.as_context_mut(), event.clone())?? {
            filter::Verdict::Pass => output = Some(Output::Pass),
            filter::Verdict::Drop(reason) => return Ok(Output::Drop(shortened(&reason))),
        }
    }
    if let Some(transform) = &version.exports.transform {
        let transform = transform.load(store.as_context_mut(), instance)?;
        let outcome: transform::Outcome = transform.call_transform(store.as_context_mut(), event)??;
        output = Some(output::check(outcome, limits)?);
    }
    output.ok_or_else(|| {
        Failure::Said(
            StepVerdict::Misconfigured,
            "the plugin exports neither `filter` nor `transform`".into(),
        )
    })
}

/// Gives an instance its configuration; a refusal is the guest's message.
fn configure(lifecycle: &lifecycle::Guest, store: &mut Store<Guest>, config: &str) -> Result<(), Failure> {
    lifecycle.call_configure(store.as_context_mut(), config)?.map_err(|reason| {
        Failure::Said(
            StepVerdict::Misconfigured,
            format!("refuses its configuration: {}", shortened(&reason)),
        )
    })
}

/// The headers that the plugin reads. How a body was compressed says nothing of another
/// one, be it what was inside.
fn headers<'a>(version: &Version, input: &CallInput<'a>) -> Vec<types::HeaderParam<'a>> {
    let as_sent = input.body.as_ptr_range() == input.event.body.as_ptr_range();
    let holds = |h: &&Header| as_sent || h.name != CONTENT_ENCODING.as_str();
    let param = |h: &'a Header| types::HeaderParam { name: &h.name, value: &h.value };
    let read = input.event.headers.iter().filter(holds);
    match &version.metadata.header_names {
        None => read.map(param).collect(),
        Some(names) => read.filter(|h| names.contains(&h.name)).map(param).collect(),
    }
}

/// The verdict of a call that was ended, and a reason for people. The backtrace goes
/// to the log only.
pub(super) fn explain(error: &wasmtime::Error, guest: &Guest) -> (StepVerdict, String) {
    if let Some(cut) = error.downcast_ref::<Cut>() {
        return (StepVerdict::Timeout, cut.to_string());
    }
    if let Some(flood) = error.downcast_ref::<Flood>() {
        return (StepVerdict::BadOutput, flood.to_string());
    }
    if let Some(denied) = guest.denied {
        return (StepVerdict::Memory, denied.to_string());
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return (StepVerdict::Retry, "no room for another instance".into());
    }
    // Who exits means to: where does not matter.
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        let what = format!("exited with {}", exit.0);
        return (StepVerdict::Trap, blame::reason(&what, guest.journal.last_words().as_deref(), ""));
    }
    let trap = error.downcast_ref::<Trap>().map(ToString::to_string);
    let what = trap.unwrap_or_else(|| error.root_cause().to_string());
    if what.contains("hostcall") || what.contains("too much data") {
        return (StepVerdict::BadOutput, format!("handed over more than its limit: {what}"));
    }
    let reason = blame::reason(&what, guest.journal.last_words().as_deref(), &backtrace(error));
    (StepVerdict::Trap, reason)
}

/// Where in the guest it ended.
pub(super) fn backtrace(error: &wasmtime::Error) -> String {
    error.downcast_ref::<WasmBacktrace>().map(ToString::to_string).unwrap_or_default()
}

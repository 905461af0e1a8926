//! The capability `classify`: what a destination's answer means.

use std::time::Duration;

use bytes::Bytes;
use wasmtime::component::Instance;
use wasmtime::{AsContextMut, Store};

use super::bindings::v0_1_0::exports::hookloom::plugin::classify as wire;
use super::call::Failure;
use super::guest::Guest;
use super::reason::shortened;
use super::version::Version;
use crate::model::Header;

/// Of an answer's body, so much is shown to the plugin, in bytes.
const BODY: usize = 4 << 10;

/// A destination's answer.
#[derive(Clone, Debug)]
pub struct ClassifyInput {
    /// HTTP status.
    pub status: u16,
    /// Lower-case names, in the order received.
    pub headers: Vec<Header>,
    /// What was kept of it; of that, the plugin sees the first 4 KiB.
    pub body: Bytes,
    /// From 1.
    pub attempt: u32,
}

/// What a plugin makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Classification {
    /// Delivered.
    Done,
    /// Try again: after so long, or as the schedule says.
    Retry(Option<Duration>),
    /// Give up, for this reason.
    Dead(String),
    /// As the gateway would have decided.
    Default,
}

impl Classification {
    /// The word for metrics and logs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry(_) => "retry",
            Self::Dead(_) => "dead",
            Self::Default => "default",
        }
    }
}

/// Calls an instance's `classify`.
pub(super) fn run(
    version: &Version,
    store: &mut Store<Guest>,
    instance: &Instance,
    input: &ClassifyInput,
) -> Result<Classification, Failure> {
    let Some(classify) = &version.exports.classify else { return Err(Failure::lacks("classify")) };
    let classify = classify.load(store.as_context_mut(), instance)?;
    let headers = super::judge::headers(&input.headers);
    let body = &input.body[..input.body.len().min(BODY)];
    let response = wire::Response { status: input.status, headers: &headers, body };
    Ok(match classify.call_classify(store.as_context_mut(), response, input.attempt)? {
        wire::Decision::Done => Classification::Done,
        wire::Decision::Retry(after) => Classification::Retry(after.map(Duration::from_millis)),
        wire::Decision::Dead(reason) => Classification::Dead(shortened(&reason)),
        wire::Decision::Default => Classification::Default,
    })
}

//! Bytes of results that wait for their commit. What a step makes of an event may be many
//! times the event, and so may what came compressed: where the store is slow, no further
//! run begins until some of it is on disk.

use std::ptr;

use bytes::Bytes;

use crate::budget::Budget;
use crate::model::Message;
use crate::store::{RunEnd, RunResult};

/// What results may hold together. Runs look first and add then: each that is under way may
/// add what one run may be.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// The bytes of one result, until it is dropped.
#[derive(Debug)]
pub(super) struct Kept {
    budget: Budget,
    bytes: usize,
}

impl Kept {
    pub(super) fn new(budget: &Budget, result: &RunResult) -> Self {
        let bytes = size(result);
        budget.take(bytes);
        Self { budget: budget.clone(), bytes }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

/// About so many bytes a result takes beside its event. Deliveries of one message to several
/// destinations follow each other and share its body.
fn size(result: &RunResult) -> usize {
    let values = result.state.writes.iter().map(|write| write.value.as_ref().map_or(0, Bytes::len));
    let RunEnd::Processed(deliveries) = &result.end else { return values.sum() };
    let mut last = ptr::null();
    let bodies = deliveries.iter().filter_map(|new| new.message.body.as_ref()).map(|body| {
        let is_shared = ptr::eq(last, body.as_ptr());
        last = body.as_ptr();
        if is_shared { 0 } else { body.len() }
    });
    let heads = deliveries.iter().map(|new| size_of_val(new) + new.destination.len() + head(&new.message));
    values.sum::<usize>() + bodies.sum::<usize>() + heads.sum::<usize>()
}

fn head(message: &Message) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let set =
        message.set_headers.iter().map(|header| size_of_val(header) + header.name.len() + header.value.len());
    let removed = message.remove_headers.iter().map(|name| size_of_val(name) + name.len());
    text(&message.content_type) + text(&message.event_type) + set.sum::<usize>() + removed.sum::<usize>()
}

#[cfg(test)]
#[path = "results_tests.rs"]
mod tests;

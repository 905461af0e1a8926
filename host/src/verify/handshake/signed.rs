//! Pings that are signed like events and are none.

use super::super::{Reply, Verdict};
use super::Asked;

/// An event of the webhook events has `type` 1, too, and says which.
pub(super) fn discord(asked: &Asked<'_, '_>) -> Option<Verdict> {
    match asked.values() {
        [Some("0"), _] => Some(Verdict::Handshake(Reply::empty(204))),
        [Some("1"), None] => Some(Verdict::Handshake(Reply::json(200, &serde_json::json!({ "type": 1 })))),
        _ => None,
    }
}

/// Without a body: Xero wants none.
pub(super) fn empty_events(asked: &Asked<'_, '_>) -> Option<Verdict> {
    #[derive(serde::Deserialize)]
    struct Batch {
        /// None at all; one is an error, and the rest of the body is not read.
        #[expect(dead_code, reason = "that it is there and empty is what counts")]
        events: [(); 0],
    }
    let is_empty = serde_json::from_slice::<Batch>(asked.request.body).is_ok();
    is_empty.then(|| Verdict::Handshake(Reply::empty(200)))
}

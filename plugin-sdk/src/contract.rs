//! Where the SDK's own types have more than the contract's: what a call is given beside
//! the record is part of it here.

use crate::bindings::classify::exports::hookloom::plugin::classify;
use crate::bindings::verify::exports::hookloom::plugin::verify;
use crate::{Request, Response};

/// What `verify` is given.
pub fn request(request: verify::Request, public_url: String, now_ms: u64) -> Request {
    let verify::Request { method, path, query, headers, body } = request;
    Request { method, path, query, headers, body, public_url, now_ms }
}

/// What `classify` is given.
pub fn response(response: classify::Response, attempt: u32) -> Response {
    let classify::Response { status, headers, body } = response;
    Response { status, headers, body, attempt }
}

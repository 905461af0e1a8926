//! Every refusal, and the status and body that it becomes.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONNECTION, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;

use crate::model::DecodeError;
use crate::verify::Verdict;

/// Why a request is not accepted. Its text is short, true and says nothing of the
/// inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 400: not a request of this provider.
    Malformed(String),
    /// 401: the signature or credential is wrong or missing.
    Unauthorized(String),
    /// 403: a handshake that nobody waits for, or from the wrong place.
    Forbidden(String),
    /// 404: neither an event nor a handshake of this provider.
    NotFound(String),
    /// 404.
    UnknownSource,
    /// 405, with what is allowed.
    Method(Vec<Method>),
    /// 408: the body did not come in time.
    SlowBody,
    /// 413, with the limit in bytes.
    TooLarge(usize),
    /// 413: what was read in full holds too much once it is decompressed.
    Inflated(DecodeError),
    /// 403: who sends this is none of those who may.
    Address,
    /// 400: verified, and not what the source's schema says; the reason is for the sender.
    Schema(String),
    /// 429, with when there is room.
    RateLimited(Duration),
    /// 503: durability cannot be promised now.
    Unavailable(&'static str),
}

impl Refusal {
    /// The word in metrics.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not-found",
            Self::UnknownSource => "unknown-source",
            Self::Method(_) => "method",
            Self::SlowBody => "slow-body",
            Self::TooLarge(_) | Self::Inflated(_) => "too-large",
            Self::Address => "address",
            Self::Schema(_) => "schema",
            Self::RateLimited(_) => "rate-limited",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// What a verdict is refused with that is neither an event nor answered.
    pub(super) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Malformed(reason) => Self::Malformed(reason),
            Verdict::Unauthorized(reason) => Self::Unauthorized(reason),
            Verdict::Forbidden(reason) => Self::Forbidden(reason),
            Verdict::NotFound(reason) => Self::NotFound(reason),
            // What was to be accepted or answered is not refused, and wants were met.
            Verdict::Accepted(_) | Verdict::Handshake(_) | Verdict::Wanted(_) => {
                Self::Unavailable("the request cannot be verified now")
            }
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::Schema(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::Address => StatusCode::FORBIDDEN,
            Self::NotFound(_) | Self::UnknownSource => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge(_) | Self::Inflated(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Malformed(reason)
            | Self::Unauthorized(reason)
            | Self::Forbidden(reason)
            | Self::NotFound(reason) => reason.clone(),
            Self::UnknownSource => "no such source".to_owned(),
            Self::Method(_) => "method not allowed".to_owned(),
            Self::SlowBody => "the body did not arrive in time".to_owned(),
            Self::TooLarge(limit) => format!("the body is larger than {limit} bytes"),
            Self::Inflated(error) => error.to_string(),
            Self::Address => "this address may not send here".to_owned(),
            Self::Schema(reason) => format!("the body does not match its schema: {reason}"),
            Self::RateLimited(_) => "too many requests".to_owned(),
            Self::Unavailable(reason) => (*reason).to_owned(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(json!({ "error": self.text() }))).into_response();
        let headers = response.headers_mut();
        match &self {
            Self::Method(methods) => {
                headers.insert(ALLOW, allowed(methods));
            }
            Self::RateLimited(wait) => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
            }
            Self::Unavailable(_) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(UNAVAILABLE_RETRY_SECS));
            }
            // What is left of the body is not read, so the connection cannot serve
            // another request.
            Self::SlowBody | Self::TooLarge(_) => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Self::Malformed(_)
            | Self::Unauthorized(_)
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Inflated(_)
            | Self::Address
            | Self::Schema(_)
            | Self::UnknownSource => {}
        }
        response
    }
}

/// Methods as `Allow` lists them.
pub(super) fn allowed(methods: &[Method]) -> HeaderValue {
    let names: Vec<_> = methods.iter().map(Method::as_str).collect();
    // A method is a token, which headers take.
    HeaderValue::from_str(&names.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// What senders are asked to wait when the door is closed, in seconds.
const UNAVAILABLE_RETRY_SECS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_headers() {
        let response = Refusal::RateLimited(Duration::from_millis(1_200)).into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        let response = Refusal::Method(vec![Method::POST, Method::GET]).into_response();
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()[ALLOW], "POST, GET");
        let response = Refusal::Unavailable("the disk is full").into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
            (503, &HeaderValue::from(10))
        );
        assert_eq!(Refusal::TooLarge(5).into_response().headers()[CONNECTION], "close");
    }
}

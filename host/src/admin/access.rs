//! Who may use the admin side: whoever has the token, and no web page.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::{HeaderMap, Uri};

use super::problem::Problem;
use crate::config::Secret;
use crate::verify::compare;

/// How a bearer token begins.
const SCHEME: &[u8] = b"Bearer ";

/// The rules of access.
#[derive(Debug)]
pub struct Access {
    /// Asked for as a bearer token under `/api`.
    pub token: ArcSwapOption<Secret>,
    /// The port listens on a loopback address: a `Host` or `Origin` of another name is
    /// a page in somebody's browser that got here by DNS rebinding.
    pub loopback: bool,
}

pub(super) async fn require_token(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    match access.token.load().as_deref() {
        Some(token) if !has_token(request.headers(), token) => {
            Problem::Unauthorized("the admin token is missing or wrong").into_response()
        }
        _ => next.run(request).await,
    }
}

pub(super) async fn refuse_foreign(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    if access.loopback && is_foreign(request.headers()) {
        return Problem::Forbidden("this port answers to its loopback names only").into_response();
    }
    next.run(request).await
}

fn has_token(headers: &HeaderMap, token: &Secret) -> bool {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().split_at_checked(SCHEME.len()));
    // The name of the scheme has no case (RFC 9110 §11.1).
    given.is_some_and(|(scheme, given)| {
        scheme.eq_ignore_ascii_case(SCHEME) && compare::equal(given, token.expose().as_bytes())
    })
}

fn is_foreign(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).map(|value| value.to_str().unwrap_or(""));
    let origin = headers.get(ORIGIN).map(|value| value.to_str().unwrap_or(""));
    host.is_some_and(|host| !is_loopback_authority(host))
        || origin.is_some_and(|origin| !is_loopback_origin(origin))
}

fn is_loopback_origin(origin: &str) -> bool {
    origin.parse::<Uri>().ok().and_then(|uri| uri.authority().map(|a| is_loopback_authority(a.as_str())))
        == Some(true)
}

fn is_loopback_authority(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<http::uri::Authority>() else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_at_home() {
        let cases = [
            ("localhost:8081", true),
            ("127.0.0.1:8081", true),
            ("127.1.2.3", true),
            ("[::1]:8081", true),
            ("LOCALHOST", true),
            ("evil.example:8081", false),
            ("localhost.evil.example", false),
            ("10.0.0.1", false),
            ("", false),
        ];
        for (authority, expected) in cases {
            assert_eq!(is_loopback_authority(authority), expected, "{authority}");
        }
        assert!(is_loopback_origin("http://localhost:3000"));
        assert!(!is_loopback_origin("null"));
        assert!(!is_loopback_origin("https://evil.example"));
    }

    #[test]
    fn the_token_is_compared_whole() {
        let token = Secret::from_text("secret");
        let headers = |value: &str| HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
        assert!(has_token(&headers("Bearer secret"), &token));
        assert!(has_token(&headers("bearer secret"), &token));
        for wrong in ["Bearer secre", "Bearer secret2", "secret", "Basic secret", "Bearer "] {
            assert!(!has_token(&headers(wrong), &token), "{wrong}");
        }
        assert!(!has_token(&HeaderMap::new(), &token));
    }
}

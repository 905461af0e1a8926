//! Who sent a request: pure decisions from (scheme, secrets, request, now) to a
//! [`Verdict`].
//!
//! A scheme is data, in the same words whether it is a preset (`presets/`) or
//! written by a user (`[sources.NAME.verify]`). It is compiled once, with its
//! secrets, into a [`Scheme`]; whatever could make it unsafe is refused then.
//!
//! ```text
//! Setup ─► compile ─► Scheme ─► verify(request, now, documents) ─► Verdict
//! (config)  checks     keys, templates, extractors
//! ```
//!
//! What is refused, and how: a missing or wrong signature, a missing or stale time
//! and a missing signed header are [`Verdict::Unauthorized`]; a time that cannot be
//! read, or a body that is not JSON although the proof is in it, is
//! [`Verdict::Malformed`]. Schemes that fields cannot say are in `code/`; keys that have
//! to be fetched are parameters, too ([`Documents`]).

pub mod case;
mod checks;
mod code;
mod combined;
pub mod compare;
mod compile;
mod config;
mod documents;
mod encode;
mod explain;
mod extract;
mod facts;
mod form;
mod groups;
mod handshake;
mod json;
mod key;
mod mac;
mod multipart;
mod presets;
mod public;
mod reader;
mod registered_url;
mod scheme;
mod secret;
mod setup;
mod sign;
mod signed;
mod template;
#[cfg(test)]
mod testing;
mod timestamp;

use std::fmt;

use http::HeaderMap;

use crate::model::{Header, Secret};

pub use config::{
    Algorithm, Encoding, ExtractorConfig, OneOrMany, SecretKind, TimestampConfig, Unit, VariantConfig,
    VerifyConfig,
};
pub use documents::{Document, Documents, Fetch, Want};
pub use explain::{Explanation, Outcome, SignedBytes, Step};
pub use facts::Facts;
pub use form::content;
pub use handshake::Handshake;
pub use presets::{Preset, PresetDedupe, PresetReply, preset, preset_names, preset_text};
pub use registered_url::registered_url;
pub use scheme::{Credentials, Scheme};
pub use setup::{Extras, Setup};
pub use sign::{Given, Made, Outgoing, SignError};

/// One request, read in full.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Upper case.
    pub method: &'a str,
    /// As it came, without the query.
    pub path: &'a str,
    /// The part behind `?`, as it came.
    pub query: Option<&'a str>,
    /// Every header, repeated ones in order.
    pub headers: &'a HeaderMap,
    /// The exact bytes.
    pub body: &'a [u8],
    /// The URL as it is registered at the provider, which is never the one seen
    /// behind a proxy; only schemes that sign it need it.
    pub public_url: Option<&'a str>,
}

/// What a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An event from that provider.
    Accepted(Accepted),
    /// A handshake that the provider begins with: answer it, it is no event.
    Handshake(Reply),
    /// It cannot be read (400). The reason is for the sender.
    Malformed(String),
    /// It is not proven who sent it (401). The reason is for the sender.
    Unauthorized(String),
    /// A handshake that is not to be had: its token is wrong, or nobody waits for it
    /// (403). The reason is for the sender.
    Forbidden(String),
    /// Neither an event nor a whole handshake (404). The reason is for the sender.
    NotFound(String),
    /// Cannot be decided without this document: get it and ask again.
    Wanted(Box<Want>),
}

/// What a scheme knows about an event that it accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The provider's id, at most 256 bytes without control characters.
    pub id: Option<String>,
    /// What happened, at most 256 bytes without control characters.
    pub event_type: Option<String>,
}

/// The answer to a handshake. Send it with `x-content-type-options: nosniff`: the
/// body echoes what the caller said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The value of `content-type`, if there is a body.
    pub content_type: Option<&'static str>,
    /// Further headers.
    pub headers: Vec<Header>,
    /// The exact body.
    pub body: String,
    /// What has to be done before it is sent; where that fails, the answer is 503.
    pub effect: Option<Effect>,
}

/// What a handshake has to do before it is answered.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Keep this as a further secret of the source, if the operator opened the window
    /// for it; otherwise the answer is 403.
    Learn(Secret),
    /// Call this: the provider waits for it.
    Call(Box<Fetch>),
}

impl PartialEq for Effect {
    /// For tests and logs; a secret is compared as one.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Learn(own), Self::Learn(other)) => {
                compare::equal(own.expose().as_bytes(), other.expose().as_bytes())
            }
            (Self::Call(own), Self::Call(other)) => own == other,
            (Self::Learn(_), Self::Call(_)) | (Self::Call(_), Self::Learn(_)) => false,
        }
    }
}

impl Eq for Effect {}

impl Reply {
    /// Plain text.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self { content_type: Some("text/plain"), body: body.into(), ..Self::empty(status) }
    }

    /// JSON.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self { content_type: Some("application/json"), body: body.to_string(), ..Self::empty(status) }
    }

    /// A status alone.
    pub fn empty(status: u16) -> Self {
        Self { status, content_type: None, headers: Vec::new(), body: String::new(), effect: None }
    }
}

/// Why a scheme cannot be used as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemeError {
    /// No preset has that name.
    #[error("there is no scheme {name:?}")]
    Unknown {
        /// As it is written.
        name: String,
    },
    /// A field is missing, or does not fit to the others.
    #[error("{field}: {reason}")]
    Field {
        /// The key in the source's table: `scheme`, `secrets[1]`, `verify.message`.
        field: String,
        /// What is wrong and what to do; never a secret.
        reason: String,
    },
}

impl SchemeError {
    fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Field { field: field.into(), reason: reason.into() }
    }

    /// The same about `to` where it is about `from`.
    fn renamed(self, from: &str, to: &str) -> Self {
        match self {
            Self::Field { field, reason } if field == from => Self::Field { field: to.to_owned(), reason },
            other => other,
        }
    }

    /// The same as it concerns a check of several: `place` is `verify.all[1]`.
    fn within(self, place: &str, has_own_secrets: bool) -> Self {
        let (field, reason) = match self {
            Self::Unknown { name } => {
                return Self::new(format!("{place}.preset"), format!("there is no scheme {name:?}"));
            }
            Self::Field { field, reason } => (field, reason),
        };
        let field = match field.strip_prefix("verify") {
            Some(rest) => format!("{place}{rest}"),
            None if field == "scheme" => format!("{place}.preset"),
            None if has_own_secrets && field.starts_with("secrets") => format!("{place}.{field}"),
            None => field,
        };
        Self::Field { field, reason }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted(accepted) => {
                let shown = |value: &Option<String>| value.as_deref().unwrap_or("-").to_owned();
                write!(f, "accepted: id {}, type {}", shown(&accepted.id), shown(&accepted.event_type))
            }
            Self::Handshake(reply) => write!(f, "handshake: answered {}", reply.status),
            Self::Malformed(reason) => write!(f, "malformed: {reason}"),
            Self::Unauthorized(reason) => write!(f, "unauthorized: {reason}"),
            Self::Forbidden(reason) => write!(f, "forbidden: {reason}"),
            Self::NotFound(reason) => write!(f, "not found: {reason}"),
            Self::Wanted(want) => write!(f, "undecided: needs {}", want.name),
        }
    }
}

//! Who sent a request: pure decisions from (scheme, secrets, request, now) to a
//! [`Verdict`].
//!
//! A scheme is data, in the same words whether it is a preset (`presets.toml`) or
//! written by a user (`[sources.NAME.verify]`). It is compiled once, with its
//! secrets, into a [`Scheme`]; whatever could make it unsafe is refused then.
//!
//! ```text
//! VerifyConfig ─► compile ─► Scheme ─► verify(request, now) ─► Verdict
//!  (config)        checks     keys, templates, extractors
//! ```
//!
//! What is refused, and how: a missing or wrong signature, a missing or stale time
//! and a missing signed header are [`Verdict::Unauthorized`]; a time that cannot be
//! read, or a body that is not JSON although the proof is in it, is
//! [`Verdict::Malformed`].

pub mod case;
mod compile;
mod config;
mod extract;
mod handshake;
mod json;
mod key;
mod presets;
mod scheme;
mod sign;
mod template;
mod timestamp;

use std::fmt;

use http::HeaderMap;

pub use config::{
    Algorithm, Encoding, ExtractorConfig, OneOrMany, SecretKind, TimestampConfig, Unit, VariantConfig,
    VerifyConfig,
};
pub use handshake::Handshake;
pub use presets::preset_names;
pub use scheme::{Credentials, Scheme};
pub use sign::{Outgoing, SignError};

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
    /// The value of `content-type`.
    pub content_type: &'static str,
    /// The exact body.
    pub body: String,
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
        }
    }
}

//! A source as it is in force: how it verifies, what it refuses, how it answers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};

use super::mask;
use super::schema::Schemas;
use crate::model::{Cidr, NamedPlugin, Route};
use crate::rate::RateLimiter;
use crate::store::NewRun;
use crate::verify::Scheme;

/// A named inbound endpoint.
#[derive(Debug)]
pub struct Source {
    /// The last part of `/in/{source}`.
    pub name: String,
    /// How requests are verified.
    pub scheme: SourceScheme,
    /// What makes a request a repeat.
    pub dedupe: Dedupe,
    /// What it may be called with.
    pub methods: Vec<Method>,
    /// Who may send; none: everybody.
    pub allow_from: Vec<Cidr>,
    /// Bytes of a body; `None`: the front door's limit.
    pub max_body: Option<usize>,
    /// Bytes of what a compressed body holds.
    pub max_decoded_body: usize,
    /// Of verified requests.
    pub rate_limit: Option<RateLimiter>,
    /// Of fetches of keys that it never had.
    pub unknown_keys: RateLimiter,
    /// The URL that the provider was given, where schemes sign it.
    pub public_url: Option<String>,
    /// The answer to an accepted request, where it is not the gateway's own JSON.
    pub reply: Option<Reply>,
    /// What bodies have to look like.
    pub schemas: Option<Schemas>,
}

/// How requests of a source are verified.
#[derive(Clone, Debug)]
pub enum SourceScheme {
    /// By the gateway.
    Own(Arc<Scheme>),
    /// By a plugin.
    Plugin(Arc<NamedPlugin>),
}

impl SourceScheme {
    /// As the configuration writes it.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Own(scheme) => scheme.name().into(),
            Self::Plugin(named) => format!("plugin:{}", named.plugin).into(),
        }
    }

    /// The gateway's own scheme, if it is one.
    pub const fn own(&self) -> Option<&Arc<Scheme>> {
        match self {
            Self::Own(scheme) => Some(scheme),
            Self::Plugin(_) => None,
        }
    }

    /// The plugin, if it is one.
    pub const fn plugin(&self) -> Option<&Arc<NamedPlugin>> {
        match self {
            Self::Own(_) => None,
            Self::Plugin(named) => Some(named),
        }
    }

    /// Whether the value of that (lower-case) header is a credential. A plugin does not
    /// say which it reads: what is called like one counts as one.
    pub fn hides_header(&self, name: &str) -> bool {
        mask::ALWAYS.contains(&name)
            || match self {
                Self::Own(scheme) => scheme.credentials().headers.iter().any(|credential| credential == name),
                Self::Plugin(_) => mask::looks_like_credential(name),
            }
    }

    /// Whether the value of that parameter of the query is a credential.
    pub fn hides_parameter(&self, name: &str) -> bool {
        match self {
            Self::Own(scheme) => scheme.credentials().query.iter().any(|credential| credential == name),
            Self::Plugin(_) => mask::looks_like_credential(name),
        }
    }
}

/// When a request is a repeat of an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dedupe {
    /// What is compared.
    pub key: DedupeBy,
    /// How long; zero: never.
    pub window: Duration,
}

/// What is compared to recognise a repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DedupeBy {
    /// The provider's id, where the scheme finds one.
    Id,
    /// A header, lower case.
    Header(String),
    /// A value of the JSON body, by its pointer (RFC 6901).
    Json(String),
    /// The body's bytes; of a form, what it says.
    Content,
}

/// What an accepted request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 2xx.
    pub status: StatusCode,
    /// `None`: no content type.
    pub content_type: Option<HeaderValue>,
    /// As it is sent.
    pub body: String,
}

/// Everything the front door needs of the configuration, replaced as one.
#[derive(Debug, Default)]
pub struct FrontDoor {
    /// By name.
    pub sources: HashMap<String, Arc<Source>>,
    /// In the order of the file.
    pub routes: Vec<Route>,
    /// Bytes of a body.
    pub max_body: usize,
    /// From the first byte of a request's body to its last.
    pub read_timeout: Duration,
    /// Proxies whose word about the sender's address is believed.
    pub trusted_proxies: Vec<Cidr>,
}

impl FrontDoor {
    /// Goes on with the rate limits of `before`: a source whose rate is the same has given
    /// as much of it as it had, so reloading grants nobody another burst.
    pub fn continue_from(&self, before: &Self) {
        for (name, source) in &self.sources {
            let Some(earlier) = before.sources.get(name) else { continue };
            source.unknown_keys.continue_from(&earlier.unknown_keys);
            if let (Some(limit), Some(earlier)) = (&source.rate_limit, &earlier.rate_limit) {
                limit.continue_from(earlier);
            }
        }
    }

    /// A run for each route that takes such an event.
    pub fn runs_for(&self, source: &str, event_type: Option<&str>) -> Vec<NewRun> {
        let run =
            |route: &Route| NewRun { route: route.name.clone(), ordered: route.is_ordered(), dead: None };
        self.routes.iter().filter(|route| route.takes(source, event_type)).map(run).collect()
    }
}

//! What a source is configured with, and what a scheme is made of.

use std::collections::BTreeMap;
use std::fmt;

use super::config::VerifyConfig;
use super::scheme::Proof;
use super::timestamp::DEFAULT_TOLERANCE;
use super::{Scheme, SchemeError, presets};
use crate::model::{DEFAULT_MAX_DECODED, Secret};

/// Everything that a scheme is compiled from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup<'a> {
    /// A preset's name or `none`.
    pub scheme: Option<&'a str>,
    /// What differs from the preset, or the whole scheme where no name is given.
    pub verify: Option<&'a VerifyConfig>,
    /// Resolved from environment and files; several while they rotate.
    pub secrets: &'a [&'a str],
    /// What the references in `verify.all[…].secrets` stand for; a reference that is not
    /// here stands for itself.
    pub resolved: Option<&'a BTreeMap<String, Secret>>,
    /// Whether requests will come with the URL that the provider knows.
    pub has_public_url: bool,
    /// What single providers want beside secrets.
    pub extras: Extras<'a>,
    /// What a compressed body may hold, in bytes; 16 MiB where nothing is said. Read for
    /// whoever is proven alone.
    pub max_decoded: Option<usize>,
}

impl<'a> Setup<'a> {
    /// A preset with nothing but its secrets.
    pub fn preset(name: &'a str, secrets: &'a [&'a str]) -> Self {
        Self { scheme: Some(name), secrets, ..Self::default() }
    }
}

/// What single providers want beside secrets, each under the same key of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extras<'a> {
    /// Braintree: the public half of the key pair.
    pub public_key: Option<&'a str>,
    /// Google: what the token must be for.
    pub audience: Option<&'a str>,
    /// Twilio: the only algorithm that is taken.
    pub pin_algorithm: Option<&'a str>,
    /// Box: the key of the second signature.
    pub secondary_secret: Option<&'a str>,
    /// Meta: what the subscription's handshake must know.
    pub verify_token: Option<&'a str>,
}

/// What a scheme was made of, so that it can be made again with one thing changed. It
/// never prints.
#[derive(Clone)]
pub(super) struct Recipe {
    scheme: Option<String>,
    verify: Option<VerifyConfig>,
    secrets: Vec<Secret>,
    resolved: BTreeMap<String, Secret>,
    has_public_url: bool,
    public_key: Option<Secret>,
    audience: Option<Secret>,
    pin_algorithm: Option<Secret>,
    secondary_secret: Option<Secret>,
    verify_token: Option<Secret>,
    max_decoded: Option<usize>,
}

impl Recipe {
    pub(super) fn of(setup: &Setup<'_>) -> Self {
        let Setup { scheme, verify, secrets, resolved, has_public_url, extras, max_decoded } = setup;
        let Extras { public_key, audience, pin_algorithm, secondary_secret, verify_token } = extras;
        let owned = |text: Option<&str>| text.map(Secret::from_text);
        Self {
            scheme: scheme.map(str::to_owned),
            verify: verify.cloned(),
            secrets: secrets.iter().map(|secret| Secret::from_text(*secret)).collect(),
            resolved: resolved.cloned().unwrap_or_default(),
            has_public_url: *has_public_url,
            public_key: owned(*public_key),
            audience: owned(*audience),
            pin_algorithm: owned(*pin_algorithm),
            secondary_secret: owned(*secondary_secret),
            verify_token: owned(*verify_token),
            max_decoded: *max_decoded,
        }
    }

    /// The whole scheme in the words of the generic one: the preset's, and what was
    /// written over it.
    pub(super) fn config(&self) -> VerifyConfig {
        let own = self.verify.clone().unwrap_or_default();
        let preset = self.scheme.as_deref().and_then(presets::preset);
        preset.map_or_else(|| own.clone(), |preset| preset.verify.overridden_by(&own))
    }

    /// What a compressed body of a proven sender may hold, in bytes.
    pub(super) fn max_decoded(&self) -> usize {
        self.max_decoded.unwrap_or(DEFAULT_MAX_DECODED)
    }

    /// The secrets, in order.
    pub(super) fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// The source's, where one is configured.
    pub(super) fn public_key(&self) -> Option<&Secret> {
        self.public_key.as_ref()
    }

    /// The source's, where one is configured.
    pub(super) fn verify_token(&self) -> Option<&Secret> {
        self.verify_token.as_ref()
    }

    /// The same scheme with these secrets.
    pub(super) fn with_secrets(&self, secrets: &[&str]) -> Result<Scheme, SchemeError> {
        self.make(self.scheme.as_deref(), self.verify.as_ref(), secrets)
    }

    /// The same secrets under other rules.
    pub(super) fn with_config(&self, config: &VerifyConfig) -> Result<Scheme, SchemeError> {
        let secrets: Vec<_> = self.secrets.iter().map(Secret::expose).collect();
        self.make(None, Some(config), &secrets)
    }

    fn make(
        &self,
        scheme: Option<&str>,
        verify: Option<&VerifyConfig>,
        secrets: &[&str],
    ) -> Result<Scheme, SchemeError> {
        fn exposed(secret: Option<&Secret>) -> Option<&str> {
            secret.map(Secret::expose)
        }
        let extras = Extras {
            public_key: exposed(self.public_key.as_ref()),
            audience: exposed(self.audience.as_ref()),
            pin_algorithm: exposed(self.pin_algorithm.as_ref()),
            secondary_secret: exposed(self.secondary_secret.as_ref()),
            verify_token: exposed(self.verify_token.as_ref()),
        };
        Scheme::compile(&Setup {
            scheme,
            verify,
            secrets,
            resolved: Some(&self.resolved),
            has_public_url: self.has_public_url,
            extras,
            max_decoded: self.max_decoded,
        })
    }
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recipe(***)")
    }
}

/// What of a scheme depends on what a source is configured with.
impl Scheme {
    /// Whether its handshake hands over a secret.
    pub fn learns(&self) -> bool {
        self.handshake.as_ref().is_some_and(|(handshake, _)| handshake.learns())
    }

    /// Whether the secret that its handshake hands over has to be typed in at the provider.
    pub fn shows_secret(&self) -> bool {
        self.handshake.as_ref().is_some_and(|(handshake, _)| handshake.shows_secret())
    }

    /// Whether it has no secret yet: its handshake is to hand one over.
    pub const fn has_no_secret(&self) -> bool {
        matches!(self.proof, Proof::Awaited)
    }

    /// Whether its handshake needs a `verify_token` that it was not given.
    pub fn lacks_verify_token(&self) -> bool {
        let needs = self.handshake.as_ref().is_some_and(|(handshake, _)| handshake.needs_verify_token());
        needs && self.recipe.verify_token().is_none()
    }

    /// Seconds that a signed time may be off, in the check with most; `None` without one.
    /// As long a request can come again.
    pub fn tolerance(&self) -> Option<u32> {
        let own = self.recipe.config().timestamp.map(|t| t.tolerance.unwrap_or(DEFAULT_TOLERANCE));
        self.checks().iter().map(Self::tolerance).chain([own]).flatten().max()
    }

    /// The same with these further secrets, behind its own.
    ///
    /// # Errors
    /// One of them cannot be a secret of this scheme.
    pub fn with_secrets(&self, more: &[Secret]) -> Result<Self, SchemeError> {
        let all: Vec<_> = self.recipe.secrets().iter().chain(more).map(Secret::expose).collect();
        self.recipe.with_secrets(&all)
    }
}

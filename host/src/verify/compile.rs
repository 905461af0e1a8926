//! From what is written to a [`Scheme`]: every check that can be made before the
//! first request is made here.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::config::{ExtractorConfig, OneOrMany, VerifyConfig};
use super::extract::{Extractor, HeaderPattern, Place};
use super::groups::groups;
use super::handshake::Handshake;
use super::json::Pointers;
use super::scheme::{Credentials, Proof, Scheme};
use super::setup::Recipe;
use super::signed::Signed;
use super::template::Template;
use super::timestamp::{DEFAULT_TOLERANCE, Timestamp};
use super::{SchemeError, Setup, checks, combined, presets};

/// Stands in for the secret that a handshake has still to hand over, so that the rest of
/// a scheme is checked at once; it fits every kind of shared secret and is not kept.
const STAND_IN: &[&str] = &["abcdabcd"];

impl Scheme {
    /// Compiles a scheme with its secrets, or says which field is wrong and why.
    pub fn compile(setup: &Setup<'_>) -> Result<Self, SchemeError> {
        if let Some(own) = setup.verify {
            combined::refuse_words_of_checks(own)?;
        }
        checks::unused(setup)?;
        Self::compile_at(setup, 0)
    }

    /// The same for a check that stands so deep in other checks.
    pub(super) fn compile_at(setup: &Setup<'_>, depth: usize) -> Result<Self, SchemeError> {
        let own = setup.verify.cloned().unwrap_or_default();
        let (name, config) = match setup.scheme {
            Some("none") => return unsigned(&own, setup),
            Some(name) if name.starts_with("plugin:") => {
                let reason = format!("{name:?} is decided by a plugin, which only a running gateway asks");
                return Err(SchemeError::new("scheme", reason));
            }
            Some(name) => {
                let preset = presets::find(name)?;
                checks::needs(name, preset, setup)?;
                (name, preset.verify.overridden_by(&own))
            }
            None if setup.verify.is_some() => ("custom", own),
            None => {
                let reason = "is missing: name a preset, spell the scheme out under verify, or say \"none\" \
                              to take requests from anybody";
                return Err(SchemeError::new("scheme", reason));
            }
        };
        if config.all.is_some() || config.any.is_some() {
            return combined::compile(name, &config, setup, depth);
        }
        let mut pointers = Pointers::default();
        if let Some(code) = config.code {
            checks::beside_code(code, &config)?;
            let proof = Proof::Coded(code.make(&config, setup)?);
            return build(name, &config, setup, proof, Credentials::default(), pointers);
        }
        let is_awaited = setup.secrets.is_empty() && config.handshake.is_some_and(Handshake::learns);
        let secrets = if is_awaited { STAND_IN } else { setup.secrets };
        let groups = groups(&config, &Setup { secrets, ..*setup }, name, &mut pointers)?;
        let signed = Signed {
            require: require(&config)?,
            timestamp: timestamp(&config, &mut pointers)?,
            templates: templates(&config, &mut pointers)?,
            groups,
        };
        checks::check(&config, &signed, setup.has_public_url)?;
        let credentials = credentials(&signed);
        let proof = if is_awaited { Proof::Awaited } else { Proof::Signed(signed) };
        build(name, &config, setup, proof, credentials, pointers)
    }
}

/// The scheme `none`: whoever knows the URL is believed, but ids and types can be read.
fn unsigned(config: &VerifyConfig, setup: &Setup<'_>) -> Result<Scheme, SchemeError> {
    if !setup.secrets.is_empty() {
        return Err(SchemeError::new("secrets", "are of no use with scheme \"none\", which checks nothing"));
    }
    let reads_only = VerifyConfig {
        id: config.id.clone(),
        event_type: config.event_type.clone(),
        json_field: config.json_field.clone(),
        ..VerifyConfig::default()
    };
    if reads_only != *config {
        let reason = "may only have id, type and json_field with scheme \"none\"; leave scheme out to verify";
        return Err(SchemeError::new("verify", reason));
    }
    build("none", config, setup, Proof::None, Credentials::default(), Pointers::default())
}

pub(super) fn build(
    name: &str,
    config: &VerifyConfig,
    setup: &Setup<'_>,
    proof: Proof,
    credentials: Credentials,
    mut pointers: Pointers,
) -> Result<Scheme, SchemeError> {
    let mut parts = |config: &Option<OneOrMany<ExtractorConfig>>, field| {
        let parts = config.as_ref().map_or(&[][..], |parts| &parts.0);
        parts
            .iter()
            .map(|part| Extractor::compile_name(part, field, &mut pointers))
            .collect::<Result<Vec<_>, _>>()
    };
    let id = parts(&config.id, "verify.id")?;
    let event_type = parts(&config.event_type, "verify.type")?;
    let handshake = config.handshake.map(|handshake| {
        (handshake, handshake.pointers().iter().filter_map(|pointer| pointers.add(pointer)).collect())
    });
    Ok(Scheme {
        name: name.to_owned(),
        proof,
        id,
        event_type,
        handshake,
        json_field: config.json_field.clone(),
        credentials,
        pointers,
        recipe: Arc::new(Recipe::of(setup)),
    })
}

fn require(config: &VerifyConfig) -> Result<Vec<(HeaderName, HeaderValue)>, SchemeError> {
    let parse = |(name, value): (&String, &String)| {
        let parsed = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
        parsed.ok_or_else(|| {
            SchemeError::new("verify.require", format!("{name:?} = {value:?} is not a header"))
        })
    };
    config.require.iter().flatten().map(parse).collect()
}

fn timestamp(config: &VerifyConfig, pointers: &mut Pointers) -> Result<Option<Timestamp>, SchemeError> {
    let Some(timestamp) = &config.timestamp else { return Ok(None) };
    let extractor = Extractor::compile(&timestamp.extractor(), "verify.timestamp", pointers)?
        .cut_at_joints()
        .of_one("verify.timestamp")?;
    let unit = timestamp.unit.unwrap_or_default();
    let is_number = timestamp.number == Some(true);
    if is_number && !matches!(extractor.place, Place::Json(_)) {
        return Err(SchemeError::new("verify.timestamp", "number is of use with json alone"));
    }
    let tolerance = timestamp.tolerance.unwrap_or(DEFAULT_TOLERANCE);
    Ok(Some(Timestamp { extractor, unit, is_number, tolerance }))
}

fn templates(config: &VerifyConfig, pointers: &mut Pointers) -> Result<Vec<Template>, SchemeError> {
    match &config.message {
        None => Ok(vec![Template::parse("{body}", pointers)?]),
        Some(texts) if texts.0.is_empty() => Err(SchemeError::new("verify.message", "is an empty list")),
        Some(texts) => texts.0.iter().map(|text| Template::parse(text, pointers)).collect(),
    }
}

/// What must not be stored: a token proves its bearer to whoever reads it.
fn credentials(signed: &Signed) -> Credentials {
    let mut credentials = Credentials::default();
    for group in signed.groups.iter().filter(|group| group.is_token) {
        match &group.signature.place {
            Place::Header(names) => credentials.headers.extend(names.iter().map(HeaderPattern::example)),
            Place::Query(names) => credentials.query.extend(names.iter().cloned()),
            // Stored with the body, which is said where that is configured.
            Place::Form(_) | Place::Json(_) | Place::JsonKey(_) => {}
        }
    }
    credentials
}

#[cfg(test)]
mod tests;

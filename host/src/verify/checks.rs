//! Whether what a scheme proves is what its configuration makes one believe.

use super::code::Code;
use super::config::{TimestampConfig, VerifyConfig};
use super::handshake::Handshake;
use super::key::Key;
use super::presets::{self, Preset};
use super::signed::Signed;
use super::template::Word;
use super::{SchemeError, Setup};

/// The words of a scheme against each other.
pub(super) fn check(config: &VerifyConfig, signed: &Signed, has_public_url: bool) -> Result<(), SchemeError> {
    let fail = |field: &str, reason: &str| Err(SchemeError::new(field, reason));
    let is_of_the_body = |text: &String| ["{body}", "hmacsha256={body}"].contains(&text.as_str());
    if config.handshake.is_some_and(Handshake::signs_for_anybody)
        && !config.message.iter().flat_map(|texts| &texts.0).all(is_of_the_body)
    {
        let reason = "signs what anybody asks for, so the message must be {body} or hmacsha256={body}: of another one \
                      it could be the signature";
        return fail("verify.handshake", reason);
    }
    let body_unsigned = config.body_unsigned == Some(true);
    let is_stored = signed.groups.iter().any(|group| group.is_token && group.signature.is_in_body());
    if config.token_stored == Some(true) && !is_stored {
        return fail("verify.token_stored", "is of use for a token in the body alone; leave it out");
    }
    if signed.groups.iter().all(|group| group.is_token) {
        if config.message.is_some() {
            return fail("verify.message", "has no meaning for a token, which signs nothing");
        }
        if config.timestamp.is_some() {
            return fail("verify.timestamp", "has no meaning for a token: the time is not signed");
        }
    }
    if signed.groups.iter().any(|group| group.is_token) && !body_unsigned {
        return fail("verify.body_unsigned", "must be true for a token: it does not sign the body");
    }
    let hashes_secret =
        signed.groups.iter().any(|group| group.keys.iter().any(|key| matches!(key, Key::Sha256(_))));
    for template in &signed.templates {
        if !template.has(Word::Body) && !body_unsigned {
            return fail(
                "verify.message",
                "does not sign the {body}; say body_unsigned = true if that is meant",
            );
        }
        if template.mentions(Word::Timestamp) && signed.timestamp.is_none() {
            return fail("verify.message", "has {timestamp}, so timestamp must say where the time is");
        }
        if let Some(timestamp) = &signed.timestamp
            && !template.has(Word::Timestamp)
            && !(template.has(Word::Body) && timestamp.extractor.is_in_body())
        {
            return fail(
                "verify.timestamp",
                "is not signed: put {timestamp} into the message, or leave it out",
            );
        }
        if template.mentions(Word::Url) && !has_public_url {
            return fail(
                "verify.message",
                "has {url}, so public_url must say the URL as the provider knows it",
            );
        }
        if hashes_secret && !template.has(Word::Secret) {
            return fail("verify.message", "has no {secret}, so anybody could make the sha256 of it");
        }
        if !hashes_secret && template.mentions(Word::Secret) {
            return fail("verify.message", "has {secret}, which only the algorithm sha256 takes");
        }
    }
    Ok(())
}

/// What a preset needs beside secrets. What a handshake needs is asked where handshakes
/// are answered: events are verified without it.
pub(super) fn needs(name: &str, preset: &Preset, setup: &Setup<'_>) -> Result<(), SchemeError> {
    let extras = given(setup);
    for key in &preset.needs {
        let is_there = match key.as_str() {
            "public_url" => setup.has_public_url,
            "verify_token" => true,
            other => extras.iter().any(|(own, is_given)| *own == other && *is_given),
        };
        if !is_there {
            return Err(SchemeError::new(key.as_str(), format!("is missing: scheme {name:?} needs it")));
        }
    }
    Ok(())
}

/// Refuses what a scheme in code would not read: whoever wrote it relies on it.
pub(super) fn beside_code(code: Code, config: &VerifyConfig) -> Result<(), SchemeError> {
    if let Some(timestamp) = &config.timestamp {
        let reads_only = TimestampConfig { tolerance: timestamp.tolerance, ..TimestampConfig::default() };
        if !code.has_time() {
            return Err(SchemeError::new("verify.timestamp", "is of no use: this scheme compares no time"));
        }
        if reads_only != *timestamp {
            let reason = "may only have tolerance: where the time is, is written in code";
            return Err(SchemeError::new("verify.timestamp", reason));
        }
    }
    let reads_only = VerifyConfig {
        code: config.code,
        timestamp: config.timestamp.clone(),
        id: config.id.clone(),
        event_type: config.event_type.clone(),
        json_field: config.json_field.clone(),
        handshake: config.handshake,
        ..VerifyConfig::default()
    };
    if reads_only == *config {
        return Ok(());
    }
    let reason = "may only have id, type, json_field, handshake and, where a time is signed, timestamp.tolerance beside \
                  a scheme that is written in code";
    Err(SchemeError::new("verify", reason))
}

/// Refuses a key beside secrets that nothing reads: whoever wrote it relies on it.
pub(super) fn unused(setup: &Setup<'_>) -> Result<(), SchemeError> {
    let mut taken = Vec::new();
    collect_taken(setup.scheme, setup.verify, &mut taken);
    let unused = given(setup).into_iter().find(|(key, is_given)| *is_given && !taken.contains(key));
    match unused {
        Some((key, _)) => {
            Err(SchemeError::new(key, format!("is of no use: {} does not take it", shown(setup.scheme))))
        }
        None => Ok(()),
    }
}

fn shown(scheme: Option<&str>) -> String {
    scheme.map_or_else(|| "the scheme that is spelled out".to_owned(), |name| format!("scheme {name:?}"))
}

/// Every key beside secrets, and whether it is given.
fn given(setup: &Setup<'_>) -> [(&'static str, bool); 5] {
    let extras = &setup.extras;
    [
        ("public_key", extras.public_key.is_some()),
        ("audience", extras.audience.is_some()),
        ("pin_algorithm", extras.pin_algorithm.is_some()),
        ("secondary_secret", extras.secondary_secret.is_some()),
        ("verify_token", extras.verify_token.is_some()),
    ]
}

/// What a scheme and the checks in it read beside secrets.
fn collect_taken<'a>(name: Option<&str>, own: Option<&'a VerifyConfig>, taken: &mut Vec<&'a str>) {
    let preset = name.and_then(presets::preset);
    if let Some(preset) = preset {
        taken.extend(preset.needs.iter().chain(&preset.takes).map(String::as_str));
    }
    for config in own.into_iter().chain(preset.map(|preset| &preset.verify)) {
        if config.secondary.is_some() {
            taken.push("secondary_secret");
        }
        taken.extend(config.code.iter().flat_map(|code| code.takes()));
        taken.extend(config.handshake.and_then(Handshake::takes));
        for check in config.all.iter().chain(&config.any).flatten() {
            collect_taken(check.preset.as_deref(), Some(check), taken);
        }
    }
}

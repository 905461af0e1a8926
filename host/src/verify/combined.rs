//! Several checks of one source: all of them must pass, or any of them.

use super::compile::build;
use super::config::VerifyConfig;
use super::documents::Documents;
use super::handshake::Handshake;
use super::json::Pointers;
use super::scheme::{Credentials, Proof, Scheme};
use super::{Accepted, Request, SchemeError, Setup, Verdict};
use crate::model::{Millis, Secret};

/// How deep checks may stand in checks.
const MAX_DEPTH: usize = 2;

/// Refuses what has a meaning in a check alone.
pub(super) fn refuse_words_of_checks(config: &VerifyConfig) -> Result<(), SchemeError> {
    let fail = |field: &str, reason: &str| Err(SchemeError::new(field, reason));
    if config.preset.is_some() {
        return fail("verify.preset", "is for the checks in all and any; name the preset as scheme");
    }
    if config.secrets.is_some() {
        return fail("verify.secrets", "is for the checks in all and any; a source has them beside verify");
    }
    Ok(())
}

/// The scheme that is made of the checks in `all` or `any`. `depth` is that of the scheme
/// itself, 0 outside of checks.
pub(super) fn compile(
    name: &str,
    config: &VerifyConfig,
    setup: &Setup<'_>,
    depth: usize,
) -> Result<Scheme, SchemeError> {
    let (word, checks) = match (&config.all, &config.any) {
        (Some(checks), None) => ("all", checks),
        (None, Some(checks)) => ("any", checks),
        _ => {
            return Err(SchemeError::new(
                "verify.any",
                "stands beside all; put one into a check of the other",
            ));
        }
    };
    let field = format!("verify.{word}");
    let fail = |reason: &str| Err(SchemeError::new(field.as_str(), reason));
    if checks.is_empty() {
        return fail("is an empty list: no check would be made");
    }
    if depth >= MAX_DEPTH {
        return fail("stands in checks of checks already, which is as deep as it goes");
    }
    if has_signature_of_its_own(config) {
        return fail("takes id, type, json_field and handshake beside it; the rest belongs into its checks");
    }
    if config.handshake.is_some_and(Handshake::signs_for_anybody) {
        let reason = "signs what anybody asks for: it belongs into the check whose events it is of";
        return Err(SchemeError::new("verify.handshake", reason));
    }
    if !setup.secrets.is_empty() && checks.iter().all(|check| check.secrets.is_some()) {
        return Err(SchemeError::new("secrets", format!("are of no use: every check in {word} has its own")));
    }
    let place = |at: usize| format!("{field}[{at}]");
    let compiled = checks.iter().enumerate().map(|(at, check)| {
        compile_check(check, setup, depth + 1)
            .map_err(|error| error.within(&place(at), check.secrets.is_some()))
    });
    let compiled = compiled.collect::<Result<Vec<_>, _>>()?;
    let mut credentials = Credentials::default();
    for check in &compiled {
        credentials.headers.extend(check.credentials.headers.iter().cloned());
        credentials.query.extend(check.credentials.query.iter().cloned());
    }
    let proof = if config.all.is_some() { Proof::All(compiled) } else { Proof::Any(compiled) };
    build(name, config, setup, proof, credentials, Pointers::default())
}

fn has_signature_of_its_own(config: &VerifyConfig) -> bool {
    let reads_only = VerifyConfig {
        id: config.id.clone(),
        event_type: config.event_type.clone(),
        json_field: config.json_field.clone(),
        handshake: config.handshake,
        all: config.all.clone(),
        any: config.any.clone(),
        ..VerifyConfig::default()
    };
    reads_only != *config
}

fn compile_check(check: &VerifyConfig, setup: &Setup<'_>, depth: usize) -> Result<Scheme, SchemeError> {
    if check.preset.as_deref() == Some("none") {
        let reason = "is \"none\", which lets everybody pass: leave the check out";
        return Err(SchemeError::new("scheme", reason));
    }
    let own = VerifyConfig { preset: None, secrets: None, ..check.clone() };
    let secrets = match &check.secrets {
        Some(references) => references.iter().map(|reference| resolved(setup, reference)).collect(),
        None => setup.secrets.to_vec(),
    };
    let setup = Setup { scheme: check.preset.as_deref(), verify: Some(&own), secrets: &secrets, ..*setup };
    Scheme::compile_at(&setup, depth)
}

/// What a reference stands for; itself where nobody resolves references.
fn resolved<'a>(setup: &Setup<'a>, reference: &'a str) -> &'a str {
    setup.resolved.and_then(|known| known.get(reference)).map_or(reference, Secret::expose)
}

/// Every check must pass. The first id and the first type that one finds count.
pub(super) fn all(
    checks: &[Scheme],
    request: &Request<'_>,
    now: Millis,
    documents: &Documents,
) -> Result<Accepted, Verdict> {
    let mut known = Accepted::default();
    let mut handshake = None;
    for check in checks {
        match check.judge(&check.reader(request), now, documents) {
            Verdict::Accepted(found) => {
                known.id = known.id.or(found.id);
                known.event_type = known.event_type.or(found.event_type);
            }
            Verdict::Handshake(reply) => handshake = handshake.or(Some(reply)),
            refusal => return Err(refusal),
        }
    }
    match handshake {
        Some(reply) => Err(Verdict::Handshake(reply)),
        None => Ok(known),
    }
}

/// The first check that passes decides. Where none does, every reason is told; a document
/// that one wants is fetched before anything is refused.
pub(super) fn any(
    checks: &[Scheme],
    request: &Request<'_>,
    now: Millis,
    documents: &Documents,
) -> Result<Accepted, Verdict> {
    let mut refusals = Vec::new();
    for check in checks {
        match check.judge(&check.reader(request), now, documents) {
            Verdict::Accepted(found) => return Ok(found),
            Verdict::Handshake(reply) => return Err(Verdict::Handshake(reply)),
            refusal => refusals.push(refusal),
        }
    }
    if let Some(wanted) = refusals.iter().position(|refusal| matches!(refusal, Verdict::Wanted(_))) {
        return Err(refusals.swap_remove(wanted));
    }
    let is_malformed = refusals.iter().all(|refusal| matches!(refusal, Verdict::Malformed(_)));
    let mut reasons: Vec<String> = Vec::new();
    for refusal in refusals {
        if let Verdict::Malformed(reason)
        | Verdict::Unauthorized(reason)
        | Verdict::Forbidden(reason)
        | Verdict::NotFound(reason) = refusal
            && !reasons.contains(&reason)
        {
            reasons.push(reason);
        }
    }
    let reason = reasons.join("; ");
    Err(if is_malformed { Verdict::Malformed(reason) } else { Verdict::Unauthorized(reason) })
}

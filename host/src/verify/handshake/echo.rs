//! Handshakes whose challenge comes back in the clear: as plain text, or as JSON where
//! the provider wants it; never as anything that a browser would run.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::super::compare::equal;
use super::super::{Reply, Verdict};
use super::given::{self, malformed};
use super::{Asked, Found};

pub(super) fn slack(asked: &Asked<'_, '_>) -> Found {
    let [Some("url_verification"), challenge] = asked.values() else { return Ok(None) };
    let challenge = challenge.ok_or_else(|| malformed("url_verification without a challenge"))?;
    Ok(Some(text(given::checked("challenge", challenge)?)))
}

/// Only the verification: a `revocation` is an event, of which somebody has to hear.
pub(super) fn twitch(asked: &Asked<'_, '_>) -> Found {
    let kind = asked.request.headers.get("twitch-eventsub-message-type");
    if kind.is_none_or(|kind| kind != "webhook_callback_verification") {
        return Ok(None);
    }
    let [challenge] = asked.values();
    let challenge = challenge.ok_or_else(|| malformed("a verification without a challenge"))?;
    Ok(Some(text(given::checked("challenge", challenge)?)))
}

/// A GET is this handshake or nothing: Meta's events are posted.
pub(super) fn meta(asked: &Asked<'_, '_>) -> Found {
    if asked.request.method != "GET" {
        return Ok(None);
    }
    let of = |name| given::query(asked.request, &[name]);
    let (mode, token, challenge) = (of("hub.mode")?, of("hub.verify_token")?, of("hub.challenge")?);
    if mode.is_none() && token.is_none() && challenge.is_none() {
        return Err(Verdict::NotFound("nothing is here without hub.mode".to_owned()));
    }
    let is_ours = token.zip(asked.verify_token).is_some_and(|(token, own)| is_same(&token, own.expose()));
    if !is_ours {
        return Err(Verdict::Forbidden("hub.verify_token is not the one of this source".to_owned()));
    }
    if mode.as_deref() != Some("subscribe") {
        return Err(malformed("hub.mode is not subscribe"));
    }
    let challenge = challenge.ok_or_else(|| malformed("hub.challenge is missing"))?;
    Ok(Some(text(&challenge)))
}

/// Hashes are compared, so that not even the length shows in the time it takes.
fn is_same(given: &str, own: &str) -> bool {
    equal(&Sha256::digest(given), &Sha256::digest(own))
}

/// `SharePoint` writes the name in lower case.
pub(super) fn ms_graph(asked: &Asked<'_, '_>) -> Found {
    if asked.request.method != "POST" {
        return Ok(None);
    }
    let token = given::query(asked.request, &["validationToken", "validationtoken"])?;
    Ok(token.map(|token| text(&token)))
}

pub(super) fn okta(asked: &Asked<'_, '_>) -> Found {
    if asked.request.method != "GET" {
        return Ok(None);
    }
    let challenge = given::header(asked.request, "x-okta-verification-challenge")?;
    Ok(challenge.map(|challenge| Verdict::Handshake(Reply::json(200, &json!({ "verification": challenge })))))
}

pub(super) fn query(asked: &Asked<'_, '_>) -> Found {
    if asked.request.method != "GET" {
        return Ok(None);
    }
    let challenge = given::query(asked.request, &["challenge"])?;
    Ok(challenge.map(|challenge| text(&challenge)))
}

/// What has an event beside the challenge is an event.
pub(super) fn monday(asked: &Asked<'_, '_>) -> Found {
    let [Some(challenge), None] = asked.short_values() else { return Ok(None) };
    let challenge = given::checked("challenge", challenge)?;
    Ok(Some(Verdict::Handshake(Reply::json(200, &json!({ "challenge": challenge })))))
}

fn text(challenge: &str) -> Verdict {
    Verdict::Handshake(Reply::text(200, challenge))
}

//! What may be accepted, decided without the gateway's own verifier.
//!
//! The oracle has no keys. It knows the request that was signed, and says of another
//! whether its message could be the same, whether the signature is still in it, whether its
//! time is near, and whether what is told of it was signed. It allows too much rather than
//! too little: where a name has several values, any may be the one.

use hookloom::verify::{
    Accepted, Algorithm, Encoding, ExtractorConfig, OneOrMany, Unit, Verdict, VerifyConfig,
};

use super::case::Case;
use super::message::{form_set, messages, templates, times, values};
use super::sent::Sent;

/// Whether that verdict is allowed.
pub(super) fn allows(case: &Case, verdict: &Verdict) -> Result<(), &'static str> {
    let Verdict::Accepted(accepted) = verdict else { return Ok(()) };
    let Some(config) = case.config() else { return Ok(()) };
    if let Some(sent) = signed_by_code(case.preset.as_deref(), &case.sent) {
        let original = case.original.as_ref().ok_or("nobody signed it")?;
        let signed = signed_by_code(case.preset.as_deref(), original);
        return if signed == Some(sent) { Ok(()) } else { Err("it says something else") };
    }
    // What it has no words for, other tests judge.
    if config.code.is_some() || config.signature.is_none() || config.when.is_some() {
        return Ok(());
    }
    if config.algorithm == Some(Algorithm::Token) {
        return holds_token(case, &config);
    }
    let Some(original) = &case.original else { return Err("nobody signed it") };
    if !is_near(case, &config) {
        return Err("its time is far");
    }
    if !holds_signature(original, &case.sent, &config) {
        return Err("it has another signature");
    }
    if !names_what_was_signed(original, &config, accepted) {
        return Err("its id is not the one that was signed");
    }
    let (Some(signed), Some(sent)) = (messages(original, &config), messages(&case.sent, &config)) else {
        return Ok(());
    };
    if sent.iter().any(|message| signed.contains(message)) { Ok(()) } else { Err("it says something else") }
}

/// What a preset in code signs of a request's line and body, byte for byte; none where that
/// is not known here.
fn signed_by_code(preset: Option<&str>, sent: &Sent) -> Option<Vec<Vec<u8>>> {
    let (method, url, body) = (sent.method.clone().into_bytes(), sent.url().into_bytes(), sent.body.clone());
    match preset? {
        // Its library takes an empty query for none.
        "contentful" => Some(vec![method, url.strip_suffix(b"?").unwrap_or(&url).to_vec(), body]),
        "messagebird" => Some(vec![url, body]),
        // The hash of a body that is no form is in the URL.
        "twilio" | "twilio-sharedkey" if url.windows(10).any(|window| window == b"bodySHA256") => {
            Some(vec![url, body])
        }
        "twilio" | "twilio-sharedkey" => Some(vec![url, form_set(&body)]),
        _ => None,
    }
}

/// Whether an id that stands in every message is told as it was signed: with several
/// headers of a name, one could be proven and another told.
fn names_what_was_signed(original: &Sent, config: &VerifyConfig, accepted: &Accepted) -> bool {
    let (Some(OneOrMany(parts)), Some(id)) = (&config.id, &accepted.id) else { return true };
    let [ExtractorConfig { header: Some(names), split: None, prefix: None, index: None, .. }] = &parts[..]
    else {
        return true;
    };
    let word = format!("{{header:{}}}", names.0.join("|"));
    !templates(config).iter().all(|template| template.contains(&word))
        || values(original, Some(names), None).iter().any(|value| value == id.as_bytes())
}

fn holds_token(case: &Case, config: &VerifyConfig) -> Result<(), &'static str> {
    if config.encoding.is_some_and(|encoding| encoding != Encoding::Text) || config.secret.is_some() {
        return if case.original.is_some() { Ok(()) } else { Err("nobody knows the token") };
    }
    let is_there = |text: &[u8]| contains(text, case.secret.as_bytes());
    let sent = &case.sent;
    if sent.headers.iter().any(|(_, value)| is_there(value))
        || is_there(sent.query.as_deref().unwrap_or_default().as_bytes())
        || is_there(&sent.body)
    {
        Ok(())
    } else {
        Err("the token is not in it")
    }
}

/// Whether one of the values where the time is could be near enough.
fn is_near(case: &Case, config: &VerifyConfig) -> bool {
    let Some(timestamp) = &config.timestamp else { return true };
    let places = (timestamp.header.as_ref(), timestamp.query.as_ref());
    if places == (None, None) || timestamp.unit.unwrap_or_default() != Unit::Seconds {
        return true;
    }
    let tolerance = i64::from(timestamp.tolerance.unwrap_or(300));
    times(&case.sent, places.0, places.1).iter().any(|text| {
        let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
        number.is_some_and(|time| (time - case.now).abs() <= tolerance)
    })
}

/// Whether a signature of the original is in the same place: its text, in any case where
/// case says nothing.
fn holds_signature(original: &Sent, sent: &Sent, config: &VerifyConfig) -> bool {
    let Some(ExtractorConfig { header, query, prefix, .. }) = &config.signature else { return true };
    if (header, query) == (&None, &None) {
        return true;
    }
    let is_hex = config.encoding.unwrap_or(Encoding::Hex) == Encoding::Hex;
    let shown = |text: &[u8]| if is_hex { text.to_ascii_lowercase() } else { text.to_vec() };
    let prefix = prefix.as_deref().unwrap_or_default().as_bytes();
    let values = |sent: &Sent| -> Vec<Vec<u8>> {
        values(sent, header.as_ref(), query.as_ref()).iter().map(|value| shown(value)).collect()
    };
    let signatures = values(original).into_iter().filter_map(|value| {
        let prefix = shown(prefix);
        let at = value.windows(prefix.len().max(1)).position(|window| window == prefix).unwrap_or(0);
        let start = if prefix.is_empty() { 0 } else { at + prefix.len() };
        let end = value[start..]
            .iter()
            .position(|byte| b",; ".contains(byte))
            .map_or(value.len(), |end| start + end);
        (end > start).then(|| value[start..end].to_vec())
    });
    let there = values(sent);
    signatures.into_iter().any(|signature| there.iter().any(|value| contains(value, &signature)))
}

fn contains(text: &[u8], piece: &[u8]) -> bool {
    !piece.is_empty() && text.windows(piece.len()).any(|window| window == piece)
}

#[cfg(test)]
mod tests;

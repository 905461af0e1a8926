//! What may be accepted, decided without the gateway's own verifier.
//!
//! The oracle has no keys. It knows the request that was signed, and says of another
//! whether its message could be the same, whether the signature is still in it, and
//! whether its time is near. It allows too much rather than too little: where a header
//! has several values, any may be the one.

use hookloom::verify::{Algorithm, Encoding, ExtractorConfig, Unit, Verdict, VerifyConfig};

use super::case::{Case, Sent, URL};

/// Messages that are tried of one request.
const MOST: usize = 4096;

/// Whether that verdict is allowed.
pub(super) fn allows(case: &Case, verdict: &Verdict) -> Result<(), &'static str> {
    if !matches!(verdict, Verdict::Accepted(_)) {
        return Ok(());
    }
    let Some(config) = case.config() else { return Ok(()) };
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
    let (Some(signed), Some(sent)) = (messages(original, &config), messages(&case.sent, &config)) else {
        return Ok(());
    };
    if sent.iter().any(|message| signed.contains(message)) { Ok(()) } else { Err("it says something else") }
}

fn holds_token(case: &Case, config: &VerifyConfig) -> Result<(), &'static str> {
    if config.encoding.is_some_and(|encoding| encoding != Encoding::Text) || config.secret.is_some() {
        return if case.original.is_some() { Ok(()) } else { Err("nobody knows the token") };
    }
    let is_there = |text: &[u8]| contains(text, case.secret.as_bytes());
    let sent = &case.sent;
    if sent.headers.iter().any(|(_, value)| is_there(value))
        || is_there(sent.query.as_bytes())
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
    let (Some(names), Unit::Seconds) = (&timestamp.header, timestamp.unit.unwrap_or_default()) else {
        return true;
    };
    let tolerance = i64::from(timestamp.tolerance.unwrap_or(300));
    times(&case.sent, &names.0).iter().any(|text| {
        let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
        number.is_some_and(|time| (time - case.now).abs() <= tolerance)
    })
}

/// Everything in those headers that could be the time.
fn times(sent: &Sent, names: &[String]) -> Vec<Vec<u8>> {
    let mut found = vec![Vec::new()];
    for value in names.iter().flat_map(|name| sent.values(name)) {
        found.push(value.to_vec());
        for piece in value.split(|byte| b",; ".contains(byte)) {
            let piece = piece.trim_ascii();
            found.push(piece.to_vec());
            found.extend(piece.iter().position(|byte| *byte == b'=').map(|at| piece[at + 1..].to_vec()));
        }
    }
    found
}

/// Whether a signature of the original is in the same place: its text, in any case where
/// case says nothing.
fn holds_signature(original: &Sent, sent: &Sent, config: &VerifyConfig) -> bool {
    let Some(ExtractorConfig { header: Some(names), prefix, .. }) = &config.signature else { return true };
    let is_hex = config.encoding.unwrap_or(Encoding::Hex) == Encoding::Hex;
    let shown = |text: &[u8]| if is_hex { text.to_ascii_lowercase() } else { text.to_vec() };
    let prefix = prefix.as_deref().unwrap_or_default().as_bytes();
    let values = |sent: &Sent| -> Vec<Vec<u8>> {
        names.0.iter().flat_map(|name| sent.values(name).map(shown).collect::<Vec<_>>()).collect()
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

/// Every message that the request could have, by every template; none where a word is
/// not known here.
fn messages(sent: &Sent, config: &VerifyConfig) -> Option<Vec<Vec<u8>>> {
    let body = vec!["{body}".to_owned()];
    let templates = config.message.as_ref().map_or(&body, |templates| &templates.0);
    let names = config.timestamp.as_ref().and_then(|timestamp| timestamp.header.as_ref());
    let times = names.map_or_else(|| vec![Vec::new()], |names| times(sent, &names.0));
    let mut all = Vec::new();
    for template in templates {
        for message in render(template, sent, &times)? {
            // Which template it was counts, too: another one's message proves nothing new.
            all.push(message);
        }
    }
    Some(all)
}

fn render(template: &str, sent: &Sent, times: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let mut messages = vec![Vec::new()];
    let mut rest = template;
    while !rest.is_empty() {
        let choices: Vec<Vec<u8>>;
        if let Some(behind) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            choices = vec![rest.as_bytes()[..1].to_vec()];
            rest = behind;
        } else if let Some((word, behind)) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            choices = word_of(word, sent, times)?;
            rest = behind;
        } else {
            let end = rest.find(['{', '}']).filter(|end| *end > 0).unwrap_or(rest.len());
            choices = vec![rest.as_bytes()[..end].to_vec()];
            rest = &rest[end..];
        }
        messages = messages
            .iter()
            .flat_map(|message| choices.iter().map(move |choice| [message.as_slice(), choice].concat()))
            .take(MOST)
            .collect();
    }
    Some(messages)
}

fn word_of(word: &str, sent: &Sent, times: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    Some(match word {
        "body" => vec![sent.body.clone()],
        "timestamp" => times.to_vec(),
        "method" => vec![sent.method.clone().into_bytes()],
        "url" => vec![URL.as_bytes().to_vec()],
        _ => {
            let names = word.strip_prefix("header:")?;
            names
                .split('|')
                .flat_map(|name| sent.values(name).map(<[u8]>::to_vec).collect::<Vec<_>>())
                .collect()
        }
    })
}

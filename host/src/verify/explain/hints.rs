//! What would have made a request match: one thing changed, and the whole decision taken
//! again. What is not tried is not said.

use super::super::config::{Algorithm, Encoding, OneOrMany, SecretKind, Unit, VerifyConfig};
use super::super::{Request, Scheme};
use super::{Asked, respell};
use crate::model::{Millis, Secret, format_rfc3339};

/// One sentence for each change that helps. `written` is the time that the request names.
pub(super) fn all(scheme: &Scheme, asked: &Asked<'_>, written: Option<Millis>) -> Vec<String> {
    let found = changes(scheme, asked);
    if !found.is_empty() {
        return found.into_iter().map(|change| format!("it would match {change}")).collect();
    }
    let Some(own_time) = written.map(|at| asked.at(at)) else { return Vec::new() };
    let at = format_rfc3339(own_time.now);
    if own_time.is_taken_by(scheme) {
        return vec![format!(
            "it would match if it were judged at its own time, {at}: it came late, or a clock is wrong"
        )];
    }
    // What is stale as well is wrong in two ways.
    let found = changes(scheme, &own_time);
    found.into_iter().map(|change| format!("it would match {change}, judged at its own time, {at}")).collect()
}

/// Every change that helps.
fn changes(scheme: &Scheme, asked: &Asked<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |change: &str| found.push(change.to_owned());
    requests(scheme, asked, &mut say);
    secrets(scheme, asked, &mut say);
    configs(scheme, asked, &mut say);
    found
}

/// Another body or another URL.
fn requests(scheme: &Scheme, asked: &Asked<'_>, say: &mut dyn FnMut(&str)) {
    let request = asked.request;
    for (what, body) in respell::all(request.body) {
        let changed = Request { body: &body, ..*request };
        if (Asked { request: &changed, ..*asked }).is_taken_by(scheme) {
            say(what);
        }
    }
    for (what, url) in request.public_url.map(urls).unwrap_or_default() {
        let changed = Request { public_url: Some(&url), ..*request };
        if (Asked { request: &changed, ..*asked }).is_taken_by(scheme) {
            say(&format!("{what}: {url}"));
        }
    }
}

/// Other spellings of the URL that a provider may have been given.
fn urls(url: &str) -> Vec<(&'static str, String)> {
    let Some((scheme, rest)) = url.split_once("://") else { return Vec::new() };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let other = if scheme == "https" { "http" } else { "https" };
    let port = |scheme: &str| if scheme == "https" { 443 } else { 80 };
    let (bare, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let slashed = bare.strip_suffix('/').map_or_else(|| format!("{bare}/"), str::to_owned);
    let mut found = vec![
        ("with the other of http and https in the URL", format!("{other}://{authority}{path}")),
        ("without the query in the URL", format!("{scheme}://{authority}{bare}")),
        (
            "with the slash at the end of the URL's path added or removed",
            format!("{scheme}://{authority}{slashed}{query}"),
        ),
        ("with the URL's host in lower case", format!("{scheme}://{}{path}", authority.to_ascii_lowercase())),
    ];
    for scheme in [scheme, other] {
        if host == authority {
            found.push(("with the port in the URL", format!("{scheme}://{host}:{}{path}", port(scheme))));
        } else {
            found.push(("without the port in the URL", format!("{scheme}://{host}{path}")));
        }
    }
    found
}

/// Other readings of what was pasted as a secret. Says which secret, never what is in it.
fn secrets(scheme: &Scheme, asked: &Asked<'_>, say: &mut dyn FnMut(&str)) {
    for (place, secret) in scheme.recipe.secrets().iter().enumerate() {
        let text = secret.expose();
        let unquoted = text.trim().trim_matches(['"', '\'', '`']);
        let bare = text.split_once('_').map_or(text, |(_, bare)| bare);
        for (what, other) in [
            ("trimmed of white space", text.trim().to_owned()),
            ("without the quotes around it", unquoted.to_owned()),
            ("with a line break at its end", format!("{text}\n")),
            ("without what is before its first _", bare.to_owned()),
            ("in lower case", text.to_ascii_lowercase()),
        ] {
            // Compares lengths and texts of the operator's own secret with itself.
            if Secret::from_text(&*other).is_unchanged(secret) {
                continue;
            }
            if scheme.recipe.with_secrets(&[&other]).is_ok_and(|scheme| asked.is_taken_by(&scheme)) {
                say(&format!("with secret {} {what}", place + 1));
            }
        }
    }
}

/// Other rules.
fn configs(scheme: &Scheme, asked: &Asked<'_>, say: &mut dyn FnMut(&str)) {
    let own = scheme.recipe.config();
    let mut changed: Vec<(String, VerifyConfig)> = Vec::new();
    for (word, encoding) in
        [("hex", Encoding::Hex), ("base64", Encoding::Base64), ("base64url", Encoding::Base64url)]
    {
        changed.push((
            format!("with encoding = \"{word}\""),
            VerifyConfig { encoding: Some(encoding), ..own.clone() },
        ));
    }
    for algorithm in [Algorithm::HmacSha1, Algorithm::HmacSha256, Algorithm::HmacSha512] {
        changed.push((
            format!("with algorithm = \"{}\"", algorithm.as_str()),
            VerifyConfig { algorithm: Some(algorithm), ..own.clone() },
        ));
    }
    for (what, kind) in [
        ("with the secret's own bytes as key, whole (secret = \"utf8\")", SecretKind::Utf8),
        ("with the secret decoded from base64 (secret = \"base64\")", SecretKind::Base64),
        ("with the secret decoded from hex (secret = \"hex\")", SecretKind::Hex),
        ("with the secret decoded from base64 behind whsec_ (secret = \"whsec\")", SecretKind::Whsec),
    ] {
        changed.push((what.to_owned(), VerifyConfig { secret: Some(kind), ..own.clone() }));
    }
    changed.extend(rules_of_time_and_place(&own));
    for (what, config) in changed.iter().filter(|(_, config)| *config != own) {
        if scheme.recipe.with_config(config).is_ok_and(|scheme| asked.is_taken_by(&scheme)) {
            say(what);
        }
    }
}

/// Another unit of the time, another mark before the signature, less signed.
fn rules_of_time_and_place(own: &VerifyConfig) -> Vec<(String, VerifyConfig)> {
    let mut changed = Vec::new();
    for (word, unit) in [("s", Unit::Seconds), ("ms", Unit::Milliseconds), ("rfc3339", Unit::Rfc3339)] {
        changed.extend(own.timestamp.clone().map(|timestamp| {
            let timestamp = Some(super::super::TimestampConfig { unit: Some(unit), ..timestamp });
            (format!("with the time's unit = \"{word}\""), VerifyConfig { timestamp, ..own.clone() })
        }));
    }
    if let Some(signature) = own.signature.as_ref().filter(|signature| signature.prefix.is_some()) {
        let signature = Some(super::super::ExtractorConfig { prefix: None, ..signature.clone() });
        let what = "without the prefix of the signature".to_owned();
        changed.push((what, VerifyConfig { signature, ..own.clone() }));
    }
    if own.code.is_none() {
        let message = Some(OneOrMany(vec!["{body}".to_owned()]));
        let what = "if the body alone were what is signed (message = \"{body}\", no timestamp)".to_owned();
        changed.push((what, VerifyConfig { message, timestamp: None, ..own.clone() }));
    }
    changed
}

//! What a request says, by the words of its scheme, read without the gateway's own reader.
//!
//! Where a name has several values, any of them may be the one that counts.

use hookloom::verify::{OneOrMany, VerifyConfig};
use url::form_urlencoded;

use super::sent::Sent;

/// Messages that are tried of one request.
const MOST: usize = 4096;

type Values = Vec<Vec<u8>>;

/// Every message that the request could have, by every template; none where a word is
/// not known here.
pub(super) fn messages(sent: &Sent, config: &VerifyConfig) -> Option<Values> {
    let times = config.timestamp.as_ref().map_or_else(Values::default, |timestamp| {
        times(sent, timestamp.header.as_ref(), timestamp.query.as_ref())
    });
    // One that is elsewhere is not looked at.
    let times = if times.is_empty() { vec![Vec::new()] } else { times };
    let mut all = Vec::new();
    for template in templates(config) {
        all.extend(render(template, sent, &times)?);
    }
    Some(all)
}

pub(super) fn templates(config: &VerifyConfig) -> Vec<&str> {
    let texts = config.message.as_ref().map(|texts| texts.0.iter().map(String::as_str).collect());
    texts.unwrap_or_else(|| vec!["{body}"])
}

/// The values in those headers and of those names in the query.
pub(super) fn values(
    sent: &Sent,
    headers: Option<&OneOrMany<String>>,
    parameters: Option<&OneOrMany<String>>,
) -> Values {
    let headers = headers.into_iter().flat_map(|names| &names.0).flat_map(|name| sent.header(name));
    let parameters = parameters.into_iter().flat_map(|names| &names.0).flat_map(|name| sent.parameter(name));
    headers.chain(parameters).collect()
}

/// Everything in those places that could be the time.
pub(super) fn times(
    sent: &Sent,
    headers: Option<&OneOrMany<String>>,
    parameters: Option<&OneOrMany<String>>,
) -> Values {
    let mut found = Vec::new();
    for value in values(sent, headers, parameters) {
        for piece in value.split(|byte| b",; ".contains(byte)) {
            let piece = piece.trim_ascii();
            found.push(piece.to_vec());
            found.extend(piece.iter().position(|byte| *byte == b'=').map(|at| piece[at + 1..].to_vec()));
        }
        found.push(value);
    }
    found
}

/// `[[` and `]]` stand around what drops out when something in it is missing.
fn render(template: &str, sent: &Sent, times: &[Vec<u8>]) -> Option<Values> {
    let mut messages = vec![Vec::new()];
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once("[[") {
        let (inner, behind) = behind.split_once("]]")?;
        let mut optional = render_words(inner, sent, times)?;
        if optional.is_empty() {
            optional.push(Vec::new());
        }
        messages = joined(&joined(&messages, &render_words(before, sent, times)?), &optional);
        rest = behind;
    }
    Some(joined(&messages, &render_words(rest, sent, times)?))
}

fn render_words(template: &str, sent: &Sent, times: &[Vec<u8>]) -> Option<Values> {
    let mut messages = vec![Vec::new()];
    let mut rest = template;
    while !rest.is_empty() {
        let choices;
        if let Some(behind) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            choices = vec![rest.as_bytes()[..1].to_vec()];
            rest = behind;
        } else if let Some((word, behind)) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            choices = values_of(word, sent, times)?;
            rest = behind;
        } else {
            let end = rest.find(['{', '}']).filter(|end| *end > 0).unwrap_or(rest.len());
            choices = vec![rest.as_bytes()[..end].to_vec()];
            rest = &rest[end..];
        }
        messages = joined(&messages, &choices);
    }
    Some(messages)
}

fn joined(messages: &[Vec<u8>], choices: &[Vec<u8>]) -> Values {
    let each = messages
        .iter()
        .flat_map(|message| choices.iter().map(move |choice| [message.as_slice(), choice].concat()));
    each.take(MOST).collect()
}

/// What a word may stand for. What the gateway hashes stands for itself: it is the same
/// where its hash is.
fn values_of(word: &str, sent: &Sent, times: &[Vec<u8>]) -> Option<Values> {
    Some(match word {
        "body" | "body:ascii" | "body_sha256" => vec![sent.body.clone()],
        "form_sorted" => vec![form_sorted(&sent.body)],
        "timestamp" => times.to_vec(),
        "method" => vec![sent.method.clone().into_bytes()],
        "url" => vec![sent.url().into_bytes()],
        "secret" => vec![b"secret".to_vec()],
        _ => {
            if let Some(inner) = word.strip_prefix("lower:") {
                let values = values_of(inner, sent, times)?;
                return Some(values.iter().map(|value| value.to_ascii_lowercase()).collect());
            }
            let (kind, names) = word.split_once(':')?;
            let of = |name| match kind {
                "header" => Some(sent.header(name)),
                "query" => Some(sent.parameter(name)),
                _ => None,
            };
            let all: Option<Vec<_>> = names.split('|').map(of).collect();
            all?.concat()
        }
    })
}

/// The fields of a form in order, each pair once.
pub(super) fn form_set(body: &[u8]) -> Vec<u8> {
    let mut pairs: Vec<_> = form_urlencoded::parse(body).collect();
    pairs.sort();
    pairs.dedup();
    pairs.into_iter().flat_map(|(name, value)| [name, value].concat().into_bytes()).collect()
}

fn form_sorted(body: &[u8]) -> Vec<u8> {
    let mut pairs: Vec<_> = form_urlencoded::parse(body).collect();
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    pairs.into_iter().flat_map(|(name, value)| [name, value].concat().into_bytes()).collect()
}

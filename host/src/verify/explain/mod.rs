//! Why a request is judged as it is: every step with what was found, the bytes that are
//! signed, and what would have made it match.
//!
//! Nothing here is a secret, nor the signature that would have been right: whoever reads
//! an explanation could forge with it.

mod hints;
mod respell;
#[cfg(test)]
mod tests;

use super::config::Encoding;
use super::extract::{Cut, Extractor, Reader};
use super::scheme::Proof;
use super::template::Filling;
use super::timestamp::Timestamp;
use super::{Accepted, Documents, Request, Scheme, Verdict};
use crate::model::{Millis, format_rfc3339};

/// What stands in a message for a secret that is hashed with it.
const HIDDEN: &[u8] = b"***";

/// How a verdict came about.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What the request is.
    pub verdict: Verdict,
    /// In the order in which they are taken. Those behind a failed one are shown as well.
    pub steps: Vec<Step>,
    /// Each message of which one must be signed; `***` stands in it for the secret where
    /// that is hashed with it.
    pub signed: Vec<SignedBytes>,
    /// What would have made it match, each one tried. Empty for what is accepted.
    pub hints: Vec<String>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `signature`, `timestamp`, `secret 1`, …
    pub what: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found. May hold text of the request: escape it for a terminal.
    pub found: String,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Good,
    /// With a refusal, if nothing else helps.
    Failed,
    /// It has no bearing on the verdict.
    Neutral,
}

/// A message that a provider signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBytes {
    /// Which one: `message 1`, …
    pub name: String,
    /// Exactly.
    pub bytes: Vec<u8>,
}

impl Outcome {
    const fn of(good: bool) -> Self {
        if good { Self::Good } else { Self::Failed }
    }
}

impl Scheme {
    /// What [`Scheme::verify`] says of the request, and how it comes to that. Costs some
    /// fifty verifications.
    pub fn explain(&self, request: &Request<'_>, now: Millis, documents: &Documents) -> Explanation {
        let verdict = self.verify(request, now, documents);
        let asked = Asked { request, now, documents };
        let mut notes = Notes::default();
        if self.probe(request).is_some() {
            notes.step("handshake", Outcome::Neutral, "answered before anything is proven".to_owned());
        } else {
            self.note_proof(&asked, &mut notes, "");
            self.note_secrets(&asked, notes.written, &mut notes);
        }
        if let Verdict::Accepted(Accepted { id, event_type }) = &verdict {
            for (what, found) in [("id", id), ("type", event_type)] {
                let found = found.clone().unwrap_or_else(|| "none: the scheme finds none".to_owned());
                notes.step(what, Outcome::Neutral, found);
            }
        }
        let is_refused = matches!(verdict, Verdict::Malformed(_) | Verdict::Unauthorized(_));
        let hints = if is_refused { hints::all(self, &asked, notes.written) } else { Vec::new() };
        Explanation { verdict, steps: notes.steps, signed: notes.signed, hints }
    }

    /// `within` names the check that this scheme is, where it is one of several.
    fn note_proof(&self, asked: &Asked<'_>, notes: &mut Notes, within: &str) {
        let reader = self.reader(asked.request);
        let named = |what: &str| format!("{within}{what}");
        match &self.proof {
            Proof::None => {
                notes.step(named("scheme"), Outcome::Neutral, "none: anybody is believed".to_owned());
            }
            Proof::Awaited => {
                let found = "none yet: its provider hands one over in a handshake".to_owned();
                notes.step(named("secret"), Outcome::Failed, found);
            }
            Proof::All(checks) | Proof::Any(checks) => {
                for (place, check) in checks.iter().enumerate() {
                    let within = format!("{within}check {} ({}) ", place + 1, check.name());
                    check.note_proof(asked, notes, &within);
                }
            }
            Proof::Coded(coded) => {
                let checked = coded.check(&reader, asked.now, asked.documents);
                let found = checked.as_ref().map_or_else(ToString::to_string, |_| "proven".to_owned());
                notes.step(named("scheme"), Outcome::of(checked.is_ok()), found);
                notes.message(named("message"), coded.signed_bytes(&reader));
            }
            Proof::Signed(signed) => {
                for (name, value) in &signed.require {
                    let found = asked.request.headers.get(name);
                    let is_there = found == Some(value);
                    let said = if is_there { "is as required" } else { "is missing or not the expected one" };
                    notes.step(named("required"), Outcome::of(is_there), format!("header {name} {said}"));
                }
                for group in &signed.groups {
                    let (is_good, found) =
                        signature(&reader, &group.signature, group.encoding, group.is_token);
                    notes.step(named("signature"), Outcome::of(is_good), found);
                }
                let time = signed.timestamp.as_ref().map(|timestamp| {
                    let (outcome, found, text, written) = time(&reader, timestamp, asked.now);
                    notes.step(named("timestamp"), outcome, found);
                    notes.written = notes.written.or(written);
                    text
                });
                if signed.groups.iter().all(|group| group.is_token) {
                    return;
                }
                let time = time.unwrap_or_default();
                for (place, template) in signed.templates.iter().enumerate() {
                    let mut bytes = Vec::new();
                    let filling = Filling { timestamp: &time, secret: HIDDEN };
                    let rendered =
                        template.render(&reader, filling, &mut |piece| bytes.extend_from_slice(piece));
                    let what = named(&format!("message {}", place + 1));
                    let rendered =
                        rendered.map(|()| bytes).map_err(|missing| format!("{missing} is missing"));
                    notes.message(what, rendered);
                }
            }
        }
    }

    /// Each secret alone, at the time that the request names: whether the others or the
    /// clock are at fault shows elsewhere.
    fn note_secrets(&self, asked: &Asked<'_>, written: Option<Millis>, notes: &mut Notes) {
        let secrets = self.recipe.secrets();
        for (place, secret) in secrets.iter().enumerate() {
            let Ok(alone) = self.recipe.with_secrets(&[secret.expose()]) else { continue };
            let is_good =
                asked.is_taken_by(&alone) || written.is_some_and(|at| asked.at(at).is_taken_by(&alone));
            let found = if is_good { "made this signature" } else { "did not make this signature" };
            notes.step(format!("secret {}", place + 1), Outcome::of(is_good), found.to_owned());
        }
    }
}

/// What has to be explained.
#[derive(Clone, Copy)]
struct Asked<'a> {
    request: &'a Request<'a>,
    now: Millis,
    documents: &'a Documents,
}

impl Asked<'_> {
    fn at(self, now: Millis) -> Self {
        Self { now, ..self }
    }

    fn is_taken_by(&self, scheme: &Scheme) -> bool {
        let verdict = scheme.verify(self.request, self.now, self.documents);
        matches!(verdict, Verdict::Accepted(_) | Verdict::Handshake(_))
    }
}

/// What is written down on the way.
#[derive(Default)]
struct Notes {
    steps: Vec<Step>,
    signed: Vec<SignedBytes>,
    /// The time that the request names.
    written: Option<Millis>,
}

impl Notes {
    fn step(&mut self, what: impl Into<String>, outcome: Outcome, found: String) {
        self.steps.push(Step { what: what.into(), outcome, found });
    }

    fn message(&mut self, name: String, bytes: Result<Vec<u8>, String>) {
        match bytes {
            Ok(bytes) => {
                self.step(&*name, Outcome::Good, format!("{} bytes to sign", bytes.len()));
                self.signed.push(SignedBytes { name, bytes });
            }
            Err(reason) => self.step(name, Outcome::Failed, reason),
        }
    }
}

/// Whether there is a signature that can be read, and what there is. A token is not shown.
fn signature(reader: &Reader<'_>, place: &Extractor, encoding: Encoding, is_token: bool) -> (bool, String) {
    let (mut items, mut lengths) = (0_usize, Vec::new());
    place.each(reader, &mut |item| {
        items += 1;
        lengths.extend(encoding.decode(&item).map(|bytes| bytes.len()));
        items < 100
    });
    if items == 0 {
        let whole = Extractor { place: place.place.clone(), cut: Cut::default() };
        let found = match whole.first(reader) {
            None => format!("{place} is missing"),
            Some(_) if place.cut.prefix.is_empty() => format!("{place} is there, but nothing in it is one"),
            Some(_) => format!("{place} is there, but nothing in it begins with {:?}", place.cut.prefix),
        };
        return (false, found);
    }
    let read = format!("{place}: {items} found, {} readable as {}", lengths.len(), encoding.word());
    if is_token || lengths.is_empty() {
        return (!lengths.is_empty(), read);
    }
    let lengths: Vec<_> = lengths.iter().map(ToString::to_string).collect();
    (true, format!("{read} ({} bytes)", lengths.join(", ")))
}

/// How the time is, what was found, and it as it was written.
fn time(
    reader: &Reader<'_>,
    timestamp: &Timestamp,
    now: Millis,
) -> (Outcome, String, Vec<u8>, Option<Millis>) {
    let Some(text) = timestamp.extractor.first(reader) else {
        return (Outcome::Failed, format!("{} is missing", timestamp.extractor), Vec::new(), None);
    };
    let shown = text.escape_ascii();
    let Some(written) = timestamp.read(&text) else {
        return (Outcome::Failed, format!("{shown} is no time of this unit"), text.to_vec(), None);
    };
    let is_fresh = timestamp.is_fresh(&text, now) == Some(true);
    let off = now.as_secs().saturating_sub(written.as_secs());
    let side = if off < 0 { "in the future" } else { "old" };
    let found = format!(
        "{shown} ({}), {} s {side}; {} s are tolerated",
        format_rfc3339(written),
        off.unsigned_abs(),
        timestamp.tolerance
    );
    (Outcome::of(is_fresh), found, text.to_vec(), Some(written))
}

impl Encoding {
    /// The word it is written as.
    const fn word(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Base64url => "base64url",
            Self::Text => "text",
        }
    }
}

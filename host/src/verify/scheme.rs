//! A compiled scheme, and the one decision that it takes.

use std::borrow::Cow;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::code::Coded;
use super::documents::Documents;
use super::extract::{Extractor, Reader};
use super::handshake::{Asked, Handshake};
use super::json::Pointers;
use super::reader::MAX_UNPROVEN;
use super::setup::Recipe;
use super::signed::Signed;
use super::{Accepted, Request, Verdict, combined};
use crate::model::Millis;

/// How one source verifies, with its secrets. It never prints them.
#[derive(Clone, Debug)]
pub struct Scheme {
    pub(super) name: String,
    pub(super) proof: Proof,
    pub(super) id: Vec<Extractor>,
    pub(super) event_type: Vec<Extractor>,
    /// With the slots of its pointers.
    pub(super) handshake: Option<(Handshake, Vec<usize>)>,
    pub(super) json_field: Option<String>,
    pub(super) credentials: Credentials,
    pub(super) pointers: Pointers,
    /// What it was made of: handshakes answer with it, and it is made again with more.
    pub(super) recipe: Arc<Recipe>,
}

#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// `none` was said: anybody is believed.
    None,
    /// A handshake has still to hand over the first secret: nobody is believed.
    Awaited,
    Signed(Signed),
    Coded(Arc<dyn Coded>),
    /// Never empty; all must pass.
    All(Vec<Scheme>),
    /// Never empty; one must pass.
    Any(Vec<Scheme>),
}

/// Parts of a request whose value is a credential: masked before anything is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Header names in lower case.
    pub headers: Vec<String>,
    /// Names in the query string.
    pub query: Vec<String>,
}

/// Longer ids and types are taken as absent.
pub(super) const MAX_NAME: usize = 256;

impl Scheme {
    /// The preset's name, `custom` or `none`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the scheme is `none`.
    pub const fn is_open(&self) -> bool {
        matches!(self.proof, Proof::None)
    }

    /// What must be masked before a request is stored, exported or shown to a plugin.
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The checks that it is made of, where it is made of several.
    pub(super) fn checks(&self) -> &[Self] {
        match &self.proof {
            Proof::All(checks) | Proof::Any(checks) => checks,
            Proof::None | Proof::Awaited | Proof::Signed(_) | Proof::Coded(_) => &[],
        }
    }

    /// Decides what a request is. Costs one hash of the message for each pair of secret
    /// and template, and one pass over the body where the id or the type is in it.
    ///
    /// Documents are those that it wanted before; most schemes never do.
    pub fn verify(&self, request: &Request<'_>, now: Millis, documents: &Documents) -> Verdict {
        let reader = self.reader(request);
        self.unsigned_handshake(&reader).unwrap_or_else(|| self.judge(&reader, now, documents))
    }

    /// The verdict on a request with a method that events do not come with: only a
    /// handshake that needs no proof may.
    pub fn probe(&self, request: &Request<'_>) -> Option<Verdict> {
        self.unsigned_handshake(&self.reader(request))
    }

    /// A handshake of its own or of one of its checks.
    fn unsigned_handshake(&self, reader: &Reader<'_>) -> Option<Verdict> {
        let own = self.handshake(reader, Handshake::unsigned);
        own.or_else(|| self.checks().iter().find_map(|check| check.probe(reader.request)))
    }

    /// The verdict on what is no unsigned handshake.
    pub(super) fn judge(&self, reader: &Reader<'_>, now: Millis, documents: &Documents) -> Verdict {
        let known = match self.proven(reader, now, documents) {
            Ok(known) => known,
            Err(verdict) => return verdict,
        };
        let proven = reader.of_proven(self.recipe.max_decoded());
        let reader = proven.as_ref().unwrap_or(reader);
        if let Some(verdict) = self.handshake(reader, Handshake::signed) {
            return verdict;
        }
        // What code found counts before fields; what one of several checks found, after.
        if self.checks().is_empty() {
            return Verdict::Accepted(Accepted {
                id: known.id.or_else(|| self.id_of(reader)),
                event_type: known.event_type.or_else(|| self.type_of(reader)),
            });
        }
        Verdict::Accepted(Accepted {
            id: self.id_of(reader).or(known.id),
            event_type: self.type_of(reader).or(known.event_type),
        })
    }

    fn proven(&self, reader: &Reader<'_>, now: Millis, documents: &Documents) -> Result<Accepted, Verdict> {
        match &self.proof {
            Proof::None => Ok(Accepted::default()),
            Proof::Awaited => Err(Verdict::Unauthorized("there is no secret yet".to_owned())),
            Proof::Signed(signed) => {
                self.id.iter().try_for_each(|id| signed.check_id(id, reader))?;
                signed.check(reader, now, self.recipe.max_decoded()).map(|()| Accepted::default())
            }
            Proof::Coded(coded) => coded.check(reader, now, documents),
            Proof::All(checks) => combined::all(checks, reader.request, now, documents),
            Proof::Any(checks) => combined::any(checks, reader.request, now, documents),
        }
    }

    fn handshake(
        &self,
        reader: &Reader<'_>,
        stage: fn(Handshake, &Asked<'_, '_>) -> Option<Verdict>,
    ) -> Option<Verdict> {
        let (handshake, slots) = self.handshake.as_ref()?;
        stage(*handshake, &Asked::new(reader, slots, &self.recipe))
    }

    pub(super) fn reader<'a>(&'a self, request: &'a Request<'a>) -> Reader<'a> {
        let limit = self.recipe.max_decoded().min(MAX_UNPROVEN);
        Reader::new(request, &self.pointers, self.json_field.as_deref(), limit)
    }

    /// All parts joined by dots: an id that lacks a part could be another event's. That of
    /// a batch has as many parts as the batch has events, so it is hashed where it is long.
    fn id_of(&self, reader: &Reader<'_>) -> Option<String> {
        if self.id.is_empty() {
            return None;
        }
        let mut parts = Vec::with_capacity(self.id.len());
        for part in &self.id {
            parts.extend(part.complete(reader)?);
        }
        let is_batch = self.id.iter().any(Extractor::is_every);
        let joined = joined(parts)?;
        if is_batch && joined.len() > MAX_NAME {
            return is_printable(&joined).then(|| hex::encode(Sha256::digest(&joined)));
        }
        name(joined)
    }

    /// The parts that are there, joined by dots; nothing without the first.
    fn type_of(&self, reader: &Reader<'_>) -> Option<String> {
        let (first, rest) = self.event_type.split_first()?;
        let mut parts = vec![first.first(reader)?];
        parts.extend(rest.iter().filter_map(|part| part.first(reader)));
        name(joined(parts)?)
    }
}

fn joined(parts: Vec<Cow<'_, [u8]>>) -> Option<String> {
    let bytes = match <[_; 1]>::try_from(parts) {
        Ok([one]) => one.into_owned(),
        Err(several) => several.join(&b'.'),
    };
    String::from_utf8(bytes).ok()
}

/// The text, if it is one that can be stored, matched and printed.
fn name(text: String) -> Option<String> {
    (!text.is_empty() && text.len() <= MAX_NAME && is_printable(&text)).then_some(text)
}

fn is_printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

#[cfg(test)]
mod respelled;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod unproven;

//! The proof that most schemes have: signatures or tokens, and a time.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};

use super::Verdict;
use super::config::Encoding;
use super::extract::{Extractor, Reader};
use super::key::{Key, Message};
use super::scheme::MAX_NAME;
use super::template::{Template, Word};
use super::timestamp::Timestamp;
use crate::model::Millis;

#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) require: Vec<(HeaderName, HeaderValue)>,
    pub(super) timestamp: Option<Timestamp>,
    /// Any may match.
    pub(super) templates: Vec<Template>,
    /// Never empty.
    pub(super) groups: Vec<Group>,
}

/// Keys of one kind, and where their signatures are.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) signature: Extractor,
    pub(super) encoding: Encoding,
    pub(super) is_token: bool,
    /// Every element of an array has one, and all of them must be right.
    pub(super) is_every: bool,
    /// Never empty.
    pub(super) keys: Vec<Key>,
}

impl Signed {
    /// Whether the request is proven; the verdict otherwise. `max_decoded` is what a
    /// compressed body of a proven sender may hold.
    pub(super) fn check(&self, reader: &Reader<'_>, now: Millis, max_decoded: usize) -> Result<(), Verdict> {
        for (name, value) in &self.require {
            if reader.request.headers.get(name) != Some(value) {
                return Err(unauthorized(format!("header {name} is missing or not the expected one")));
            }
        }
        let signatures = self.signatures(reader)?;
        if self.is_time_in_signed_body() {
            self.matches(reader, &signatures, &[])?;
            let proven = reader.of_proven(max_decoded);
            return self.fresh_time(proven.as_ref().unwrap_or(reader), now).map(drop);
        }
        let time = self.fresh_time(reader, now)?;
        self.matches(reader, &signatures, &time)
    }

    /// Whether the time is nothing but a part of the body that is signed: then the body is
    /// proven before anything is read out of it.
    fn is_time_in_signed_body(&self) -> bool {
        self.timestamp.as_ref().is_some_and(|timestamp| timestamp.extractor.is_in_body())
            && !self.templates.iter().any(|template| template.mentions(Word::Timestamp))
    }

    /// Whether one of the keys made one of the signatures at that time.
    fn matches(&self, reader: &Reader<'_>, signatures: &[Vec<Vec<u8>>], time: &[u8]) -> Result<(), Verdict> {
        let mut missing = None;
        for (group, signatures) in self.groups.iter().zip(signatures).filter(|(_, found)| !found.is_empty()) {
            if group.is_every {
                let is_known =
                    |token: &Vec<u8>| group.keys.iter().any(|key| key.is_token(std::slice::from_ref(token)));
                if signatures.iter().all(is_known) {
                    return Ok(());
                }
                continue;
            }
            for key in &group.keys {
                if group.is_token {
                    if key.is_token(signatures) {
                        return Ok(());
                    }
                    continue;
                }
                for template in &self.templates {
                    match key.accepts(Message { template, reader, timestamp: time }, signatures) {
                        Ok(true) => return Ok(()),
                        Ok(false) => {}
                        Err(what) => missing = Some(what),
                    }
                }
            }
        }
        Err(match missing {
            Some(what) => unauthorized(format!("{what} is missing")),
            None => unauthorized("the signature does not match"),
        })
    }

    /// Refuses an id that could be more than one: signed before the time and the body, it
    /// could have the time and the beginning of the body of another request in it.
    pub(super) fn check_id(&self, id: &Extractor, reader: &Reader<'_>) -> Result<(), Verdict> {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:=+/~@".contains(byte);
        let is_id = |text: &[u8]| text.len() <= MAX_NAME && text.iter().all(is_plain);
        let is_signed = !id.is_in_body() && self.templates.iter().any(|template| template.has_value(id));
        if is_signed && id.first(reader).is_some_and(|text| !is_id(&text)) {
            return Err(malformed("the signed id has characters that it cannot have"));
        }
        Ok(())
    }

    /// The decoded signatures for each group; an error if there are none at all.
    fn signatures(&self, reader: &Reader<'_>) -> Result<Vec<Vec<Vec<u8>>>, Verdict> {
        let mut is_there = false;
        let mut found = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            if group.is_every {
                let items = group.signature.complete(reader).unwrap_or_default();
                is_there |= !items.is_empty();
                let decoded: Option<Vec<_>> = items.iter().map(|item| group.encoding.decode(item)).collect();
                found.push(decoded.unwrap_or_default());
                continue;
            }
            let most = group.keys.iter().map(Key::max_signatures).min().unwrap_or(0);
            let mut signatures = Vec::new();
            group.signature.each(reader, &mut |item| {
                is_there = true;
                signatures.extend(group.encoding.decode(&item));
                signatures.len() < most
            });
            found.push(signatures);
        }
        if found.iter().any(|signatures| !signatures.is_empty()) {
            return Ok(found);
        }
        if is_there {
            return Err(unauthorized("the signature cannot be decoded"));
        }
        if self.groups.iter().any(|group| group.signature.is_foiled(reader)) {
            return Err(malformed("the body is not JSON"));
        }
        Err(unauthorized("the signature is missing"))
    }

    /// The time as it was written, if it is near enough to `now`; empty where the
    /// scheme has none.
    fn fresh_time<'r>(&self, reader: &'r Reader<'_>, now: Millis) -> Result<Cow<'r, [u8]>, Verdict> {
        let Some(timestamp) = &self.timestamp else { return Ok(Cow::Borrowed(&[])) };
        let Some(text) = timestamp.extractor.first(reader) else {
            return Err(if timestamp.extractor.is_foiled(reader) {
                malformed("the body is not JSON")
            } else {
                unauthorized("the timestamp is missing")
            });
        };
        if timestamp.is_number && timestamp.extractor.is_string(reader) {
            return Err(malformed("the timestamp is not a number"));
        }
        match timestamp.is_fresh(&text, now) {
            None => Err(malformed("the timestamp cannot be read")),
            Some(false) => {
                Err(unauthorized(format!("the timestamp is more than {} s off", timestamp.tolerance)))
            }
            Some(true) => Ok(text),
        }
    }
}

fn unauthorized(reason: impl Into<String>) -> Verdict {
    Verdict::Unauthorized(reason.into())
}

fn malformed(reason: impl Into<String>) -> Verdict {
    Verdict::Malformed(reason.into())
}

//! The proof that most schemes have: signatures or tokens, and a time.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};

use super::Verdict;
use super::config::Encoding;
use super::extract::{Extractor, Reader};
use super::key::{Key, Message};
use super::template::Template;
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
    /// Whether the request is proven; the verdict otherwise.
    pub(super) fn check(&self, reader: &Reader<'_>, now: Millis) -> Result<(), Verdict> {
        for (name, value) in &self.require {
            if reader.request.headers.get(name) != Some(value) {
                return Err(unauthorized(format!("header {name} is missing or not the expected one")));
            }
        }
        let signatures = self.signatures(reader)?;
        let time = self.fresh_time(reader, now)?;
        let mut missing = None;
        for (group, signatures) in self.groups.iter().zip(&signatures).filter(|(_, found)| !found.is_empty())
        {
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
                    match key.accepts(Message { template, reader, timestamp: &time }, signatures) {
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

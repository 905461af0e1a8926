//! A scheme the other way round: the request that its provider would send.

mod body;
mod draft;
#[cfg(test)]
mod tests;

use super::extract::{Extractor, Place};
use super::key::{Message, Unmakeable};
use super::scheme::{Proof, Scheme};
use super::signed::Signed;
use super::template::Word;
use super::{Request, timestamp};
use crate::model::{Header, Millis};
use draft::Draft;

/// A request that a provider is about to send.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Upper case.
    pub method: &'a str,
    /// The URL as the provider knows it, with the query that the request comes with.
    pub url: Option<&'a str>,
    /// The exact bytes. Where the scheme's id or type is in the body, they are the
    /// caller's to put there ([`Scheme::named`]).
    pub body: &'a [u8],
    /// The provider's id of the event.
    pub id: &'a str,
    /// What happened, as the scheme would read it: of `issues.opened`, GitHub's header
    /// gets `issues`.
    pub event_type: Option<&'a str>,
    /// When it is sent.
    pub now: Millis,
}

/// What a request has beside its body before it is signed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// Its headers; `content-type` says how a signature is put into the body.
    pub headers: &'a [Header],
    /// The part of the URL behind `?`.
    pub query: Option<&'a str>,
}

/// Why no provider's request can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Only the sender has the key that signs.
    #[error("the source has a public key, and only the sender has the key that signs")]
    PublicKey,
    /// A handshake has still to hand it over.
    #[error("the source has no secret of its own: its provider hands one over in a handshake")]
    Awaited,
    /// The signature or a signed part is not in a place that can be filled.
    #[error("the scheme reads {0}, which is not a header that could be added")]
    NotAHeader(String),
    /// The body is not one that has such a place.
    #[error("the scheme reads {0}, but {1}")]
    Unfit(String, &'static str),
    /// A part of the signed message is not known.
    #[error("the scheme signs {0}, which is not there")]
    Missing(String),
    /// A value cannot be in a header.
    #[error("the value for header {0} cannot be sent")]
    BadValue(String),
}

/// A request as its provider would send it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// To be added.
    pub headers: Vec<Header>,
    /// Instead of the body that was given, where the signature or the time is in it.
    pub body: Option<Vec<u8>>,
    /// To be added to the query, where the signature is in it.
    pub query: Option<String>,
}

impl Scheme {
    /// What this source's provider would add to that request, signed with the first
    /// secret. Nothing for the scheme `none` beyond id and type.
    pub fn sign(&self, outgoing: &Outgoing<'_>) -> Result<Made, SignError> {
        self.sign_beside(outgoing, Given::default())
    }

    /// The same for a request that has headers or a query of its own, which the
    /// signature may cover.
    pub fn sign_beside(&self, outgoing: &Outgoing<'_>, given: Given<'_>) -> Result<Made, SignError> {
        let mut draft = Draft::new(outgoing.body, given, self.json_field.as_deref());
        match &self.proof {
            Proof::Coded(coded) => {
                let made = coded.sign(outgoing)?;
                self.name_in_headers(&mut draft, outgoing);
                return Ok(draft.beside(made));
            }
            // One is enough, so the first.
            Proof::Any(checks) => return self.sign_for(&checks[..1], draft, outgoing, given),
            Proof::All(checks) => return self.sign_for(checks, draft, outgoing, given),
            Proof::Awaited => return Err(SignError::Awaited),
            Proof::None => self.name_in_headers(&mut draft, outgoing),
            Proof::Signed(signed) => {
                self.name_in_headers(&mut draft, outgoing);
                self.sign_draft(signed, &mut draft, outgoing)?;
            }
        }
        draft.header_map()?;
        Ok(draft.made())
    }

    /// What all of these checks want, in one request.
    fn sign_for(
        &self,
        checks: &[Self],
        mut draft: Draft<'_>,
        outgoing: &Outgoing<'_>,
        given: Given<'_>,
    ) -> Result<Made, SignError> {
        self.name_in_headers(&mut draft, outgoing);
        draft.header_map()?;
        let mut all = draft.made();
        for check in checks {
            let body = all.body.take();
            let outgoing = Outgoing { body: body.as_deref().unwrap_or(outgoing.body), ..*outgoing };
            let made = check.sign_beside(&outgoing, given)?;
            all.body = made.body.or(body);
            all.query =
                [all.query, made.query].into_iter().flatten().reduce(|one, other| format!("{one}&{other}"));
            let is_new = |header: &Header| !all.headers.iter().any(|own| own.name == header.name);
            let new: Vec<_> = made.headers.into_iter().filter(is_new).collect();
            all.headers.extend(new);
        }
        Ok(all)
    }

    /// The body with that id and type where the scheme reads them and nothing is yet.
    /// `null` becomes whatever they need. What cannot be said stays unsaid: a body that
    /// is no JSON, or has something else in that place.
    pub fn named(&self, body: &[u8], given: Given<'_>, id: &str, event_type: Option<&str>) -> Vec<u8> {
        let mut draft = Draft::new(body, given, self.json_field.as_deref());
        // What is read as both says what happened.
        for (part, word) in self.words(event_type) {
            self.put_if_absent(&mut draft, part, word);
        }
        for part in &self.id {
            self.put_if_absent(&mut draft, part, id);
        }
        draft.made().body.unwrap_or_else(|| body.to_owned())
    }

    /// Whether something that it reads is a field of a form.
    pub fn reads_forms(&self) -> bool {
        let is_form = |extractor: &Extractor| matches!(extractor.place, Place::Form(_));
        self.id.iter().chain(&self.event_type).any(is_form)
            || self.checks().first().is_some_and(Self::reads_forms)
            || matches!(&self.proof, Proof::Signed(signed) if is_form(&signed.groups[0].signature))
    }

    fn put_if_absent(&self, draft: &mut Draft<'_>, part: &Extractor, text: &str) {
        if !part.is_in_body() || self.finds(draft, part) {
            return;
        }
        // Nothing is lost: the event has no such name then.
        let _ = draft.put(part, text);
    }

    fn finds(&self, draft: &Draft<'_>, part: &Extractor) -> bool {
        let Ok(headers) = draft.header_map() else { return false };
        let query = draft.query();
        let request = Request {
            method: "POST",
            path: "/",
            query: query.as_deref(),
            headers: &headers,
            body: draft.body(),
            public_url: None,
        };
        part.first(&self.reader(&request)).is_some()
    }

    /// Adds id and type to the headers that they are read from.
    fn name_in_headers(&self, draft: &mut Draft<'_>, outgoing: &Outgoing<'_>) {
        let words = outgoing.event_type.map(|_| self.words(outgoing.event_type));
        let parts = self.id.iter().map(|part| (part, outgoing.id)).chain(words.into_iter().flatten());
        for (part, text) in parts {
            if let Place::Header(_) = part.place {
                draft.add_name(part, text);
            }
        }
    }

    fn sign_draft(
        &self,
        signed: &Signed,
        draft: &mut Draft<'_>,
        outgoing: &Outgoing<'_>,
    ) -> Result<(), SignError> {
        for (name, value) in &signed.require {
            draft.set(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
        }
        if let Some(time) = &signed.timestamp {
            let text = timestamp::write(outgoing.now, time.unit);
            draft.put(&time.extractor, &text)?;
        }
        let group = &signed.groups[0];
        let template = &signed.templates[0];
        if !group.is_token && group.signature.is_in_body() && template.has(Word::Body) {
            let reason = "signs the whole body: a signature that signs itself cannot be made";
            return Err(SignError::Unfit(group.signature.to_string(), reason));
        }
        let signature = self.signature(signed, draft, outgoing)?;
        draft.put(&group.signature, &group.encoding.encode(&signature))
    }

    fn signature(
        &self,
        signed: &Signed,
        draft: &Draft<'_>,
        outgoing: &Outgoing<'_>,
    ) -> Result<Vec<u8>, SignError> {
        let headers = draft.header_map()?;
        let query = draft.query();
        let request = Request {
            method: outgoing.method,
            path: "/",
            query: query.as_deref(),
            headers: &headers,
            body: draft.body(),
            public_url: outgoing.url,
        };
        let reader = self.reader(&request);
        let time = match &signed.timestamp {
            Some(time) => {
                let found = time.extractor.first(&reader);
                found.ok_or_else(|| SignError::Missing(time.extractor.to_string()))?
            }
            None => (&[]).into(),
        };
        let message = Message { template: &signed.templates[0], reader: &reader, timestamp: &time };
        signed.groups[0].keys[0].sign(message).map_err(|error| match error {
            Unmakeable::PublicKey => SignError::PublicKey,
            Unmakeable::Missing(what) => SignError::Missing(what),
        })
    }

    /// The words of a type, dealt out to the places that its parts are read from; the
    /// last place takes all that is left.
    fn words<'a>(&'a self, event_type: Option<&'a str>) -> Vec<(&'a Extractor, &'a str)> {
        let mut rest = event_type;
        let mut dealt = Vec::new();
        for (place, part) in self.event_type.iter().enumerate() {
            let Some(text) = rest else { break };
            let is_last = place + 1 == self.event_type.len();
            let word;
            (word, rest) = match text.split_once('.') {
                Some((word, behind)) if !is_last => (word, Some(behind)),
                _ => (text, None),
            };
            dealt.push((part, word));
        }
        dealt
    }
}

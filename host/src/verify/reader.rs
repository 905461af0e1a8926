//! A request as schemes read it: bytes as they came, and the JSON document in the body.

use std::borrow::Cow;
use std::cell::OnceCell;

use http::header::CONTENT_TYPE;

use super::json::{Picked, Pointers};
use super::{Request, form, multipart};
use crate::model::Coding;

/// A request as extractors read it: what has to be parsed is parsed once, at the
/// first question.
pub(super) struct Reader<'a> {
    pub(super) request: &'a Request<'a>,
    pointers: &'a Pointers,
    json_field: Option<&'a str>,
    /// What a compressed body may hold, in bytes.
    limit: usize,
    picked: OnceCell<Option<Picked<'a>>>,
}

/// What is inflated at the most for whoever has proven nothing, where the proof itself is
/// in the body: as much as bodies usually have, so that one who compresses has no more work
/// done than one who does not.
pub(super) const MAX_UNPROVEN: usize = 1 << 20;

impl<'a> Reader<'a> {
    /// A compressed body holds at most `limit` bytes; what holds more is not read.
    pub(super) fn new(
        request: &'a Request<'a>,
        pointers: &'a Pointers,
        json_field: Option<&'a str>,
        limit: usize,
    ) -> Self {
        Self { request, pointers, json_field, limit, picked: OnceCell::new() }
    }

    /// The same of a request whose sender is proven, where that makes more of it readable:
    /// up to `limit` bytes of a compressed body.
    pub(super) fn of_proven(&self, limit: usize) -> Option<Self> {
        let Self { request, pointers, json_field, .. } = *self;
        self.is_compressed().then(|| Self::new(request, pointers, json_field, limit))
    }

    /// Whether anybody asked for something inside the body.
    #[cfg(test)]
    pub(super) fn is_parsed(&self) -> bool {
        self.picked.get().is_some()
    }

    /// Whether the body is compressed in a way that is undone.
    pub(super) fn is_compressed(&self) -> bool {
        Coding::of_request(self.request.headers).is_some()
    }

    /// The value in that slot; `None` too where the body is not JSON.
    pub(super) fn json(&self, slot: usize) -> Option<&str> {
        self.picked()?.get(slot)
    }

    /// Everything that pointers find; `None` where the body is not JSON.
    pub(super) fn picked(&self) -> Option<&Picked<'a>> {
        let picked = self.picked.get_or_init(|| match self.json_field.and_then(|field| self.field(field)) {
            // What a body is, an unsigned header says: without the field it may be JSON all the same.
            None | Some(Field::Missing) => self.pick_body(),
            Some(Field::Borrowed(document)) => self.pointers.pick(document),
            Some(Field::Owned(document)) => self.pointers.pick(&document).map(Picked::into_owned),
        });
        picked.as_ref()
    }

    /// What is in the body as such.
    fn pick_body(&self) -> Option<Picked<'a>> {
        match Coding::of_request(self.request.headers) {
            None => self.pointers.pick(self.request.body),
            // What is signed is compressed, what is said is inside.
            Some(coding) => {
                let inside = coding.decode(self.request.body, self.limit).ok()?;
                self.pointers.pick(&inside).map(Picked::into_owned)
            }
        }
    }

    /// The content type of a form in parts; `None` where the body is none.
    pub(super) fn multipart(&self) -> Option<&'a str> {
        let headers = self.request.headers;
        let is_multipart = form::is_of_type(headers, multipart::MULTIPART);
        headers.get(CONTENT_TYPE).filter(|_| is_multipart)?.to_str().ok()
    }

    /// That field of a form; `None` where the body is no form.
    fn field(&self, wanted: &str) -> Option<Field<'a>> {
        let headers = self.request.headers;
        if let Some(content_type) = self.multipart() {
            let found = multipart::field(content_type, self.request.body, wanted);
            return Some(found.map_or(Field::Missing, Field::Borrowed));
        }
        if !form::is_form(headers) {
            return None;
        }
        let found = form::pairs(self.request.body).find(|(name, _)| **name == *wanted.as_bytes());
        Some(match found {
            None => Field::Missing,
            Some((_, Cow::Borrowed(document))) => Field::Borrowed(document),
            Some((_, Cow::Owned(document))) => Field::Owned(document),
        })
    }
}

/// A field of a form.
enum Field<'a> {
    Missing,
    Borrowed(&'a [u8]),
    Owned(Vec<u8>),
}

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
    picked: OnceCell<Option<Picked<'a>>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(request: &'a Request<'a>, pointers: &'a Pointers, json_field: Option<&'a str>) -> Self {
        Self { request, pointers, json_field, picked: OnceCell::new() }
    }

    /// The value in that slot; `None` too where the body is not JSON.
    pub(super) fn json(&self, slot: usize) -> Option<&str> {
        self.picked()?.get(slot)
    }

    /// Everything that pointers find; `None` where the body is not JSON.
    pub(super) fn picked(&self) -> Option<&Picked<'a>> {
        let picked = self.picked.get_or_init(|| match self.json_field.and_then(|field| self.field(field)) {
            None => self.pick_body(),
            Some(Field::Missing) => None,
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
                let inside = coding.decode(self.request.body).ok()?;
                self.pointers.pick(&inside).map(Picked::into_owned)
            }
        }
    }

    /// That field of a form; `None` where the body is no form.
    fn field(&self, wanted: &str) -> Option<Field<'a>> {
        let content_type = self.request.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let is = |kind: &str| {
            let start = content_type.get(..kind.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(kind))
        };
        if is("multipart/form-data") {
            let found = multipart::field(content_type, self.request.body, wanted);
            return Some(found.map_or(Field::Missing, Field::Borrowed));
        }
        if !is("application/x-www-form-urlencoded") {
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

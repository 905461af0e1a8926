//! A request as it grows: headers with their items, a query, a body.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::extract::{Extractor, Place};
use super::body::Shape;
use super::{Given, Made, SignError};
use crate::model::Header;

/// What will be sent.
pub(super) struct Draft<'a> {
    given: Given<'a>,
    json_field: Option<&'a str>,
    /// A name with its items and what joins them.
    headers: Vec<(String, String, Vec<String>)>,
    added_query: Vec<(String, String)>,
    given_body: &'a [u8],
    body: Option<Vec<u8>>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(body: &'a [u8], given: Given<'a>, json_field: Option<&'a str>) -> Self {
        let (headers, added_query) = (Vec::new(), Vec::new());
        Self { given, json_field, headers, added_query, given_body: body, body: None }
    }

    /// Puts an item where the extractor will find it.
    pub(super) fn put(&mut self, extractor: &Extractor, text: &str) -> Result<(), SignError> {
        let item = format!("{}{text}", extractor.cut.prefix);
        let unfit = |reason| SignError::Unfit(extractor.to_string(), reason);
        if let Place::Header(_) = extractor.place {
            self.add_item(extractor, item);
        } else if let Place::Query(names) = &extractor.place {
            self.added_query.extend(names.first().map(|name| (name.clone(), item)));
        } else if let Place::Form(names) = &extractor.place {
            let shape = self.shape();
            self.body = Some(shape.set_field(self.body(), &names[0], &item).map_err(unfit)?);
        } else if let Place::Json(values) = &extractor.place {
            let pointers: Vec<_> = values.iter().map(|value| value.pointer.as_str()).collect();
            let shape = self.shape();
            self.body = Some(shape.set_json(self.body(), &pointers, &item).map_err(unfit)?);
        } else {
            return Err(SignError::NotAHeader(extractor.to_string()));
        }
        Ok(())
    }

    /// The same for a name in a header, if the request has none there.
    pub(super) fn add_name(&mut self, extractor: &Extractor, text: &str) {
        let Place::Header(names) = &extractor.place else { return };
        let own = |name: &String| self.given.headers.iter().any(|header| header.name == *name);
        if !names.iter().any(|name| own(&name.example())) {
            self.add_item(extractor, format!("{}{text}", extractor.cut.prefix));
        }
    }

    fn add_item(&mut self, extractor: &Extractor, item: String) {
        let Place::Header(names) = &extractor.place else { return };
        let Some(name) = names.first() else { return };
        let joined_by = extractor.cut.split.as_deref().unwrap_or(",");
        let name = name.example();
        let place = extractor.cut.index.unwrap_or(usize::MAX);
        match self.headers.iter_mut().find(|(own, ..)| *own == name) {
            Some((_, _, items)) => items.insert(place.min(items.len()), item),
            None => self.headers.push((name, joined_by.to_owned(), vec![item])),
        }
    }

    /// A header that has one value.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), String::new(), vec![value.to_owned()]));
    }

    /// As it stands.
    pub(super) fn body(&self) -> &[u8] {
        self.body.as_deref().unwrap_or(self.given_body)
    }

    /// As it stands: what was given and what was added.
    pub(super) fn query(&self) -> Option<String> {
        let parts = [self.given.query.map(str::to_owned), self.new_query()];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("&"))
    }

    fn new_query(&self) -> Option<String> {
        if self.added_query.is_empty() {
            return None;
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        Some(query.extend_pairs(&self.added_query).finish())
    }

    fn shape(&self) -> Shape<'a> {
        let content_type = self.given.headers.iter().find(|header| header.name == CONTENT_TYPE.as_str());
        Shape::of(content_type.map_or("", |header| header.value.as_str()), self.json_field)
    }

    fn new_headers(&self) -> impl Iterator<Item = Header> {
        self.headers
            .iter()
            .map(|(name, joined_by, items)| Header { name: name.clone(), value: items.join(joined_by) })
    }

    /// All headers, those that were given first.
    pub(super) fn header_map(&self) -> Result<HeaderMap, SignError> {
        let mut map = HeaderMap::new();
        for header in self.given.headers.iter().cloned().chain(self.new_headers()) {
            let parsed =
                HeaderName::try_from(&header.name).ok().zip(HeaderValue::try_from(&header.value).ok());
            let (name, value) = parsed.ok_or(SignError::BadValue(header.name))?;
            map.append(name, value);
        }
        Ok(map)
    }

    /// What has to be added to what was given.
    pub(super) fn made(self) -> Made {
        Made { headers: self.new_headers().collect(), query: self.new_query(), body: self.body }
    }

    /// What somebody else made, and the headers that it lacks.
    pub(super) fn beside(self, mut made: Made) -> Made {
        for header in self.new_headers() {
            if !made.headers.iter().any(|own| own.name == header.name) {
                made.headers.push(header);
            }
        }
        made
    }
}

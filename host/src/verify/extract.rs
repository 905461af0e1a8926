//! Extractors: one shape for the signature, the time, the id and the type.

use std::borrow::Cow;
use std::fmt;

use http::HeaderName;
use http::header::AUTHORIZATION;

use super::config::ExtractorConfig;
use super::json::{Pointers, is_every};
use super::{SchemeError, form, multipart};

pub(super) use super::reader::Reader;

/// Items of one value that are looked at. A value is cut before anybody is
/// authenticated; no provider, not even behind proxies that join its headers, sends
/// more than a handful.
const MAX_ITEMS: usize = 256;

/// Where values are in a request, and which part of them counts.
#[derive(Clone, Debug)]
pub(super) struct Extractor {
    pub(super) place: Place,
    pub(super) cut: Cut,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Header(Vec<HeaderPattern>),
    Query(Vec<String>),
    Form(Vec<String>),
    Json(Vec<JsonValue>),
    /// The first key of an object.
    JsonKey(JsonValue),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeaderPattern {
    Exact(HeaderName),
    /// Lower case; all headers that begin so.
    Prefix(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JsonValue {
    pub(super) pointer: String,
    slot: usize,
    /// Of each element of an array.
    is_every: bool,
}

/// Which part of a value counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Cut {
    pub(super) split: Option<String>,
    /// What a proxy puts between the values of a repeated header.
    joint: Option<&'static str>,
    pub(super) prefix: String,
    /// The names of authentication schemes have no case (RFC 9110 §11.1).
    any_case: bool,
    pub(super) index: Option<usize>,
}

/// How a pointer is learnt.
type AddPointer = fn(&mut Pointers, &str) -> Option<usize>;

impl Extractor {
    /// Checks what is written for `field` and learns its pointers.
    pub(super) fn compile(
        config: &ExtractorConfig,
        field: &str,
        pointers: &mut Pointers,
    ) -> Result<Self, SchemeError> {
        Self::compile_by(Pointers::add, config, field, pointers)
    }

    /// The same for what names an event: its id and its type.
    pub(super) fn compile_name(
        config: &ExtractorConfig,
        field: &str,
        pointers: &mut Pointers,
    ) -> Result<Self, SchemeError> {
        Self::compile_by(Pointers::add_name, config, field, pointers)
    }

    fn compile_by(
        add: AddPointer,
        config: &ExtractorConfig,
        field: &str,
        pointers: &mut Pointers,
    ) -> Result<Self, SchemeError> {
        if config.beside.is_some() && config.json_key.is_none() {
            return Err(SchemeError::new(field, "beside is of use with json_key alone"));
        }
        let place = match (&config.header, &config.query, &config.form, &config.json, &config.json_key) {
            (Some(names), None, None, None, None) => {
                Place::Header(each(&names.0, field, |name| HeaderPattern::parse(name, field))?)
            }
            (None, Some(names), None, None, None) => {
                Place::Query(each(&names.0, field, |name| Ok(name.to_owned()))?)
            }
            (None, None, Some(names), None, None) => {
                Place::Form(each(&names.0, field, |name| Ok(name.to_owned()))?)
            }
            (None, None, None, Some(texts), None) => {
                Place::Json(each(&texts.0, field, |text| JsonValue::parse(add, text, field, pointers))?)
            }
            (None, None, None, None, Some(text)) => {
                let beside = config.beside.as_deref().unwrap_or_default();
                Place::JsonKey(JsonValue::key(text, beside, field, pointers)?)
            }
            _ => {
                let reason = "needs exactly one of header, query, form, json and json_key";
                return Err(SchemeError::new(field, reason));
            }
        };
        if config.split.as_ref().is_some_and(String::is_empty) {
            return Err(SchemeError::new(field, "split is empty; leave it out to take the whole value"));
        }
        if config.index.is_some_and(|index| index >= MAX_ITEMS) {
            let reason = format!("index is at most {}: no more items are looked at", MAX_ITEMS - 1);
            return Err(SchemeError::new(field, reason));
        }
        let prefix = config.prefix.clone().unwrap_or_default();
        let on_authorization = matches!(
            &place,
            Place::Header(names) if names.iter().any(|n| matches!(n, HeaderPattern::Exact(n) if n == AUTHORIZATION))
        );
        let any_case = on_authorization && prefix.ends_with(' ');
        let cut = Cut { split: config.split.clone(), joint: None, prefix, any_case, index: config.index };
        Ok(Self { place, cut })
    }

    /// One of the words `{header:NAME}`, `{query:NAME}`, `{form:NAME}` and
    /// `{json:/POINTER}` of a template, as an extractor. `|` stands between
    /// alternatives.
    pub(super) fn word(
        kind: &str,
        names: &str,
        pointers: &mut Pointers,
    ) -> Option<Result<Self, SchemeError>> {
        let names = Some(super::config::OneOrMany(names.split('|').map(str::to_owned).collect()));
        let mut config = ExtractorConfig::default();
        match kind {
            "header" => config.header = names,
            "query" => config.query = names,
            "form" => config.form = names,
            "json" => config.json = names,
            _ => return None,
        }
        Some(Self::compile(&config, "verify.message", pointers).and_then(|own| own.of_one("verify.message")))
    }

    /// This one, if it reads one value and not something of every element or a key.
    pub(super) fn of_one(self, field: &str) -> Result<Self, SchemeError> {
        if self.is_every() {
            let reason = "takes no \"*\": of several elements, which one is meant?";
            return Err(SchemeError::new(field, reason));
        }
        if matches!(self.place, Place::JsonKey(_)) {
            return Err(SchemeError::new(field, "takes no json_key, which only ids and types have"));
        }
        Ok(self)
    }

    /// Whether it takes something of every element of an array.
    pub(super) fn is_every(&self) -> bool {
        matches!(&self.place, Place::Json(values) if values.iter().any(|value| value.is_every))
    }

    /// Cuts header values where a proxy may have joined repeated ones, too; not where
    /// commas are part of what is looked for. A provider that has a separator of its
    /// own writes no commas, so only the usual joint with its space counts there.
    pub(super) fn cut_at_joints(mut self) -> Self {
        self.cut.joint = match (&self.place, &self.cut.split) {
            (Place::Header(_), _) if self.cut.prefix.contains(',') => None,
            (Place::Header(_), None) => Some(","),
            (Place::Header(_), Some(_)) => Some(", "),
            _ => None,
        };
        self
    }

    /// Whether what it finds is part of the body.
    pub(super) const fn is_in_body(&self) -> bool {
        matches!(self.place, Place::Form(_) | Place::Json(_) | Place::JsonKey(_))
    }

    /// Whether what it finds is a string in JSON.
    pub(super) fn is_string(&self, reader: &Reader<'_>) -> bool {
        let Place::Json(values) = &self.place else { return false };
        let found = values.iter().find(|value| reader.json(value.slot).is_some());
        found.is_some_and(|value| reader.picked().is_some_and(|picked| picked.is_string(value.slot)))
    }

    /// Whether nothing can be found because the body is not the JSON that was due.
    pub(super) fn is_foiled(&self, reader: &Reader<'_>) -> bool {
        matches!(self.place, Place::Json(_) | Place::JsonKey(_)) && reader.picked().is_none()
    }

    /// The first item that is not empty.
    pub(super) fn first<'r>(&self, reader: &'r Reader<'_>) -> Option<Cow<'r, [u8]>> {
        let mut found = None;
        self.each(reader, &mut |item| {
            found = Some(item);
            false
        });
        found
    }

    /// The first item, or the first of every element; `None` where one of these lacks it
    /// or there is no element.
    pub(super) fn complete<'r>(&self, reader: &'r Reader<'_>) -> Option<Vec<Cow<'r, [u8]>>> {
        let Place::Json(values) = &self.place else { return self.first(reader).map(|one| vec![one]) };
        values.iter().find_map(|value| {
            if !value.is_every {
                return self.cut.first(reader.json(value.slot)?).map(|one| vec![one]);
            }
            let elements = reader.picked()?.every(value.slot);
            let items: Option<Vec<_>> =
                elements.iter().map(|element| self.cut.first(element.as_deref()?)).collect();
            items.filter(|items| !items.is_empty())
        })
    }

    /// Hands over every item that is not empty, in order, until `take` says no more.
    pub(super) fn each<'r>(&self, reader: &'r Reader<'_>, take: &mut dyn FnMut(Cow<'r, [u8]>) -> bool) {
        match &self.place {
            Place::Header(names) => {
                let headers = reader.request.headers;
                for name in names {
                    let more = match name {
                        HeaderPattern::Exact(name) => {
                            headers.get_all(name).iter().all(|value| self.cut.items(value.as_bytes(), take))
                        }
                        HeaderPattern::Prefix(start) => headers
                            .iter()
                            .filter(|(name, _)| name.as_str().starts_with(start))
                            .all(|(_, value)| self.cut.items(value.as_bytes(), take)),
                    };
                    if !more {
                        return;
                    }
                }
            }
            Place::Query(names) => {
                self.pairs(names, reader.request.query.unwrap_or_default().as_bytes(), take);
            }
            Place::Form(names) => match reader.multipart() {
                None => self.pairs(names, reader.request.body, take),
                Some(content_type) => {
                    let field = |name: &String| multipart::field(content_type, reader.request.body, name);
                    names.iter().filter_map(field).all(|value| self.cut.items(value, take));
                }
            },
            Place::Json(values) => {
                let found = values.iter().filter_map(|value| reader.json(value.slot));
                found.into_iter().all(|text| self.cut.items(text.as_bytes(), take));
            }
            Place::JsonKey(value) => {
                if let Some(key) = reader.json(value.slot) {
                    self.cut.items(key.as_bytes(), take);
                }
            }
        }
    }

    fn pairs<'r>(&self, names: &[String], pairs: &'r [u8], take: &mut dyn FnMut(Cow<'r, [u8]>) -> bool) {
        for wanted in names {
            for (_, value) in form::pairs(pairs).filter(|(name, _)| **name == *wanted.as_bytes()) {
                let more = match value {
                    Cow::Borrowed(text) => self.cut.items(text, take),
                    Cow::Owned(text) => {
                        self.cut.items(&text, &mut |item| take(Cow::Owned(item.into_owned())))
                    }
                };
                if !more {
                    return;
                }
            }
        }
    }
}

impl Cut {
    fn first<'r>(&self, text: &'r str) -> Option<Cow<'r, [u8]>> {
        let mut found = None;
        self.items(text.as_bytes(), &mut |item| {
            found = Some(item);
            false
        });
        found
    }

    /// Hands over the items of one value; says whether more are wanted.
    fn items<'r>(&self, value: &'r [u8], take: &mut dyn FnMut(Cow<'r, [u8]>) -> bool) -> bool {
        if self.split.is_none() && self.joint.is_none() {
            return self.item(value, 0, take);
        }
        let mut rest = Some(value);
        for place in 0..MAX_ITEMS {
            let Some(text) = rest else { break };
            let item;
            (item, rest) = self.next_item(text);
            if !self.item(trim(item), place, take) {
                return false;
            }
        }
        true
    }

    /// What is before the first cut, and what is behind it. Reads no further than that
    /// cut, so that cutting a whole value is one pass over it.
    fn next_item<'r>(&self, text: &'r [u8]) -> (&'r [u8], Option<&'r [u8]>) {
        let separators = || [self.split.as_deref(), self.joint].into_iter().flatten();
        let length_at = |at: usize| {
            let begins = |separator: &&str| text[at..].starts_with(separator.as_bytes());
            separators().filter(begins).map(str::len).min()
        };
        match (0..text.len()).find_map(|at| Some((at, length_at(at)?))) {
            Some((at, length)) => (&text[..at], Some(&text[at + length..])),
            None => (text, None),
        }
    }

    fn item<'r>(&self, item: &'r [u8], place: usize, take: &mut dyn FnMut(Cow<'r, [u8]>) -> bool) -> bool {
        if self.index.is_some_and(|wanted| wanted != place) {
            return true;
        }
        let prefix = self.prefix.as_bytes();
        let Some((start, rest)) = item.split_at_checked(prefix.len()) else { return true };
        let begins_so = if self.any_case { start.eq_ignore_ascii_case(prefix) } else { start == prefix };
        if !begins_so || rest.is_empty() {
            return true;
        }
        take(Cow::Borrowed(rest))
    }
}

/// Without the white space around it, and the comma that a proxy has put behind it.
fn trim(item: &[u8]) -> &[u8] {
    let item = item.trim_ascii();
    item.strip_suffix(b",").unwrap_or(item)
}

impl HeaderPattern {
    fn parse(name: &str, field: &str) -> Result<Self, SchemeError> {
        let lower = name.to_ascii_lowercase();
        let parsed = match lower.strip_suffix('*') {
            Some(start) if HeaderName::try_from(start).is_ok() => Some(Self::Prefix(start.to_owned())),
            Some(_) => None,
            None => HeaderName::try_from(lower).ok().map(Self::Exact),
        };
        parsed.ok_or_else(|| SchemeError::new(field, format!("{name:?} is not the name of a header")))
    }

    /// A name that it takes.
    pub(super) fn example(&self) -> String {
        match self {
            Self::Exact(name) => name.as_str().to_owned(),
            Self::Prefix(start) => format!("{start}1"),
        }
    }
}

impl JsonValue {
    fn parse(add: AddPointer, text: &str, field: &str, pointers: &mut Pointers) -> Result<Self, SchemeError> {
        let slot = add(pointers, text).ok_or_else(|| no_pointer(text, field))?;
        Ok(Self { pointer: text.to_owned(), slot, is_every: is_every(text) })
    }

    fn key(text: &str, beside: &[String], field: &str, pointers: &mut Pointers) -> Result<Self, SchemeError> {
        let slot = pointers.add_key(text, beside).ok_or_else(|| no_pointer(text, field))?;
        Ok(Self { pointer: text.to_owned(), slot, is_every: false })
    }
}

fn no_pointer(text: &str, field: &str) -> SchemeError {
    let reason = format!("{text:?} is not a JSON pointer; one begins with \"/\", as in \"/data/id\"");
    SchemeError::new(field, reason)
}

impl fmt::Display for Extractor {
    /// For people: `header x-signature`, `/data/id in the body`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Header(names) => {
                write!(
                    f,
                    "header {}",
                    join(names.iter().map(|name| match name {
                        HeaderPattern::Exact(name) => name.as_str().to_owned(),
                        HeaderPattern::Prefix(start) => format!("{start}*"),
                    }))
                )
            }
            Place::Query(names) => write!(f, "{} in the query", join(names.iter().cloned())),
            Place::Form(names) => write!(f, "{} in the form", join(names.iter().cloned())),
            Place::Json(values) => {
                write!(f, "{} in the body", join(values.iter().map(|value| value.pointer.clone())))
            }
            Place::JsonKey(value) => write!(f, "the first key of {:?} in the body", value.pointer),
        }
    }
}

fn join(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(" or ")
}

fn each<T>(
    names: &[String],
    field: &str,
    parse: impl FnMut(&str) -> Result<T, SchemeError>,
) -> Result<Vec<T>, SchemeError> {
    if names.is_empty() || names.iter().any(String::is_empty) {
        return Err(SchemeError::new(field, "a name is empty"));
    }
    names.iter().map(String::as_str).map(parse).collect()
}

#[cfg(test)]
mod tests;

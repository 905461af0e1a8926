//! Extractors: one shape for the signature, the time, the id and the type.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use http::HeaderName;
use http::header::{AUTHORIZATION, CONTENT_TYPE};

use super::config::ExtractorConfig;
use super::json::{Picked, Pointers};
use super::{Request, SchemeError};

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

#[derive(Clone, Debug)]
pub(super) enum Place {
    Header(Vec<HeaderPattern>),
    Query(Vec<String>),
    Form(Vec<String>),
    Json(Vec<JsonValue>),
}

#[derive(Clone, Debug)]
pub(super) enum HeaderPattern {
    Exact(HeaderName),
    /// Lower case; all headers that begin so.
    Prefix(String),
}

#[derive(Clone, Debug)]
pub(super) struct JsonValue {
    pointer: String,
    slot: usize,
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
        self.picked()?.get(slot)?.as_deref()
    }

    fn picked(&self) -> Option<&Picked<'a>> {
        let picked = self.picked.get_or_init(|| match self.json_field.filter(|_| self.is_form()) {
            None => self.pointers.pick(self.request.body),
            Some(field) => {
                let (_, document) =
                    url::form_urlencoded::parse(self.request.body).find(|(name, _)| name == field)?;
                let found = self.pointers.pick(document.as_bytes())?;
                Some(found.into_iter().map(|value| value.map(|text| Cow::Owned(text.into_owned()))).collect())
            }
        });
        picked.as_ref()
    }

    fn is_form(&self) -> bool {
        self.request.headers.get(CONTENT_TYPE).is_some_and(|value| {
            const FORM: &[u8] = b"application/x-www-form-urlencoded";
            value.as_bytes().get(..FORM.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORM))
        })
    }
}

impl Extractor {
    /// Checks what is written for `field` and learns its pointers.
    pub(super) fn compile(
        config: &ExtractorConfig,
        field: &str,
        pointers: &mut Pointers,
    ) -> Result<Self, SchemeError> {
        let place = match (&config.header, &config.query, &config.form, &config.json) {
            (Some(names), None, None, None) => {
                Place::Header(each(&names.0, field, |name| HeaderPattern::parse(name, field))?)
            }
            (None, Some(names), None, None) => {
                Place::Query(each(&names.0, field, |name| Ok(name.to_owned()))?)
            }
            (None, None, Some(names), None) => {
                Place::Form(each(&names.0, field, |name| Ok(name.to_owned()))?)
            }
            (None, None, None, Some(texts)) => {
                Place::Json(each(&texts.0, field, |text| JsonValue::parse(text, field, pointers))?)
            }
            _ => return Err(SchemeError::new(field, "needs exactly one of header, query, form and json")),
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
        Some(Self::compile(&config, "verify.message", pointers))
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
        matches!(self.place, Place::Form(_) | Place::Json(_))
    }

    /// Whether nothing can be found because the body is not the JSON that was due.
    pub(super) fn is_foiled(&self, reader: &Reader<'_>) -> bool {
        matches!(self.place, Place::Json(_)) && reader.picked().is_none()
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
            Place::Form(names) => self.pairs(names, reader.request.body, take),
            Place::Json(values) => {
                let found = values.iter().filter_map(|value| reader.json(value.slot));
                found.into_iter().all(|text| self.cut.items(text.as_bytes(), take));
            }
        }
    }

    fn pairs<'r>(&self, names: &[String], pairs: &'r [u8], take: &mut dyn FnMut(Cow<'r, [u8]>) -> bool) {
        for wanted in names {
            for (_, value) in url::form_urlencoded::parse(pairs).filter(|(name, _)| name == wanted) {
                let more = match value {
                    Cow::Borrowed(text) => self.cut.items(text.as_bytes(), take),
                    Cow::Owned(text) => {
                        self.cut.items(text.as_bytes(), &mut |item| take(Cow::Owned(item.into_owned())))
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
    fn parse(text: &str, field: &str, pointers: &mut Pointers) -> Result<Self, SchemeError> {
        let slot = pointers.add(text).ok_or_else(|| {
            SchemeError::new(
                field,
                format!("{text:?} is not a JSON pointer; one begins with \"/\", as in \"/data/id\""),
            )
        })?;
        Ok(Self { pointer: text.to_owned(), slot })
    }
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
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    struct Given<'a> {
        headers: &'a [(&'static str, &'a str)],
        query: Option<&'static str>,
        body: &'static str,
    }

    const NOTHING: Given<'static> = Given { headers: &[], query: None, body: "" };

    fn items(extractor: &str, joints: bool, given: &Given<'_>) -> Vec<String> {
        let mut pointers = Pointers::default();
        let config = toml::from_str(extractor).unwrap();
        let mut extractor = Extractor::compile(&config, "f", &mut pointers).unwrap();
        if joints {
            extractor = extractor.cut_at_joints();
        }
        let mut headers = HeaderMap::new();
        for (name, value) in given.headers {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let request = Request {
            method: "POST",
            path: "/",
            query: given.query,
            headers: &headers,
            body: given.body.as_bytes(),
            public_url: None,
        };
        let reader = Reader::new(&request, &pointers, Some("payload"));
        let mut found = Vec::new();
        extractor.each(&reader, &mut |item| {
            found.push(String::from_utf8(item.into_owned()).unwrap());
            true
        });
        found
    }

    #[test]
    fn headers() {
        let kv = "header = \"s\"\nsplit = \",\"\nprefix = \"v1=\"";
        let space = "header = \"s\"\nsplit = \" \"\nprefix = \"v1,\"";
        for (extractor, joints, headers, expected) in [
            ("header = \"s\"", false, &[("s", "a, b")][..], &["a, b"][..]),
            ("header = \"s\"", true, &[("s", "a, b,c")], &["a", "b", "c"]),
            ("header = \"s\"", true, &[("s", "a"), ("s", "b")], &["a", "b"]),
            ("header = \"s\"", true, &[("s", "")], &[]),
            ("header = \"S\"", false, &[("s", "a")], &["a"]),
            ("header = [\"x\", \"s\"]", false, &[("s", "a"), ("x", "b")], &["b", "a"]),
            ("header = \"s-*\"", false, &[("s-1", "a"), ("s", "no"), ("s-2", "b")], &["a", "b"]),
            ("header = \"s\"\nprefix = \"sha256=\"", true, &[("s", "sha256=a,sha256=b")], &["a", "b"]),
            ("header = \"s\"\nprefix = \"sha256=\"", true, &[("s", "SHA256=a")], &[]),
            ("header = \"s\"\nprefix = \"sha256=\"", true, &[("s", "sha256=")], &[]),
            (kv, true, &[("s", "t=1, v1=a,v0=c,v1=b")], &["a", "b"]),
            (space, true, &[("s", "v1,a  v1a,x v1,b")], &["a", "b"]),
            (space, true, &[("s", "v1,a, v1,b")], &["a", "b"]),
            (
                "header = \"s\"\nsplit = \";\"\nprefix = \"h1=\"",
                true,
                &[("s", "ts=1;h1=a, ts=1;h1=b")],
                &["a", "b"],
            ),
            ("header = \"s\"\nsplit = \",\"\nindex = 1", false, &[("s", "a,b,c")], &["b"]),
            (
                "header = \"authorization\"\nprefix = \"Bearer \"",
                false,
                &[("authorization", "bearer x")],
                &["x"],
            ),
            ("header = \"s\"\nprefix = \"Bearer \"", false, &[("s", "bearer x")], &[]),
        ] {
            assert_eq!(
                items(extractor, joints, &Given { headers, ..NOTHING }),
                expected,
                "{extractor} on {headers:?}"
            );
        }
    }

    #[test]
    fn of_a_value_only_so_many_items_are_looked_at() {
        let value = "v1=a,".repeat(80_000);
        let headers = [("s", value.as_str())];
        for split in ["", "split = \",\"", "split = \"=a,\""] {
            let found =
                items(&format!("header = \"s\"\n{split}"), true, &Given { headers: &headers, ..NOTHING });
            assert_eq!(found.len(), MAX_ITEMS, "{split}");
        }
    }

    #[test]
    fn query_form_and_json() {
        const FORM: &[(&str, &str)] = &[("content-type", "Application/x-www-form-urlencoded; charset=utf-8")];
        for (extractor, given, expected) in [
            ("query = \"k\"", Given { query: Some("a=1&k=x%2By&k=z"), ..NOTHING }, &["x+y", "z"][..]),
            ("query = \"k\"", NOTHING, &[]),
            ("form = \"k\"", Given { body: "k=a+b&l=c", ..NOTHING }, &["a b"]),
            ("json = \"/k\"", Given { body: r#"{"k":"v"}"#, ..NOTHING }, &["v"]),
            ("json = [\"/n/k\", \"/k\"]", Given { body: r#"{"k":7}"#, ..NOTHING }, &["7"]),
            ("json = \"/k\"\nprefix = \"a\"", Given { body: r#"{"k":"ab"}"#, ..NOTHING }, &["b"]),
            ("json = \"/k\"", Given { body: "k=v", ..NOTHING }, &[]),
            (
                "json = \"/k\"",
                Given { headers: FORM, body: "x=1&payload=%7B%22k%22%3A%22v%22%7D", ..NOTHING },
                &["v"],
            ),
            ("json = \"/k\"", Given { headers: FORM, body: r#"{"k":"v"}"#, ..NOTHING }, &[]),
        ] {
            assert_eq!(items(extractor, false, &given), expected, "{extractor} on {:?}", given.body);
        }
    }

    #[test]
    fn mistakes() {
        for (extractor, expected) in [
            ("", "f: needs exactly one of header, query, form and json"),
            ("header = \"a\"\nquery = \"b\"", "f: needs exactly one of header, query, form and json"),
            ("header = []", "f: a name is empty"),
            ("query = \"\"", "f: a name is empty"),
            ("header = \"a b\"", "f: \"a b\" is not the name of a header"),
            ("header = \"*\"", "f: \"*\" is not the name of a header"),
            ("json = \"id\"", "f: \"id\" is not a JSON pointer; one begins with \"/\", as in \"/data/id\""),
            ("header = \"a\"\nsplit = \"\"", "f: split is empty; leave it out to take the whole value"),
            ("header = \"a\"\nindex = 256", "f: index is at most 255: no more items are looked at"),
        ] {
            let config = toml::from_str(extractor).unwrap();
            let error = Extractor::compile(&config, "f", &mut Pointers::default()).unwrap_err();
            assert_eq!(error.to_string(), expected, "{extractor}");
        }
    }
}

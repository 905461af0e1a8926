//! Templates: the bytes that a provider signs.

use sha2::{Digest as _, Sha256};

use super::extract::{Extractor, Reader};
use super::json::Pointers;
use super::{SchemeError, encode, form};

/// A message template, parsed.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Literal(Vec<u8>),
    Body,
    /// As JSON that is ASCII.
    BodyAscii,
    /// Its SHA-256 in hexadecimal digits.
    BodySha256,
    /// The pairs of a form-encoded body, in byte order of their names.
    FormSorted,
    Timestamp,
    Method,
    Url,
    /// With some percent-codes decoded.
    UrlHubspot,
    Secret,
    Value(Extractor),
    /// In lower case, of ASCII letters.
    Lower(Extractor),
    /// Left out where a value inside is missing.
    Optional(Vec<Piece>),
}

/// What a template is filled with beside the request.
#[derive(Clone, Copy)]
pub(super) struct Filling<'r> {
    /// The time as the sender wrote it.
    pub(super) timestamp: &'r [u8],
    /// The secret's bytes, where the algorithm hashes it with the message.
    pub(super) secret: &'r [u8],
}

/// Words that need something beside the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Body,
    Timestamp,
    Url,
    Secret,
}

const FIELD: &str = "verify.message";

impl Template {
    /// `{{` and `}}` stand for braces; what is between `[[` and `]]` drops out when a value
    /// inside is missing.
    pub(super) fn parse(text: &str, pointers: &mut Pointers) -> Result<Self, SchemeError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("[[") {
            let Some((inner, behind)) =
                rest[at + 2..].split_once("]]").filter(|(inner, _)| !inner.contains("[["))
            else {
                return Err(SchemeError::new(FIELD, format!("{text:?} has [[ without its own ]]")));
            };
            parse_words(&rest[..at], &mut pieces, pointers)?;
            let mut optional = Vec::new();
            parse_words(inner, &mut optional, pointers)?;
            pieces.push(Piece::Optional(optional));
            rest = behind;
        }
        parse_words(rest, &mut pieces, pointers)?;
        Ok(Self(pieces))
    }

    /// Whether the message contains that, whatever is missing.
    pub(super) fn has(&self, word: Word) -> bool {
        self.0.iter().any(|piece| piece.is(word))
    }

    /// Whether it may contain that: there, or in a part that may drop out.
    pub(super) fn mentions(&self, word: Word) -> bool {
        self.0.iter().any(|piece| match piece {
            Piece::Optional(pieces) => pieces.iter().any(|piece| piece.is(word)),
            piece => piece.is(word),
        })
    }

    /// Whether that value, whole, is a part of the message.
    pub(super) fn has_value(&self, value: &Extractor) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Value(own) if own.place == value.place))
    }

    /// Hands the message over piece by piece; the error says what is missing.
    pub(super) fn render(
        &self,
        reader: &Reader<'_>,
        filling: Filling<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), String> {
        self.0.iter().try_for_each(|piece| piece.render(reader, filling, take))
    }
}

fn parse_words(text: &str, pieces: &mut Vec<Piece>, pointers: &mut Pointers) -> Result<(), SchemeError> {
    let mut literal = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.extend_from_slice(&rest.as_bytes()[..at]);
        let brace = &rest[at..];
        if brace.starts_with("{{") || brace.starts_with("}}") {
            literal.push(brace.as_bytes()[0]);
            rest = &brace[2..];
            continue;
        }
        let word = brace.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let Some((word, behind)) = word else {
            return Err(SchemeError::new(FIELD, format!("{text:?} has a brace without its counterpart")));
        };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::parse(word, pointers)?);
        rest = behind;
    }
    literal.extend_from_slice(rest.as_bytes());
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(())
}

/// `name+value` of every pair of a form-encoded body, in byte order of the names; what has
/// the same name stays in its order. `None` where there are too many.
fn form_sorted(body: &[u8]) -> Option<Vec<u8>> {
    let mut pairs = form::all(body)?;
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    Some(pairs.into_iter().flat_map(|(name, value)| [name, value]).fold(Vec::new(), |mut all, part| {
        all.extend_from_slice(&part);
        all
    }))
}

impl Piece {
    fn parse(word: &str, pointers: &mut Pointers) -> Result<Self, SchemeError> {
        let piece = match word {
            "body" => Some(Self::Body),
            "body:ascii" => Some(Self::BodyAscii),
            "body_sha256" => Some(Self::BodySha256),
            "form_sorted" => Some(Self::FormSorted),
            "timestamp" => Some(Self::Timestamp),
            "method" => Some(Self::Method),
            "url" => Some(Self::Url),
            "url:hubspot" => Some(Self::UrlHubspot),
            "secret" => Some(Self::Secret),
            _ => match word.strip_prefix("lower:") {
                Some(inner) => value(inner, pointers)?.map(Self::Lower),
                None => value(word, pointers)?.map(Self::Value),
            },
        };
        piece.ok_or_else(|| {
            SchemeError::new(
                FIELD,
                format!(
                    "{{{word}}} is not known; there are {{body}}, {{body:ascii}}, {{body_sha256}}, {{form_sorted}}, \
                     {{timestamp}}, {{method}}, {{url}}, {{url:hubspot}}, {{secret}}, {{header:NAME}}, \
                     {{query:NAME}}, {{form:NAME}} and {{json:/POINTER}}, these four with lower: before them, too"
                ),
            )
        })
    }

    const fn is(&self, word: Word) -> bool {
        matches!(
            (self, word),
            (Self::Body | Self::BodyAscii | Self::BodySha256 | Self::FormSorted, Word::Body)
                | (Self::Timestamp, Word::Timestamp)
                | (Self::Url | Self::UrlHubspot, Word::Url)
                | (Self::Secret, Word::Secret)
        )
    }

    fn render(
        &self,
        reader: &Reader<'_>,
        filling: Filling<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), String> {
        let request = reader.request;
        let found = |extractor: &'_ Extractor| extractor.first(reader).ok_or_else(|| extractor.to_string());
        let url = || request.public_url.ok_or_else(|| "the public URL".to_owned());
        match self {
            Self::Literal(bytes) => take(bytes),
            Self::Body => take(request.body),
            Self::BodyAscii => match encode::ascii_json(request.body) {
                Some(text) => take(text.as_bytes()),
                None => return Err("the body as text".to_owned()),
            },
            Self::BodySha256 => take(hex::encode(Sha256::digest(request.body)).as_bytes()),
            Self::FormSorted => match form_sorted(request.body) {
                Some(text) => take(&text),
                None => return Err(format!("a form of at most {} fields", form::MAX_PAIRS)),
            },
            Self::Timestamp => take(filling.timestamp),
            Self::Method => take(request.method.as_bytes()),
            Self::Url => take(url()?.as_bytes()),
            Self::UrlHubspot => take(&encode::hubspot_url(url()?)),
            Self::Secret => take(filling.secret),
            Self::Value(extractor) => take(&found(extractor)?),
            Self::Lower(extractor) => take(&found(extractor)?.to_ascii_lowercase()),
            Self::Optional(pieces) => {
                let mut part = Vec::new();
                let mut add = |bytes: &[u8]| part.extend_from_slice(bytes);
                if pieces.iter().try_for_each(|piece| piece.render(reader, filling, &mut add)).is_ok() {
                    take(&part);
                }
            }
        }
        Ok(())
    }
}

/// One of the words that take a value out of the request.
fn value(word: &str, pointers: &mut Pointers) -> Result<Option<Extractor>, SchemeError> {
    let split = word.split_once(':');
    split.and_then(|(kind, names)| Extractor::word(kind, names, pointers)).transpose()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::super::Request;
    use super::*;

    fn render(text: &str) -> Result<String, String> {
        let mut pointers = Pointers::default();
        let template = Template::parse(text, &mut pointers).map_err(|error| error.to_string())?;
        let headers = HeaderMap::from_iter([
            ("x-id".parse().unwrap(), HeaderValue::from_static("7, 8")),
            ("x-up".parse().unwrap(), HeaderValue::from_bytes("AbÉC".as_bytes()).unwrap()),
        ]);
        let request = Request {
            method: "POST",
            path: "/in/a",
            query: Some("q=a%20b"),
            headers: &headers,
            body: br#"{"a":{"b":"c"}}"#,
            public_url: Some("https://h.test/in/a?q=a%20b"),
        };
        let reader = Reader::new(&request, &pointers, None, 0);
        let mut message = Vec::new();
        let filling = Filling { timestamp: b"170", secret: b"s3" };
        template.render(&reader, filling, &mut |piece| message.extend_from_slice(piece))?;
        Ok(String::from_utf8(message).unwrap())
    }

    #[test]
    fn words() {
        for (text, expected) in [
            ("", ""),
            ("{body}", r#"{"a":{"b":"c"}}"#),
            ("v0:{timestamp}:{method}", "v0:170:POST"),
            ("{url}.{secret}", "https://h.test/in/a?q=a%20b.s3"),
            ("{header:x-id};{header:X-Other|X-Id}", "7, 8;7, 8"),
            ("{query:q}{json:/a/b}", "a bc"),
            ("{{{timestamp}}}", "{170}"),
            ("é", "é"),
            // printf '{"a":{"b":"c"}}' | sha256sum
            ("{body_sha256}", "3ff0e331ca59a2a1194bac0e36359ed4540a97383e1cdf6eb95c7de9309143fc"),
            ("{body:ascii}", r#"{"a":{"b":"c"}}"#),
            ("{form_sorted}", r#"{"a":{"b":"c"}}"#),
            ("{url:hubspot}", "https://h.test/in/a?q=a%20b"),
            ("{lower:header:X-Up}{lower:query:q}", "abÉca b"),
            ("[[id:{header:x-id};]][[no:{header:x-no};]]ts:{timestamp};", "id:7, 8;ts:170;"),
            ("[[{method}]]", "POST"),
            ("[a] ]]", "[a] ]]"),
        ] {
            assert_eq!(render(text).as_deref(), Ok(expected), "{text}");
        }
    }

    /// The first three as Python's `parse_qsl` and `sorted` make them.
    #[test]
    fn forms_are_sorted_by_the_bytes_of_their_names() {
        for (body, expected) in [
            (&b"b=2&a=1&B=3"[..], &b"B3a1b2"[..]),
            (b"a=2&a=1&a+=x", b"a2a1a x"),
            (
                b"mandrill_events=%5B%7B%22event%22%3A%22send%22%7D%5D",
                br#"mandrill_events[{"event":"send"}]"#,
            ),
            (b"%c3%a9=%ff&z=", b"z\xc3\xa9\xff"),
            (b"", b""),
        ] {
            assert_eq!(form_sorted(body).as_deref(), Some(expected), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn forms_of_too_many_fields_are_not_sorted() {
        assert_eq!(form_sorted(vec!["a"; form::MAX_PAIRS + 1].join("&").as_bytes()), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, expected) in [
            ("{header:x-a|x-b}", "header x-a or x-b"),
            ("{query:z}", "z in the query"),
            ("{form:z}", "z in the form"),
            ("{json:/z}", "/z in the body"),
            ("{lower:query:z}", "z in the query"),
        ] {
            assert_eq!(render(text), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn mistakes() {
        for (text, expected) in [
            ("{body", "verify.message: \"{body\" has a brace without its counterpart"),
            ("body}", "verify.message: \"body}\" has a brace without its counterpart"),
            ("{boddy}", "verify.message: {boddy} is not known; there are {body}, "),
            ("{cookie:a}", "verify.message: {cookie:a} is not known; "),
            ("{lower:body}", "verify.message: {lower:body} is not known; "),
            ("[[{body}", "verify.message: \"[[{body}\" has [[ without its own ]]"),
            ("[[a[[b]]c]]", "verify.message: \"[[a[[b]]c]]\" has [[ without its own ]]"),
            ("[[{bo]]dy}", "verify.message: \"{bo\" has a brace without its counterpart"),
            ("{json:/v/*/k}", "verify.message: takes no \"*\""),
            ("{header:}", "verify.message: a name is empty"),
            ("{json:a}", "verify.message: \"a\" is not a JSON pointer"),
        ] {
            let error = render(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}

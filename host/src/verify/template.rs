//! Templates: the bytes that a provider signs.

use super::SchemeError;
use super::extract::{Extractor, Reader};
use super::json::Pointers;

/// A message template, parsed.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Literal(Vec<u8>),
    Body,
    Timestamp,
    Method,
    Url,
    Secret,
    Value(Extractor),
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
    /// `{{` and `}}` stand for braces.
    pub(super) fn parse(text: &str, pointers: &mut Pointers) -> Result<Self, SchemeError> {
        let mut pieces = Vec::new();
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
        Ok(Self(pieces))
    }

    /// Whether the message contains that.
    pub(super) fn has(&self, word: Word) -> bool {
        self.0.iter().any(|piece| {
            matches!(
                (piece, word),
                (Piece::Body, Word::Body)
                    | (Piece::Timestamp, Word::Timestamp)
                    | (Piece::Url, Word::Url)
                    | (Piece::Secret, Word::Secret)
            )
        })
    }

    /// Hands the message over piece by piece; the error says what is missing.
    pub(super) fn render(
        &self,
        reader: &Reader<'_>,
        filling: Filling<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), String> {
        for piece in &self.0 {
            match piece {
                Piece::Literal(bytes) => take(bytes),
                Piece::Body => take(reader.request.body),
                Piece::Timestamp => take(filling.timestamp),
                Piece::Method => take(reader.request.method.as_bytes()),
                Piece::Url => match reader.request.public_url {
                    Some(url) => take(url.as_bytes()),
                    None => return Err("the public URL".to_owned()),
                },
                Piece::Secret => take(filling.secret),
                Piece::Value(extractor) => match extractor.first(reader) {
                    Some(value) => take(&value),
                    None => return Err(extractor.to_string()),
                },
            }
        }
        Ok(())
    }
}

impl Piece {
    fn parse(word: &str, pointers: &mut Pointers) -> Result<Self, SchemeError> {
        let piece = match word {
            "body" => Some(Self::Body),
            "timestamp" => Some(Self::Timestamp),
            "method" => Some(Self::Method),
            "url" => Some(Self::Url),
            "secret" => Some(Self::Secret),
            _ => {
                match word.split_once(':').and_then(|(kind, names)| Extractor::word(kind, names, pointers)) {
                    Some(extractor) => Some(Self::Value(extractor?)),
                    None => None,
                }
            }
        };
        piece.ok_or_else(|| {
            SchemeError::new(
                FIELD,
                format!(
                    "{{{word}}} is not known; there are {{body}}, {{timestamp}}, {{method}}, {{url}}, {{secret}}, \
                     {{header:NAME}}, {{query:NAME}}, {{form:NAME}} and {{json:/POINTER}}"
                ),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::super::Request;
    use super::*;

    fn render(text: &str) -> Result<String, String> {
        let mut pointers = Pointers::default();
        let template = Template::parse(text, &mut pointers).map_err(|error| error.to_string())?;
        let headers = HeaderMap::from_iter([("x-id".parse().unwrap(), HeaderValue::from_static("7, 8"))]);
        let request = Request {
            method: "POST",
            path: "/in/a",
            query: Some("q=a%20b"),
            headers: &headers,
            body: br#"{"a":{"b":"c"}}"#,
            public_url: Some("https://h.test/in/a?q=a%20b"),
        };
        let reader = Reader::new(&request, &pointers, None);
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
        ] {
            assert_eq!(render(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, expected) in [
            ("{header:x-a|x-b}", "header x-a or x-b"),
            ("{query:z}", "z in the query"),
            ("{form:z}", "z in the form"),
            ("{json:/z}", "/z in the body"),
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
            ("{header:}", "verify.message: a name is empty"),
            ("{json:a}", "verify.message: \"a\" is not a JSON pointer"),
        ] {
            let error = render(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}

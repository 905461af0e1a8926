//! Values put into a body: a field of a form, a place of a JSON document, which may be
//! in a field of a form itself.

use serde_json::{Map, Value};
use url::form_urlencoded;

/// What a body is, by its `content-type`, and the field of a form that holds a JSON
/// document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape<'a> {
    Json,
    Form(Option<&'a str>),
    /// With the boundary between its parts (RFC 7578).
    Multipart(&'a str, Option<&'a str>),
}

/// What is wrong with a body.
type Unfit = &'static str;

const NOT_JSON: Unfit = "the body is not JSON";
const NO_FIELD: Unfit = "the form has no field for that";
const NOT_TEXT: Unfit = "the body is not text";
const SOMETHING_ELSE: Unfit = "the body has something else above that place";
const NO_ELEMENT: Unfit = "the body has no element in that place";

impl<'a> Shape<'a> {
    pub(super) fn of(content_type: &'a str, json_field: Option<&'a str>) -> Self {
        let is = |kind: &str| {
            let start = content_type.get(..kind.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(kind))
        };
        if is("application/x-www-form-urlencoded") {
            return Self::Form(json_field);
        }
        match content_type.split_once("boundary=").filter(|_| is("multipart/form-data")) {
            Some((_, boundary)) => Self::Multipart(boundary.trim_matches('"'), json_field),
            None => Self::Json,
        }
    }

    /// The body with that field.
    pub(super) fn set_field(self, body: &[u8], name: &str, value: &str) -> Result<Vec<u8>, Unfit> {
        match self {
            Self::Form(_) => Ok(set_field(body, name, value)),
            Self::Multipart(boundary, _) => set_part(body, boundary, name, value),
            Self::Json => Err("the body is not a form"),
        }
    }

    /// The body with that value at the first of the pointers that is there, or else at
    /// the first; what is missing above it is made.
    pub(super) fn set_json(self, body: &[u8], pointers: &[&str], value: &str) -> Result<Vec<u8>, Unfit> {
        match self {
            Self::Json => set_pointer(body, pointers, value),
            Self::Form(field) => {
                let field = field.ok_or(NO_FIELD)?;
                let (_, own) =
                    form_urlencoded::parse(body).find(|(name, _)| name == field).ok_or(NO_FIELD)?;
                let document = set_pointer(own.as_bytes(), pointers, value)?;
                Ok(set_field(body, field, &String::from_utf8_lossy(&document)))
            }
            Self::Multipart(boundary, field) => {
                let field = field.ok_or(NO_FIELD)?;
                let text = std::str::from_utf8(body).map_err(|_| NOT_TEXT)?;
                let (at, end) = part(text, boundary, field).ok_or(NO_FIELD)?;
                let document = set_pointer(&body[at..end], pointers, value)?;
                set_part(body, boundary, field, &String::from_utf8_lossy(&document))
            }
        }
    }
}

/// The form with that field in its own place, or at the end.
fn set_field(body: &[u8], name: &str, value: &str) -> Vec<u8> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    let mut is_there = false;
    for (own, old) in form_urlencoded::parse(body) {
        let is_it = own == name;
        if !(is_it && is_there) {
            form.append_pair(&own, if is_it { value } else { &old });
        }
        is_there |= is_it;
    }
    if !is_there {
        form.append_pair(name, value);
    }
    form.finish().into_bytes()
}

fn set_part(body: &[u8], boundary: &str, name: &str, value: &str) -> Result<Vec<u8>, Unfit> {
    let text = std::str::from_utf8(body).map_err(|_| NOT_TEXT)?;
    let (at, end) = part(text, boundary, name).ok_or(NO_FIELD)?;
    Ok([&text[..at], value, &text[end..]].concat().into_bytes())
}

/// Where the value of the part of that name begins and ends.
fn part(text: &str, boundary: &str, name: &str) -> Option<(usize, usize)> {
    let wanted = format!("name=\"{name}\"");
    let mut at = 0;
    for piece in text.split(&format!("--{boundary}")) {
        if let Some((head, value)) = piece.split_once("\r\n\r\n")
            && head.contains(&wanted)
        {
            let begin = at + head.len() + 4;
            return Some((begin, begin + value.trim_end_matches("\r\n").len()));
        }
        at += piece.len() + boundary.len() + 2;
    }
    None
}

fn set_pointer(document: &[u8], pointers: &[&str], value: &str) -> Result<Vec<u8>, Unfit> {
    let mut root: Value = serde_json::from_slice(document).map_err(|_| NOT_JSON)?;
    let there = pointers.iter().find(|pointer| root.pointer(pointer).is_some());
    let pointer = there.or(pointers.first()).ok_or(NO_ELEMENT)?;
    let tokens: Vec<_> =
        pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect();
    set(&mut root, &tokens, value)?;
    Ok(root.to_string().into_bytes())
}

fn set(place: &mut Value, tokens: &[String], value: &str) -> Result<(), Unfit> {
    let Some((token, rest)) = tokens.split_first() else {
        return put(place, value);
    };
    let index = token.parse::<usize>().ok().or_else(|| (token == "*").then_some(0));
    if place.is_null() {
        *place = if index.is_some() { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
    }
    match (place, index) {
        (Value::Object(fields), _) => set(fields.entry(token).or_insert(Value::Null), rest, value),
        (Value::Array(elements), Some(index)) => {
            if index == elements.len() {
                elements.push(Value::Null);
            }
            if token == "*" {
                return elements.iter_mut().try_for_each(|element| set(element, rest, value));
            }
            set(elements.get_mut(index).ok_or(NO_ELEMENT)?, rest, value)
        }
        _ => Err(SOMETHING_ELSE),
    }
}

/// A number stays one where the new value is one, too.
fn put(place: &mut Value, value: &str) -> Result<(), Unfit> {
    *place = match (&place, value.parse::<u64>()) {
        (Value::Object(_) | Value::Array(_), _) => return Err(SOMETHING_ELSE),
        (Value::Number(_), Ok(number)) => number.into(),
        _ => value.into(),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";
    const PARTS: &str = "multipart/form-data; boundary=B";

    fn json(content_type: &str, body: &str, pointers: &[&str]) -> Result<String, Unfit> {
        let shape = Shape::of(content_type, Some("json"));
        shape.set_json(body.as_bytes(), pointers, "7").map(|body| String::from_utf8(body).unwrap())
    }

    #[test]
    fn places_of_a_document() {
        for (body, pointers, expected) in [
            ("null", &["/a"][..], Ok(r#"{"a":"7"}"#)),
            ("{}", &["/a/b"], Ok(r#"{"a":{"b":"7"}}"#)),
            (r#"{"a":1}"#, &["/a"], Ok(r#"{"a":7}"#)),
            (r#"{"a":"1"}"#, &["/a"], Ok(r#"{"a":"7"}"#)),
            (r#"{"a":1}"#, &["/b", "/a"], Ok(r#"{"a":7}"#)),
            ("null", &["/0/a"], Ok(r#"[{"a":"7"}]"#)),
            ("null", &["/v/*/a"], Ok(r#"{"v":[{"a":"7"}]}"#)),
            (r#"{"v":[{},{"a":"x"}]}"#, &["/v/*/a"], Ok(r#"{"v":[{"a":"7"},{"a":"7"}]}"#)),
            (r#"{"0":{}}"#, &["/0/a"], Ok(r#"{"0":{"a":"7"}}"#)),
            ("{}", &["/a~1b"], Ok(r#"{"a/b":"7"}"#)),
            ("null", &["/1/a"], Err(NO_ELEMENT)),
            (r#"{"a":[]}"#, &["/a"], Err(SOMETHING_ELSE)),
            (r#"{"a":"x"}"#, &["/a/b"], Err(SOMETHING_ELSE)),
            ("[]", &["/a"], Err(SOMETHING_ELSE)),
            ("a=1", &["/a"], Err(NOT_JSON)),
        ] {
            assert_eq!(
                json("application/json", body, pointers).as_deref(),
                expected.as_ref().copied(),
                "{body}"
            );
        }
    }

    #[test]
    fn documents_in_forms() {
        let parts = "--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny\r\n--B\r\n\
                     Content-Disposition: form-data; name=\"json\"\r\n\r\n{}\r\n--B--\r\n";
        let with = parts.replace("{}", r#"{"a":"7"}"#);
        for (content_type, body, expected) in [
            (FORM, "x=1&json=%7B%7D&y=2", Ok("x=1&json=%7B%22a%22%3A%227%22%7D&y=2")),
            (FORM, "x=1", Err(NO_FIELD)),
            (FORM, "json=1%3D", Err(NOT_JSON)),
            (PARTS, parts, Ok(with.as_str())),
            (PARTS, "--B--", Err(NO_FIELD)),
        ] {
            assert_eq!(json(content_type, body, &["/a"]).as_deref(), expected.as_ref().copied(), "{body}");
        }
    }

    #[test]
    fn fields() {
        for (content_type, body, expected) in [
            (FORM, "", Ok("k=7+%2B")),
            (FORM, "a=1&k=2&b=3&k=4", Ok("a=1&k=7+%2B&b=3")),
            ("application/json", "{}", Err("the body is not a form")),
        ] {
            let made = Shape::of(content_type, None).set_field(body.as_bytes(), "k", "7 +");
            let made = made.map(|body| String::from_utf8(body).unwrap());
            assert_eq!(made.as_deref(), expected.as_ref().copied(), "{body}");
        }
    }
}

//! A request out of a file: as it came over the wire, or as a recorded case.

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// One request, read in full.
#[derive(Debug)]
pub(super) struct Dump {
    pub(super) method: String,
    /// Whole, where the file has it so.
    pub(super) url: Option<String>,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Unix seconds, where the file has them.
    pub(super) now: Option<i64>,
    /// What was done to make a request of it.
    pub(super) notes: Vec<String>,
}

impl Dump {
    /// A JSON object (or a list of one) is a case; anything else is HTTP.
    pub(super) fn parse(text: &[u8]) -> anyhow::Result<Self> {
        match text.trim_ascii_start().first() {
            Some(b'{' | b'[') => recorded(text),
            _ => wire(text),
        }
    }
}

fn recorded(text: &[u8]) -> anyhow::Result<Dump> {
    let value: Value = serde_json::from_slice(text).context("is neither JSON nor an HTTP request")?;
    let case = match value {
        Value::Array(mut cases) if cases.len() == 1 => cases.remove(0),
        Value::Array(cases) => bail!("holds {} cases; --request takes one", cases.len()),
        case => case,
    };
    let text = |key: &str| case.get(key).and_then(Value::as_str);
    let url = text("url").context("has no url")?;
    let mut headers = HeaderMap::new();
    for (name, values) in case.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let one = std::slice::from_ref(values);
        for value in values.as_array().map_or(one, Vec::as_slice) {
            let value = value.as_str().with_context(|| format!("header {name:?} is no text"))?;
            headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
    }
    let parsed = url::Url::parse(url).context("url")?;
    Ok(Dump {
        method: text("method").unwrap_or("POST").to_owned(),
        url: Some(url.to_owned()),
        path: parsed.path().to_owned(),
        query: parsed.query().map(str::to_owned),
        headers,
        body: STANDARD.decode(text("body_base64").unwrap_or_default()).context("body_base64")?,
        now: case.get("now").and_then(Value::as_i64),
        notes: Vec::new(),
    })
}

fn wire(text: &[u8]) -> anyhow::Result<Dump> {
    let (head, mut body) = split_head(text).context("has no empty line between the head and the body")?;
    let head = std::str::from_utf8(head).context("has a head that is not text")?;
    let mut lines = head.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).peekable();
    let (mut method, mut target) = ("POST", "/");
    if let Some(line) = lines.next_if(|line| line.contains(" HTTP/")) {
        let mut words = line.split(' ');
        method = words.next().unwrap_or_default();
        target = words.next().unwrap_or_default();
    }
    let mut headers = HeaderMap::new();
    for line in lines {
        let pair = line.split_once(':').filter(|(name, _)| !name.starts_with([' ', '\t']));
        let (name, value) = pair.with_context(|| format!("has a line that is no header: {line:?}"))?;
        let value = HeaderValue::try_from(value.trim()).with_context(|| format!("header {name}"))?;
        headers.append(HeaderName::try_from(name).with_context(|| format!("header {name:?}"))?, value);
    }
    ensure!(
        !headers.contains_key(http::header::TRANSFER_ENCODING),
        "has a body in chunks: write down the body itself, and leave transfer-encoding out"
    );
    let mut notes = Vec::new();
    let declared =
        headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if let Some(declared) = declared.filter(|declared: &usize| *declared != body.len()) {
        notes.push(format!("content-length says {declared} bytes of body, and the file has {}", body.len()));
        if declared < body.len() && body[declared..].iter().all(u8::is_ascii_whitespace) {
            body = &body[..declared];
            notes.push("what is behind them is white space and was left out".to_owned());
        }
    }
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    Ok(Dump {
        method: method.to_owned(),
        url: None,
        path: path.to_owned(),
        query: query.map(str::to_owned),
        headers,
        body: body.to_owned(),
        now: None,
        notes,
    })
}

/// What is before the first empty line, and what is behind it.
fn split_head(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = |end: &[u8]| Some((text.windows(end.len()).position(|window| window == end)?, end.len()));
    let ends = [at(b"\r\n\r\n"), at(b"\n\n"), at(b"\n\r\n")];
    let (at, length) = ends.into_iter().flatten().min()?;
    Some((&text[..at], &text[at + length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_over_the_wire() {
        for (text, expected) in [
            (
                "POST /in/a?b=c HTTP/1.1\r\nX-A: 1\r\nx-a:2 \r\n\r\nbody\r\n",
                ("POST", "/in/a", Some("b=c"), &["1", "2"][..], "body\r\n"),
            ),
            ("x-a: 1\n\nbody", ("POST", "/", None, &["1"], "body")),
            ("PUT / HTTP/1.1\nx-a: 1\ncontent-length: 4\n\nbody\n", ("PUT", "/", None, &["1"], "body")),
            ("x-a: 1\ncontent-length: 4\n\nbodybody", ("POST", "/", None, &["1"], "bodybody")),
            ("x-a: 1\n\na\n\nb", ("POST", "/", None, &["1"], "a\n\nb")),
            (
                r#"{"url": "https://h.test/in/a?b", "headers": {"X-A": ["1", "2"]}, "body_base64": "Ym9keQ=="}"#,
                ("POST", "/in/a", Some("b"), &["1", "2"], "body"),
            ),
        ] {
            let dump = Dump::parse(text.as_bytes()).unwrap();
            let values: Vec<_> = dump.headers.get_all("x-a").iter().map(|v| v.to_str().unwrap()).collect();
            assert_eq!(
                (&*dump.method, &*dump.path, dump.query.as_deref()),
                (expected.0, expected.1, expected.2)
            );
            assert_eq!((values, &*dump.body), (expected.3.to_vec(), expected.4.as_bytes()), "{text}");
        }
        let short = Dump::parse(b"content-length: 9\n\nbody").unwrap();
        assert_eq!(short.notes, ["content-length says 9 bytes of body, and the file has 4"]);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (text, expected) in [
            ("x-a: 1\n", "no empty line"),
            ("x-a\n\n", "a line that is no header: \"x-a\""),
            ("x-a: 1\n folded\n\n", "a line that is no header"),
            ("x a: 1\n\n", "header \"x a\""),
            ("transfer-encoding: chunked\n\n4\r\nbody\r\n0\r\n\r\n", "in chunks"),
            ("[]", "holds 0 cases"),
            ("{}", "has no url"),
            ("{", "is neither JSON nor"),
            (r#"{"url": "/in/a"}"#, "url"),
        ] {
            let error = format!("{:#}", Dump::parse(text.as_bytes()).unwrap_err());
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}

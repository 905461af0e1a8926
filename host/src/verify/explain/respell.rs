//! Other spellings of the same body: what proxies, frameworks and editors make of one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use unicode_normalization::UnicodeNormalization as _;

/// Each other spelling, once, and what is done to the body for it.
pub(super) fn all(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut found = ends(body);
    found.extend(characters(body));
    if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() {
        found.extend(json(body));
    }
    let mut seen = BTreeSet::from([body.to_vec()]);
    found.retain(|(_, other)| seen.insert(other.clone()));
    found
}

/// What is at its ends, and at the ends of its lines.
fn ends(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let without = |end: &[u8]| body.strip_suffix(end).unwrap_or(body).to_vec();
    let lf = replace(body, b"\r\n", b"\n");
    let crlf = replace(&lf, b"\n", b"\r\n");
    vec![
        ("with a line break added at the body's end", [body, b"\n"].concat()),
        ("with CR LF added at the body's end", [body, b"\r\n"].concat()),
        ("with the line break at the body's end removed", without(b"\n")),
        ("with the CR LF at the body's end removed", without(b"\r\n")),
        ("with the white space around the body removed", body.trim_ascii().to_vec()),
        ("with LF instead of CR LF in the body", lf),
        ("with CR LF instead of LF in the body", crlf),
    ]
}

/// How its characters are written as bytes.
fn characters(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    const BOM: &[u8] = b"\xef\xbb\xbf";
    let latin1: String = body.iter().map(|byte| char::from(*byte)).collect();
    let mut found = vec![
        ("with the body read as Latin-1 and written as UTF-8", latin1.into_bytes()),
        (
            "with the bytes that are no UTF-8 replaced by U+FFFD",
            String::from_utf8_lossy(body).into_owned().into_bytes(),
        ),
        ("with the byte order mark removed", body.strip_prefix(BOM).unwrap_or(body).to_vec()),
        ("with a byte order mark before the body", [BOM, body].concat()),
    ];
    found.extend(
        STANDARD.decode(body.trim_ascii()).ok().map(|bytes| ("with the body decoded from base64", bytes)),
    );
    if let Ok(text) = std::str::from_utf8(body) {
        let narrow: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        found.extend(narrow.map(|bytes| ("with the body written as Latin-1", bytes)));
        found.push(("with the body in Unicode's normal form C", text.nfc().collect::<String>().into_bytes()));
        found.push(("with the body in Unicode's normal form D", text.nfd().collect::<String>().into_bytes()));
    }
    found
}

/// How JSON is laid out and escaped.
fn json(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let Ok(text) = std::str::from_utf8(body) else { return Vec::new() };
    let plain = serde_json::from_str::<serde_json::Value>(text).map(|value| value.to_string());
    let plain = plain.unwrap_or_else(|_| text.to_owned());
    let layouts = [
        ("with the JSON body re-serialised without spaces", Layout::Compact),
        ("with the JSON body re-serialised with a space behind each comma and colon", Layout::Spaced),
        ("with the JSON body re-serialised on indented lines (2 spaces)", Layout::Indented(2)),
        ("with the JSON body re-serialised on indented lines (4 spaces)", Layout::Indented(4)),
    ];
    let mut found =
        vec![("with the JSON body's slashes escaped (\\/)", text.replace("\\/", "/").replace('/', "\\/"))];
    found.push(("with every character of the JSON body that is not ASCII written as \\uXXXX", escape(text)));
    for (what, layout) in layouts {
        for text in [text, &plain] {
            let laid_out = lay_out(text, layout);
            found.push((what, escape(&laid_out)));
            found.push((what, escape(&laid_out).replace("\\/", "/").replace('/', "\\/")));
            found.push((what, laid_out));
        }
    }
    found.into_iter().map(|(what, text)| (what, text.into_bytes())).collect()
}

#[derive(Clone, Copy)]
enum Layout {
    Compact,
    Spaced,
    Indented(usize),
}

/// The same tokens with other white space between them; the text is JSON.
fn lay_out(text: &str, layout: Layout) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut in_string, mut is_escaped, mut just_opened) = (0_usize, false, false, false);
    let break_line = |out: &mut String, depth: usize| {
        if let Layout::Indented(by) = layout {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', depth * by));
        }
    };
    for c in text.chars() {
        if in_string {
            out.push(c);
            in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(c, '}' | ']');
        if closes {
            depth = depth.saturating_sub(1);
        }
        if just_opened != closes {
            break_line(&mut out, depth);
        }
        just_opened = matches!(c, '{' | '[');
        depth += usize::from(just_opened);
        out.push(c);
        match (c, layout) {
            (',' | ':', Layout::Spaced) | (':', Layout::Indented(_)) => out.push(' '),
            (',', Layout::Indented(_)) => break_line(&mut out, depth),
            _ => {}
        }
        in_string = c == '"';
    }
    out
}

/// With `\uXXXX` for what is not ASCII, in lower case, as most libraries do.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

fn replace(body: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

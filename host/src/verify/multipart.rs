//! One field of a `multipart/form-data` body (RFC 7578), read where it stands.

/// The media type of forms in parts.
pub(super) const MULTIPART: &str = "multipart/form-data";

/// The value of the first field of that name; `None` where there is none, or where the
/// body is not what its `content-type` says.
pub(super) fn field<'a>(content_type: &str, body: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let boundary = parameter(content_type, "boundary")?;
    // RFC 2046 §5.1.1: a boundary has 1 to 70 characters.
    if !(1..=70).contains(&boundary.len()) {
        return None;
    }
    let delimiter = format!("--{boundary}");
    let joint = format!("\r\n{delimiter}");
    let at = if body.starts_with(delimiter.as_bytes()) { 0 } else { find(body, joint.as_bytes())? + 2 };
    let mut rest = &body[at + delimiter.len()..];
    while !rest.starts_with(b"--") {
        let part = &rest[find(rest, b"\r\n")? + 2..];
        let end = find(part, joint.as_bytes())?;
        if let Some(value) = value_of(&part[..end], wanted) {
            return Some(value);
        }
        rest = &part[end + joint.len()..];
    }
    None
}

/// The value of a part, if that is its name.
fn value_of<'a>(part: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let end = find(part, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&part[..end]).ok()?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    (parameter(disposition, "name")? == wanted).then(|| &part[end + 4..])
}

/// The value of a parameter behind `;`, without its quotation marks.
fn parameter<'a>(header: &'a str, wanted: &str) -> Option<&'a str> {
    header.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim();
        let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        name.trim().eq_ignore_ascii_case(wanted).then_some(inner.unwrap_or(value))
    })
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=B";

    /// `\n` stands for the line breaks of the format.
    fn read(content_type: &str, body: &str) -> Option<String> {
        let body = body.replace('\n', "\r\n");
        field(content_type, body.as_bytes(), "json").map(|value| String::from_utf8(value.to_vec()).unwrap())
    }

    #[test]
    fn fields() {
        const PART: &str = "--B\nContent-Disposition: form-data; name=\"json\"\n\n{}\n--B--\n";
        for (content_type, body, expected) in [
            (TYPE, PART, Some("{}")),
            ("multipart/form-data; charset=utf-8; Boundary=\"B\"", PART, Some("{}")),
            (TYPE, &format!("preamble\n{PART}epilogue"), Some("{}")),
            (
                TYPE,
                "--B\nContent-Disposition: form-data; name=\"a\"\n\nx\n--B\ncontent-type: text/plain\n\
                 CONTENT-DISPOSITION: form-data; name=json\n\na\nb\n--B--",
                Some("a\r\nb"),
            ),
            (TYPE, "--B\nContent-Disposition: form-data; name=\"json\"\n\n\n--B--", Some("")),
            (TYPE, "--B\nContent-Disposition: form-data; name=\"jso\"\n\n{}\n--B--", None),
            (TYPE, "--B\nContent-Disposition: form-data\n\n{}\n--B--", None),
            (TYPE, "--B\nContent-Disposition: form-data; name=\"json\"\n\n{}", None),
            (TYPE, "--B--\nContent-Disposition: form-data; name=\"json\"\n\n{}\n--B--", None),
            (TYPE, "", None),
            ("multipart/form-data", PART, None),
            ("multipart/form-data; boundary=", PART, None),
            ("multipart/form-data; boundary=C", PART, None),
        ] {
            assert_eq!(read(content_type, body).as_deref(), expected, "{content_type}: {body}");
        }
    }
}

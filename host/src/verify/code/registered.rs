//! The URL that a provider called, as it wrote it: never the one seen behind a proxy.

use super::super::Request;
use super::form;

/// The registered URL with the query of this request: providers add to it
/// (`bodySHA256`), and sign what they called. A query that the registered URL has itself,
/// and that says the same, is taken as it was written there.
pub(super) fn called(request: &Request<'_>) -> Option<String> {
    let registered = request.public_url?;
    let (base, own) = split(registered);
    let same = |one: Option<&str>, other: Option<&str>| {
        form::pairs(one.unwrap_or_default().as_bytes()).eq(form::pairs(other.unwrap_or_default().as_bytes()))
    };
    Some(match request.query {
        _ if own.is_some() && same(own, request.query) => registered.to_owned(),
        Some(query) => format!("{base}?{query}"),
        None => base.to_owned(),
    })
}

/// What is before the question mark, and the query.
pub(super) fn split(url: &str) -> (&str, Option<&str>) {
    match url.split_once('?') {
        Some((base, query)) => (base, Some(query)),
        None => (url, None),
    }
}

/// From the first slash behind the host on, without the query; `/` where there is none.
pub(super) fn path(url: &str) -> &str {
    let (base, _) = split(url);
    let behind = base.split_once("://").map_or(base, |(_, behind)| behind);
    behind.find('/').map_or("/", |at| &behind[at..])
}

/// The same URL with and without the port that its scheme has anyway, itself first.
pub(super) fn with_and_without_port(url: &str) -> Vec<String> {
    let mut all = vec![url.to_owned()];
    let Some((scheme, behind)) = url.split_once("://") else { return all };
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return all,
    };
    let end = behind.find(['/', '?', '#']).unwrap_or(behind.len());
    let (authority, rest) = behind.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let has_port = host.rfind(':').is_some_and(|at| at > host.rfind(']').unwrap_or(0));
    if let Some(bare) = authority.strip_suffix(port) {
        all.push(format!("{scheme}://{bare}{rest}"));
    } else if !has_port {
        all.push(format!("{scheme}://{authority}{port}{rest}"));
    }
    all
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn what_was_called() {
        let table = [
            (None, Some("a=1"), None),
            (Some("https://h/in"), None, Some("https://h/in")),
            (Some("https://h/in"), Some("a=1"), Some("https://h/in?a=1")),
            (Some("https://h/in?a=1"), None, Some("https://h/in")),
            (Some("https://h/in?a=1"), Some("a=2"), Some("https://h/in?a=2")),
            (Some("https://h/in?a=it's"), Some("a=it%27s"), Some("https://h/in?a=it's")),
            (Some("https://h/in?a=1"), Some("a=1&h=f"), Some("https://h/in?a=1&h=f")),
        ];
        for (public_url, query, expected) in table {
            let headers = HeaderMap::new();
            let request =
                Request { method: "POST", path: "/in", query, headers: &headers, body: b"", public_url };
            assert_eq!(called(&request).as_deref(), expected, "{public_url:?} {query:?}");
        }
    }

    #[test]
    fn ports() {
        for (url, other) in [
            ("https://h/p?q", Some("https://h:443/p?q")),
            ("https://h:443/p", Some("https://h/p")),
            ("https://h", Some("https://h:443")),
            ("https://h?q=:1", Some("https://h:443?q=:1")),
            ("http://h/", Some("http://h:80/")),
            ("http://h:80/", Some("http://h/")),
            ("https://u:p@h/", Some("https://u:p@h:443/")),
            ("https://[::1]/", Some("https://[::1]:443/")),
            ("https://[::1]:443/", Some("https://[::1]/")),
            ("https://h:8443/", None),
            ("https://h:80/", None),
            ("ftp://h/", None),
            ("h/p", None),
        ] {
            let all = with_and_without_port(url);
            assert_eq!((all[0].as_str(), all.get(1).map(String::as_str)), (url, other));
        }
    }

    #[test]
    fn paths() {
        for (url, expected) in
            [("https://h/a/b?c=/d", "/a/b"), ("https://h", "/"), ("https://h?x", "/"), ("/a", "/a")]
        {
            assert_eq!(path(url), expected, "{url}");
        }
    }
}

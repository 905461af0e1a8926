//! The URL as a provider knows it, below the one that it was given.

use std::borrow::Cow;

/// `base` is the URL of a source as it was registered; behind it goes what the request's
/// path has behind `/in/NAME`, and the request's query, byte for byte. It is signed, so
/// nothing is decoded or tidied up. A path that is not below `/in/` adds nothing.
pub fn registered_url<'a>(base: &'a str, path: &str, query: Option<&str>) -> Cow<'a, str> {
    let below = path.strip_prefix("/in/").and_then(|path| path.find('/').map(|at| &path[at..]));
    match (below.unwrap_or_default(), query) {
        ("", None) => Cow::Borrowed(base),
        (below, None) => Cow::Owned(format!("{base}{below}")),
        (below, Some(query)) => Cow::Owned(format!("{base}{below}?{query}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_the_source_is_kept_as_it_came() {
        for (path, query, expected) in [
            ("/in/shop", None, "https://h.test/hooks"),
            ("/in/shop", Some(""), "https://h.test/hooks?"),
            ("/in/shop", Some("b=%20&a=+"), "https://h.test/hooks?b=%20&a=+"),
            ("/in/shop/", None, "https://h.test/hooks/"),
            ("/in/shop/a%2Fb//c", Some("d"), "https://h.test/hooks/a%2Fb//c?d"),
            ("/elsewhere/a", Some("d"), "https://h.test/hooks?d"),
            ("/", None, "https://h.test/hooks"),
        ] {
            assert_eq!(registered_url("https://h.test/hooks", path, query), expected, "{path} {query:?}");
        }
    }
}

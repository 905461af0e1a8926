//! URLs that a request names and that may be called although strangers wrote them: each
//! provider's own hosts and nothing that only looks like them.

use url::Url;

use super::{Verdict, unauthorized};

/// The URL, if it is `https` on the usual port of a host that `is_own` knows, and nothing
/// else is in it that could lead elsewhere.
///
/// # Errors
/// A refusal that names `what`.
pub(super) fn pinned(text: &str, what: &str, is_own: fn(&str) -> bool) -> Result<Url, Verdict> {
    let found = Url::parse(text).ok().filter(|url| {
        // The parser drops and turns some characters; with those, what is shown is not
        // what is called.
        text.starts_with("https://")
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
            && url.scheme() == "https"
            && url.port().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
            && url.domain().is_some_and(is_own)
    });
    found.ok_or_else(|| unauthorized(format!("{what} is not the provider's")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_are_refused() {
        let is_own = |host: &str| host == "own.example" || host.ends_with(".own.example");
        for good in [
            "https://own.example/a",
            "https://api.own.example/a?b=c",
            "https://OWN.example/",
            "https://own.example:443/",
        ] {
            assert!(pinned(good, "it", is_own).is_ok(), "{good}");
        }
        for bad in [
            "",
            "own.example",
            "http://own.example/",
            "HTTPS://own.example/",
            "https:own.example/",
            "https:/own.example/",
            "https:\\\\own.example/",
            "https://own.example.evil.test/",
            "https://evilown.example/",
            "https://own.example:8443/",
            "https://own.example:80/",
            "https://user@own.example/",
            "https://own.example@evil.test/",
            "https://evil.test\\@own.example/",
            "https://evil.test/own.example",
            "https://evil.test?.own.example",
            "https://evil.test#.own.example",
            "https://own.example/#x",
            "https://own.example./",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://own.example\t/",
            "https://own.exa\nmple/",
            " https://own.example/",
            "https://\u{ff4f}wn.example/",
        ] {
            assert_eq!(pinned(bad, "it", is_own), Err(unauthorized("it is not the provider's")), "{bad}");
        }
    }
}

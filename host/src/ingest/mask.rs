//! Masking: no credential of a request reaches the disk or a plugin.

use http::HeaderMap;

use crate::model::{Header, MASK};

/// Headers that are credentials whatever the scheme.
pub(super) const ALWAYS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Words in the names of credentials.
const WORDS: [&str; 6] = ["auth", "bearer", "credential", "credentials", "jwt", "session"];

/// Ends of words in the names of credentials: a header's name has no capital letters that
/// would tell the words of `x-authtoken` apart.
const ENDS: [&str; 10] = [
    "accesskey",
    "apikey",
    "authkey",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "secretkey",
    "token",
];

/// Words that make a credential of the word `key` behind them, wherever it stands.
const KEY_WORDS: [&str; 5] = ["access", "api", "auth", "private", "secret"];

/// Words behind which a `key` at the end opens nothing.
const OPEN_KEY_WORDS: [&str; 14] = [
    "cache",
    "dedup",
    "dedupe",
    "deduplication",
    "event",
    "group",
    "idempotency",
    "message",
    "object",
    "ordering",
    "partition",
    "public",
    "routing",
    "sort",
];

/// Whether something of that name is likely to be a credential: `x-acme-token`,
/// `api_key`, `accessToken`, `x-edge-key`. A signature is none: it proves one request and
/// no other. A plugin's scheme does not say where its secret stands, so that a `key` too
/// many is masked rather than one too few.
pub(super) fn looks_like_credential(name: &str) -> bool {
    let words = words(name);
    let mut before = "";
    for word in &words {
        if WORDS.contains(&word.as_str())
            || ENDS.iter().any(|end| word.ends_with(end))
            || (word == "key" && KEY_WORDS.contains(&before))
        {
            return true;
        }
        before = word;
    }
    match words.as_slice() {
        [.., before, last] => last == "key" && !OPEN_KEY_WORDS.contains(&before.as_str()),
        [only] => only == "key",
        [] => false,
    }
}

/// The parts of a name, in lower case: between signs, and at a change from small to
/// capital letters.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (small && c.is_uppercase()) {
            words.push(String::new());
        }
        small = c.is_lowercase();
        if let Some(word) = words.last_mut()
            && c.is_alphanumeric()
        {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// The request's headers as they are stored: lower-case names, in order, with the
/// values of those masked that `hides` says are credentials.
pub(super) fn headers(received: &HeaderMap, hides: impl Fn(&str) -> bool) -> Vec<Header> {
    let mut headers = Header::list(received);
    for header in headers.iter_mut().filter(|header| hides(&header.name)) {
        MASK.clone_into(&mut header.value);
    }
    headers
}

/// The query as it is stored, with the values of those parameters masked that `hides`
/// says are credentials.
pub(super) fn query(received: &str, hides: impl Fn(&str) -> bool) -> String {
    // Names are compared as the scheme reads them: decoded.
    let masked = received.split('&').map(|pair| {
        let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
        match (decoded, pair.split_once('=')) {
            (Some((name, _)), Some((written, _))) if hides(&name) => format!("{written}={MASK}"),
            _ => pair.to_owned(),
        }
    });
    masked.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_masked_and_the_rest_is_kept() {
        let mut received = HeaderMap::new();
        received.append("authorization", "Bearer x".parse().unwrap());
        received.append("x-gitlab-token", "t".parse().unwrap());
        received.append("x-many", "1".parse().unwrap());
        received.append("x-many", "2".parse().unwrap());
        let stored = headers(&received, |name| ALWAYS.contains(&name) || name == "x-gitlab-token");
        let stored: Vec<_> = stored.iter().map(|h| (h.name.as_str(), h.value.as_str())).collect();
        assert_eq!(
            stored,
            [("authorization", "***"), ("x-gitlab-token", "***"), ("x-many", "1"), ("x-many", "2")]
        );
        let is_token = |name: &str| name == "token";
        assert_eq!(query("a=1&token=t&b", is_token), "a=1&token=***&b");
        assert_eq!(query("t%6fken=t", is_token), "t%6fken=***");
    }

    #[test]
    fn names_of_credentials() {
        for name in [
            "x-gitlab-token",
            "x-api-key",
            "api_key",
            "apikey",
            "accessToken",
            "x-auth",
            "access-key",
            "X-SECRET",
            "x-edge-key",
            "x-functions-key",
            "key",
            "x-authtoken",
            "accesstoken",
            "webhooksecret",
            "x-accesskey",
            "api-key-2",
        ] {
            assert!(looks_like_credential(name), "{name}");
        }
        for name in [
            "x-signature",
            "x-key-id",
            "idempotency-key",
            "x-routing-key",
            "partitionKey",
            "public_key",
            "monkey",
            "author",
            "tokens-left",
            "x-authority",
            "",
        ] {
            assert!(!looks_like_credential(name), "{name}");
        }
    }
}

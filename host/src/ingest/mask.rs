//! Masking: no credential of a request reaches the disk or a plugin.

use http::HeaderMap;

use crate::model::{Header, MASK};

/// Headers that are credentials whatever the scheme.
const ALWAYS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Whether that (lower-case) header is one, where the scheme reads `credentials`.
pub fn is_credential(name: &str, credentials: &[String]) -> bool {
    ALWAYS.contains(&name) || credentials.iter().any(|credential| credential == name)
}

/// The request's headers as they are stored: lower-case names, in order, with the
/// values of `credentials` and of [`ALWAYS`] masked.
pub(super) fn headers(received: &HeaderMap, credentials: &[String]) -> Vec<Header> {
    received
        .iter()
        .map(|(name, value)| {
            let name = name.as_str();
            let value = if is_credential(name, credentials) {
                MASK.to_owned()
            } else {
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            };
            Header { name: name.to_owned(), value }
        })
        .collect()
}

/// The query as it is stored, with the values of `credentials` masked.
pub(super) fn query(received: &str, credentials: &[String]) -> String {
    if credentials.is_empty() {
        return received.to_owned();
    }
    // Names are compared as the scheme reads them: decoded.
    let masked = received.split('&').map(|pair| {
        let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
        match (decoded, pair.split_once('=')) {
            (Some((name, _)), Some((written, _))) if credentials.iter().any(|c| *c == name) => {
                format!("{written}={MASK}")
            }
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
        let stored = headers(&received, &["x-gitlab-token".to_owned()]);
        let stored: Vec<_> = stored.iter().map(|h| (h.name.as_str(), h.value.as_str())).collect();
        assert_eq!(
            stored,
            [("authorization", "***"), ("x-gitlab-token", "***"), ("x-many", "1"), ("x-many", "2")]
        );
        assert_eq!(query("a=1&token=t&b", &["token".to_owned()]), "a=1&token=***&b");
        assert_eq!(query("t%6fken=t", &["token".to_owned()]), "t%6fken=***");
    }
}

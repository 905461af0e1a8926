//! What tests of schemes share.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;

use super::{Scheme, Setup, VerifyConfig};

/// A scheme in the words of a configuration.
pub(super) fn compile(scheme: Option<&str>, verify: &str, secrets: &[&str]) -> Scheme {
    let verify: VerifyConfig = toml::from_str(verify).unwrap();
    let setup = Setup { scheme, verify: Some(&verify), secrets, has_public_url: true, ..Setup::default() };
    Scheme::compile(&setup).unwrap()
}

/// Headers in that order, also several of a name.
pub(super) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
    };
    let mut map = HeaderMap::new();
    for (name, value) in pairs.iter().map(header) {
        map.append(name, value);
    }
    map
}

/// HMAC-SHA256 as somebody else makes it.
pub(super) fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

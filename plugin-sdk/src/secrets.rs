//! Keys that the configuration grants to the plugin by name.
//!
//! ```toml
//! [plugin.shop]
//! grants = ["secrets:SHOP_KEY", "reveal:SHOP_TOKEN"]
//! [secrets]
//! SHOP_KEY = "env:SHOP_KEY"
//! SHOP_TOKEN = "env:SHOP_TOKEN"
//! ```
//!
//! With `secrets:NAME` a plugin signs and verifies without ever seeing the key; with
//! `reveal:NAME` it gets the key itself, which is for what cannot be done otherwise.

use std::fmt;

/// Why a secret could not be used. `?` makes a [`crate::Error`] of it: `misconfigured`
/// where the grant is missing, `other` for the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The plugin has not got the grant for this name.
    AccessDenied,
    /// Anything else.
    Other(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessDenied => f.write_str(
                "the secret is not granted: `grants` of the plugin needs \"secrets:NAME\" to sign with it, \
                 \"reveal:NAME\" to read it",
            ),
            Self::Other(message) => write!(f, "the secret cannot be used: {message}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::AccessDenied => Self::misconfigured(error),
            Error::Other(_) => Self::other(error),
        }
    }
}

/// HMAC-SHA-256 (RFC 2104) of `data` under the secret of that name: 32 bytes. By the grant
/// `secrets:NAME`. [`encoding`](crate::encoding) makes text of it, and
/// [`same_bytes`](crate::same_bytes) compares it.
pub fn hmac_sha256(name: &str, data: impl AsRef<[u8]>) -> Result<Vec<u8>, Error> {
    #[cfg(target_family = "wasm")]
    return crate::bindings::granted::hookloom::plugin::secrets::hmac_sha256(name, data.as_ref());
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host::secrets::hmac_sha256(name, data.as_ref())
}

/// The secret of that name in plain. By the grant `reveal:NAME`.
pub fn reveal(name: &str) -> Result<String, Error> {
    #[cfg(target_family = "wasm")]
    return crate::bindings::granted::hookloom::plugin::reveal::reveal(name);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host::secrets::reveal(name)
}

//! Secrets that a test has set.

use crate::secrets::Error;
use crate::testing::host::with_host;
use crate::testing::sha256;

/// What the configuration has under `[secrets]`. A name that was never set is not granted.
pub fn set_secret(name: impl Into<String>, value: impl Into<String>) {
    let (name, value) = (name.into(), value.into());
    with_host(|host| host.secrets.insert(name, value));
}

pub(crate) fn hmac_sha256(name: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(sha256::hmac(granted("secrets", name)?.as_bytes(), data).to_vec())
}

pub(crate) fn reveal(name: &str) -> Result<String, Error> {
    granted("reveal", name)
}

fn granted(kind: &str, name: &str) -> Result<String, Error> {
    with_host(|host| {
        let value = host.secrets.get(name).filter(|_| host.may(&format!("{kind}:{name}")));
        value.cloned().ok_or(Error::AccessDenied)
    })
}

#[cfg(test)]
mod tests {
    use crate::secrets::{self, Error};
    use crate::{encoding, testing};

    #[test]
    fn a_key_signs_by_its_name() {
        testing::set_secret("KEY", "Jefe");
        assert_eq!(
            encoding::to_hex(secrets::hmac_sha256("KEY", "what do ya want for nothing?").unwrap()),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(secrets::hmac_sha256("OTHER", ""), Err(Error::AccessDenied));
    }

    #[test]
    fn signing_with_a_key_is_not_reading_it() {
        testing::set_secret("KEY", "x");
        testing::set_grants(["secrets:KEY"]);
        assert!(secrets::hmac_sha256("KEY", "").is_ok());
        assert_eq!(secrets::reveal("KEY"), Err(Error::AccessDenied));
        testing::set_grants(["reveal:KEY"]);
        assert_eq!(secrets::reveal("KEY"), Ok("x".to_owned()));
        assert_eq!(secrets::hmac_sha256("KEY", ""), Err(Error::AccessDenied));
    }
}

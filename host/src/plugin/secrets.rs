//! The imports `secrets` and `reveal`: keys by name, by grant. A name that was not
//! granted is answered as one that does not exist.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::bindings::v0_1_0::hookloom::plugin::{reveal, secrets};
use super::guest::Guest;

/// What a host function of the imports returns: a trap, or the guest's own result.
type Answer<T> = wasmtime::Result<Result<T, secrets::Error>>;

impl secrets::Host for Guest {
    fn hmac_sha256(&mut self, name: String, data: Vec<u8>) -> Answer<Vec<u8>> {
        let Some(secret) = self.powers.granted.secrets.get(&name).filter(|_| self.may_use_secrets()) else {
            return Ok(Err(secrets::Error::AccessDenied));
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())?;
        mac.update(&data);
        Ok(Ok(mac.finalize().into_bytes().to_vec()))
    }
}

impl reveal::Host for Guest {
    fn reveal(&mut self, name: String) -> Answer<String> {
        let secret = self.powers.granted.reveal.get(&name).filter(|_| self.may_use_secrets());
        Ok(secret.map(|secret| secret.expose().to_owned()).ok_or(secrets::Error::AccessDenied))
    }
}

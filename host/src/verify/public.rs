//! Public keys that providers publish, and what a key looks like that is no shared secret.

use std::fmt;

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey, VerificationAlgorithm,
};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519, Oid,
};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey as Parsed;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::config::Algorithm;
use super::secret::SECRET_BASE64;
use base64::Engine as _;

/// Bits of an RSA key that are taken. 1024 is weak, but Paddle Classic and old
/// certificates have no more, and whoever verifies has not chosen the key.
const RSA_BITS: std::ops::RangeInclusive<usize> = 1024..=8192;

/// A public key for ECDSA or RSA.
#[derive(Clone)]
pub(super) struct PublicKey(UnparsedPublicKey<Vec<u8>>);

impl PublicKey {
    /// From a `SubjectPublicKeyInfo`: PEM, or base64 of the DER. The error says what is
    /// wrong with the key.
    pub(super) fn new(algorithm: Algorithm, secret: &str) -> Result<Self, String> {
        let der = spki_der(secret)?;
        let spki = parse(&der)?;
        let verifier: &'static dyn VerificationAlgorithm = match algorithm {
            Algorithm::EcdsaP256Sha256 => {
                check_kind(&spki, &OID_KEY_TYPE_EC_PUBLIC_KEY, "an ECDSA")?;
                check_p256(&spki)?;
                &ECDSA_P256_SHA256_ASN1
            }
            Algorithm::RsaSha256 => {
                check_rsa(&spki)?;
                &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
            }
            Algorithm::RsaSha1 => {
                check_rsa(&spki)?;
                &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY
            }
            other => return Err(format!("is a public key, which {} does not take", other.as_str())),
        };
        Ok(Self(UnparsedPublicKey::new(verifier, spki.subject_public_key.data.to_vec())))
    }

    /// Whether the signature is this key's for the message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(***)")
    }
}

/// The 32 bytes of an Ed25519 key in a `SubjectPublicKeyInfo`.
pub(super) fn ed25519(secret: &str) -> Result<Vec<u8>, String> {
    let der = spki_der(secret)?;
    let spki = parse(&der)?;
    check_kind(&spki, &OID_SIG_ED25519, "an Ed25519")?;
    Ok(spki.subject_public_key.data.to_vec())
}

fn check_kind(spki: &SubjectPublicKeyInfo<'_>, due: &Oid<'_>, what: &str) -> Result<(), String> {
    let is = spki.algorithm.algorithm == *due;
    if is { Ok(()) } else { Err(format!("is a public key, but not {what} one")) }
}

fn check_p256(spki: &SubjectPublicKeyInfo<'_>) -> Result<(), String> {
    let curve = spki.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    // An uncompressed point: 4, and two coordinates of 32 bytes (SEC 1, §2.3.3).
    let is_point = matches!(&*spki.subject_public_key.data, [4, rest @ ..] if rest.len() == 64);
    let is = curve.is_some_and(|curve| curve == OID_EC_P256) && is_point;
    if is { Ok(()) } else { Err("is an ECDSA key, but not one on the curve P-256".to_owned()) }
}

fn check_rsa(spki: &SubjectPublicKeyInfo<'_>) -> Result<(), String> {
    check_kind(spki, &OID_PKCS1_RSAENCRYPTION, "an RSA")?;
    let Ok(Parsed::RSA(key)) = spki.parsed() else { return Err(NOT_SPKI.to_owned()) };
    let bits = key.key_size();
    if RSA_BITS.contains(&bits) {
        return Ok(());
    }
    Err(format!("is an RSA key of {bits} bits; {} to {} are taken", RSA_BITS.start(), RSA_BITS.end()))
}

const NOT_SPKI: &str = "is not a public key: PEM (-----BEGIN PUBLIC KEY-----) or base64 of it is due";

fn parse(der: &[u8]) -> Result<SubjectPublicKeyInfo<'_>, String> {
    if is_private(der) {
        return Err(PRIVATE.to_owned());
    }
    match SubjectPublicKeyInfo::from_der(der) {
        Ok(([], spki)) => Ok(spki),
        _ => Err(NOT_SPKI.to_owned()),
    }
}

const PRIVATE: &str = "is a private key, which only the sender may have; ask for the public one";

fn spki_der(secret: &str) -> Result<Vec<u8>, String> {
    if !secret.contains("-----BEGIN") {
        let text: String = secret.split_ascii_whitespace().collect();
        return SECRET_BASE64.decode(text).map_err(|_| NOT_SPKI.to_owned());
    }
    // Variables of the environment often carry line breaks as \n.
    let text = secret.replace("\\n", "\n");
    let (_, pem) = parse_x509_pem(text.as_bytes()).map_err(|_| NOT_SPKI.to_owned())?;
    match pem.label.as_str() {
        "PUBLIC KEY" => Ok(pem.contents),
        label if label.contains("PRIVATE") => Err(PRIVATE.to_owned()),
        label => Err(format!("is a PEM of a {label}, but a PUBLIC KEY is due")),
    }
}

/// Whether a configured text is one half of a key pair, in any usual form: whoever knows
/// the public half could sign with it if it were taken for a shared secret.
pub(super) fn is_of_a_pair(secret: &str) -> bool {
    let text = secret.trim_start();
    if text.contains("-----BEGIN")
        || ["whpk_", "whsk_", "ssh-", "ecdsa-sha2-"].iter().any(|start| text.starts_with(start))
    {
        return true;
    }
    let joined: String = text.split_ascii_whitespace().collect();
    let bare = joined.strip_prefix("whsec_").unwrap_or(&joined);
    SECRET_BASE64.decode(bare).is_ok_and(|der| is_key(&der))
        || hex::decode(bare).is_ok_and(|der| is_key(&der))
}

fn is_key(der: &[u8]) -> bool {
    // RFC 8017, A.1.1: the modulus of a bare RSA key takes a length of two bytes or more.
    let is_rsa = matches!(sequence(der), Some([2, 0x81..=0x84, ..]));
    is_rsa || is_private(der) || matches!(SubjectPublicKeyInfo::from_der(der), Ok(([], _)))
}

/// PKCS #8 (RFC 5958), a bare RSA key (RFC 8017) or a bare EC key (RFC 5915): a version,
/// and what stands behind it.
fn is_private(der: &[u8]) -> bool {
    matches!(
        sequence(der),
        Some([2, 1, 0 | 1, 0x30, ..] | [2, 1, 0, 2, ..] | [2, 1, 1, 4, 0x20 | 0x30 | 0x42, ..])
    )
}

/// What is inside a DER sequence that is the whole text.
fn sequence(der: &[u8]) -> Option<&[u8]> {
    let [0x30, length, rest @ ..] = der else { return None };
    let (length, content) = match length {
        short @ 0..=0x7f => (usize::from(*short), rest),
        long @ 0x81..=0x84 => {
            let (bytes, content) = rest.split_at_checked(usize::from(long - 0x80))?;
            (bytes.iter().fold(0, |value, byte| (value << 8) | usize::from(*byte)), content)
        }
        _ => return None,
    };
    (length == content.len()).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys and signatures of node:crypto over `MESSAGE`.
    const MESSAGE: &[u8] = b"t1700000000{\"a\":1}";
    const EC: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAECMcSatAKX67OYdeqc0hdPhwvAXj/2gJE4dWgLsL1Q8pNoVnFQMqHSJ\
        +Z075mG0JSYS40TWgVBeNJNA5eKIdl9w==";
    const EC_PEM: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAECMcSatAKX67OYdeqc0hdPhwvAX\
        j/\n2gJE4dWgLsL1Q8pNoVnFQMqHSJ+Z075mG0JSYS40TWgVBeNJNA5eKIdl9w==\n-----END PUBLIC KEY-----\
        \n";
    const EC_DER: &str = "3046022100aaa1c2cd6cc4e5f1facefea81a77342ce14e4a02c91bd26db0308122f6b59fef022100b216bd0ba4\
        59497cfab0495133132884a03ff95684d982b171ba623b1c573b6b";
    const EC_P1363: &str = "98b8373c7f02bbee71eb5eeb56df914c7cd3144fae61282f7a295cbedcac993a69b38c10b74f3f71e062ed2401\
        74308903ab900b8061a2cba4815af190e5efca";
    const RSA: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAt3hTan1cOyICD4el8RoWkZMpWtSsEdY7hGnUFA2K8aKt9Z\
        Mnyr7IY1fxOgdH1TbFMAaMWOkLf+mecggHmseIqQcTfTz4ti8/LBU5xVQHcLvRkZhxKwzu8ZSGwaaO/jU8Bj+wVrkc\
        cxpimGAPDZsTA8/SD4rn+KZ2kStdxOrY6BU9RISNlIjQ2rGZd23jAcvpxFonXsbEjiNrBpelxbch6VcjzctjOxuiIA\
        MH19LpZ8VOOYLkI5olXbPjNn9NqczCpfd3G36IyOP5xQjGgzKuyP9QKivUG9Mt0lxHJhU+gaV5Nr46mlMabA9zdJ0+\
        7ohqjcHoIJr6ZSAMmV876wEfTwIDAQAB";
    const RSA_SHA256: &str = "35b7a671708ff209e2828589c3c3cc9e8fc504e2a6acaa30fba325d91acbb109d45d17e9834996ddbd775f9034\
        c863215fc8615a1cbbf9bec18c0984172d04bf599bdaa0905b8aede0d02a6f231bad41d88893e39d2de91485d8\
        523e90014560086cdb9642f698eb3c8ce0c70a2881699e3b1edd8943c758366ca2ba33279b7efecda05477cfb5\
        432e2fd00b35eba4c6bb98a7b5573126ae905b04a3aad864f25cf83670fdfa9f28ed009ff549bca921f8a7c265\
        f7e3e6a5d955d3b8502426dbf6f6e7921f95d75cac00dd3006ec5686a4bbdc62a00d7b962111c3b6af7a80a859\
        be5a412d4439a1bf994784a0baa3e0ff774c216e84e366f7fd5405b22ba242";
    const RSA_SHA1: &str = "301d7aa719cf3cfadeebecc8dd29983198aac654b137e6c3f79eb70f936585fcf6ba46771f39965a76bf28f911\
        8461a708e14933cf6db65d026cc0903b018fb4a80469b07a43b59de66712e061ea18786108a121710941807bb2\
        2b5f1b1a6d25f8782df35594bea85a9e3053716a988db61d3829a91ceec7c3e8082cf89b269224bbfd73a138af\
        3efe6714e79a2e0f69e65b2a8890978cc5775d08a3bbf4671a2854072ca6d55abfce7ba80d0a99cf562ec782e0\
        ad4909c214772f18db5c2ea19b33eace78793f7e3c38e2274d1242a08c11fd7de5af26a4a1b8dd7e422b06edf4\
        7b17ce7b1ef5e4eaf5630aeb122b2f05c1d00d684ba0493f1e9152b5bb7b37";
    const RSA_PSS: &str = "a0f5872470ff708323748179c6ab16457e75dfa9a81c202f72b5eccac3656951742bd1e910f58112a6a35bc00c\
        c8c34bc65af4c43fc415133561846753997b4e843f921c1b7ef9ddbb8987d280ea992b87feb1228015eeceed58\
        84ea22f8ffeece0a82dfd151a35276ec77f404ace2dc1c5b99c15348a57e8b2923d1c4b6c3adc3a1bdc9d1a684\
        4f7c671a4eca5572e90c868dfce4b7b7449ddeaa17661439055fc5db8f64d281ebe7deaf9e32e19519d83142b9\
        e42edb65c124823c8f53bd60b8949d3527a12072e60ef309adbb1a4f399ac912a38908a7cfcfce2bffd888dd3c\
        d4fde35953a4cc352b0a98ee7658885fa233a80f60df8f00f240a49c75c93b";
    const RSA_1024: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDA0NN5oZvUn+v3fbo7/SGoIhGXYns+CWzR/WAkvNv5UbRCI+Zxk3\
        WcsIH0quWbYFlnE4D08KxJppB4KeSFKPESWCTA6Z+XsVr+dNE3ouxDOdz1hroceplNm4Bv24VWDSwcoZlyvKEolfg6\
        ArmkwmzUlZS8DI0glmIiI7V+UNoBYwIDAQAB";
    const RSA_1024_SHA1: &str = "5da641361ed6fbc3e124e51ae6a81c8b12baa5476dd2d1bfacfb3604c236ef2beddcc1d1ddc22391f5663b3ac6\
        83b337d0f3ca4b87a13fee34ab36044362d1d162c2dd8ae423cdb6bb9770b1ec342ee060d9858e267dc878fb57\
        ca0db9dc9634b1a2513ccaf75f940357c296954a3ee34d9e43f8048be6d5fb7eb6dbadf7f9b9";
    const RSA_1024_SHA256: &str = "7866b04d6d199d1a892c4c098536b0d90c2952891105a224f1af466a071555ff828798e0f95cc45529f46568f2\
        eefd40e46dd8dd8285da9cc2b5c487cd95aa928339772d2cf3d06135093803137ff696a075eec2e380cd9cf9a0\
        f3637718837396e7aaa33e2391d49dfc92dcc85fa2a771fabcce49da763bc3060c9895a8b70e";
    const RSA_512: &str = "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMTrV2jZXb7jcOL/XvkNwBVDIHdP71U2/v+csk/qFwi4oOLBS8XapmqIFo\
        1lcrCzidJq5Mc982G4bw3Au09SgFUCAwEAAQ==";
    const RSA_PKCS1: &str = "MIIBCgKCAQEAt3hTan1cOyICD4el8RoWkZMpWtSsEdY7hGnUFA2K8aKt9ZMnyr7IY1fxOgdH1TbFMAaMWOkLf+mecg\
        gHmseIqQcTfTz4ti8/LBU5xVQHcLvRkZhxKwzu8ZSGwaaO/jU8Bj+wVrkccxpimGAPDZsTA8/SD4rn+KZ2kStdxOrY\
        6BU9RISNlIjQ2rGZd23jAcvpxFonXsbEjiNrBpelxbch6VcjzctjOxuiIAMH19LpZ8VOOYLkI5olXbPjNn9NqczCpf\
        d3G36IyOP5xQjGgzKuyP9QKivUG9Mt0lxHJhU+gaV5Nr46mlMabA9zdJ0+7ohqjcHoIJr6ZSAMmV876wEfTwIDAQAB";
    const ED25519: &str = "MCowBQYDK2VwAyEAU/mOHkY1USwEMpcdmXjv6WfZ580DJ6uxIBMQ6UBIgBI=";
    const ED25519_RAW: &str = "53f98e1e4635512c0432971d9978efe967d9e7cd0327abb1201310e940488012";
    const P384: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEwVub7X1rTnjsPmrHVPq4ZSfKq0/AzBNcB/Gt/Mhv+J15e0T2TJhAYPwTit\
        om4yiwRQK+VHCFU9+fr9Gh1DCFQf1r8rv9Q4anL4vqg53PX3MsbWBQu6d5BSptepoLpgnS";
    const EC_PRIVATE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgULKuURGeOjkd7UsYrfeVYJjX2GPCGfch9JDyX3vWTf\
        mhRANCAAQIxxJq0Apfrs5h16pzSF0+HC8BeP/aAkTh1aAuwvVDyk2hWcVAyodIn5nTvmYbQlJhLjRNaBUF40k0Dl4o\
        h2X3";
    const EC_SEC1: &str = "MHcCAQEEIFCyrlERnjo5He1LGK33lWCY19hjwhn3IfSQ8l971k35oAoGCCqGSM49AwEHoUQDQgAECMcSatAKX67OYd\
        eqc0hdPhwvAXj/2gJE4dWgLsL1Q8pNoVnFQMqHSJ+Z075mG0JSYS40TWgVBeNJNA5eKIdl9w==";
    const RSA_PRIVATE: &str = "MIICdQIBADANBgkqhkiG9w0BAQEFAASCAl8wggJbAgEAAoGBAMDQ03mhm9Sf6/d9ujv9IagiEZdiez4JbNH9YCS82/\
        lRtEIj5nGTdZywgfSq5ZtgWWcTgPTwrEmmkHgp5IUo8RJYJMDpn5exWv500Tei7EM53PWGuhx6mU2bgG/bhVYNLByh\
        mXK8oSiV+DoCuaTCbNSVlLwMjSCWYiIjtX5Q2gFjAgMBAAECgYB9OiNe57sRiRv0DVAbDfgB/r52F5v7Wpu2dl0u/w\
        nPD2WHX1GXijHkpi6A/U1KcHUgIOasLnN3EhraMDse0Mxf/lHXB9+BV94wPeAdxerOX/TWoiQRYZj56vO7UIl17p/y\
        /ijbquGdPSwfKVHiBWF30LKDP53482xn8O4s9CAvIQJBAP77t/zGuAO+QHE4D2Ohwh6HtJhoJVOg3yIs2MFrafnMc8\
        NvbqdCZlU4wZuJM4rM93LiL8EXmC05XbeejO+ecD8CQQDBlaXqqqzfJnkWe0eIyM511/HPiK0LPddqNU/RGt6gdj2C\
        Q43vzt4q2Nlxpeu/oHVDvS6Tk8tU2KJfTVm6piXdAkAEMbPHDqW8OgbpVdi69NAynFzWHPBwPbct4rr2A4RMvZYx4s\
        VZLvhr8nEM0+brI4/2bc4HSRIRvF3URWFgF6UVAkBvlKFIzM3N5fAfnDlUR2JxnGHd3IrZkvCqYEY8Yf92gBDeF7Al\
        TJjUG5/iGN/02TkeLVo+aA7oPeIBiqUwp3nlAkB/shNwwYO8mn2STmYq29N1s/CqAGd8NnXnws9nbpVupiE5aA1diw\
        U5JnmkhA5+2t0freraYbWAxgtl1PAqukGj";
    const RSA_PRIVATE_PKCS1: &str = "MIICWwIBAAKBgQDA0NN5oZvUn+v3fbo7/SGoIhGXYns+CWzR/WAkvNv5UbRCI+Zxk3WcsIH0quWbYFlnE4D08KxJpp\
        B4KeSFKPESWCTA6Z+XsVr+dNE3ouxDOdz1hroceplNm4Bv24VWDSwcoZlyvKEolfg6ArmkwmzUlZS8DI0glmIiI7V+\
        UNoBYwIDAQABAoGAfTojXue7EYkb9A1QGw34Af6+dheb+1qbtnZdLv8Jzw9lh19Rl4ox5KYugP1NSnB1ICDmrC5zdx\
        Ia2jA7HtDMX/5R1wffgVfeMD3gHcXqzl/01qIkEWGY+erzu1CJde6f8v4o26rhnT0sHylR4gVhd9Cygz+d+PNsZ/Du\
        LPQgLyECQQD++7f8xrgDvkBxOA9jocIeh7SYaCVToN8iLNjBa2n5zHPDb26nQmZVOMGbiTOKzPdy4i/BF5gtOV23no\
        zvnnA/AkEAwZWl6qqs3yZ5FntHiMjOddfxz4itCz3XajVP0RreoHY9gkON787eKtjZcaXrv6B1Q70uk5PLVNiiX01Z\
        uqYl3QJABDGzxw6lvDoG6VXYuvTQMpxc1hzwcD23LeK69gOETL2WMeLFWS74a/JxDNPm6yOP9m3OB0kSEbxd1EVhYB\
        elFQJAb5ShSMzNzeXwH5w5VEdicZxh3dyK2ZLwqmBGPGH/doAQ3hewJUyY1Buf4hjf9Nk5Hi1aPmgO6D3iAYqlMKd5\
        5QJAf7ITcMGDvJp9kk5mKtvTdbPwqgBnfDZ158LPZ26VbqYhOWgNXYsFOSZ5pIQOftrdH63q2mG1gMYLZdTwKrpBow\
        ==";
    const ED25519_PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIKFCbGKDI+4XFwZ8X0+GaCrJUh/kmotTWblL6Rixli5K";

    fn verifies(algorithm: Algorithm, key: &str, signature: &str) -> bool {
        PublicKey::new(algorithm, key).unwrap().verifies(MESSAGE, &hex::decode(signature).unwrap())
    }

    #[test]
    fn signatures_of_node_crypto() {
        use Algorithm::{EcdsaP256Sha256, RsaSha1, RsaSha256};
        let escaped = EC_PEM.replace('\n', "\\n");
        for (algorithm, key, signature, expected) in [
            (EcdsaP256Sha256, EC, EC_DER, true),
            (EcdsaP256Sha256, EC_PEM, EC_DER, true),
            (EcdsaP256Sha256, &escaped, EC_DER, true),
            (EcdsaP256Sha256, EC, EC_P1363, false),
            (EcdsaP256Sha256, EC, RSA_SHA256, false),
            (RsaSha256, RSA, RSA_SHA256, true),
            (RsaSha256, RSA, RSA_SHA1, false),
            (RsaSha256, RSA, RSA_PSS, false),
            (RsaSha1, RSA, RSA_SHA1, true),
            (RsaSha1, RSA, RSA_SHA256, false),
            (RsaSha256, RSA_1024, RSA_1024_SHA256, true),
            (RsaSha1, RSA_1024, RSA_1024_SHA1, true),
            (RsaSha256, RSA_1024, RSA_SHA256, false),
        ] {
            assert_eq!(verifies(algorithm, key, signature), expected, "{algorithm:?} {key} {signature}");
        }
        let changed = EC_DER.replacen("30", "31", 1);
        assert!(!verifies(EcdsaP256Sha256, EC, &changed));
        assert!(!verifies(EcdsaP256Sha256, EC, ""));
    }

    #[test]
    fn keys_that_are_refused() {
        use Algorithm::{EcdsaP256Sha256, HmacSha256, RsaSha256};
        for (algorithm, key, expected) in [
            (EcdsaP256Sha256, RSA, "is a public key, but not an ECDSA one"),
            (EcdsaP256Sha256, P384, "is an ECDSA key, but not one on the curve P-256"),
            (EcdsaP256Sha256, EC_PRIVATE, "is a private key"),
            (EcdsaP256Sha256, EC_SEC1, "is a private key"),
            (EcdsaP256Sha256, "secret", "is not a public key"),
            (EcdsaP256Sha256, "", "is not a public key"),
            (RsaSha256, EC, "is a public key, but not an RSA one"),
            (RsaSha256, RSA_512, "is an RSA key of 512 bits; 1024 to 8192 are taken"),
            (RsaSha256, RSA_PKCS1, "is not a public key"),
            (RsaSha256, RSA_PRIVATE, "is a private key"),
            (RsaSha256, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is a private key"),
            (
                RsaSha256,
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "is a PEM of a CERTIFICATE",
            ),
            (RsaSha256, "-----BEGIN PUBLIC KEY-----", "is not a public key"),
            (HmacSha256, RSA, "is a public key, which hmac-sha256 does not take"),
        ] {
            let error = PublicKey::new(algorithm, key).unwrap_err();
            assert!(error.starts_with(expected), "{key}: {error}");
        }
        assert!(ed25519(RSA).is_err());
        assert_eq!(hex::encode(ed25519(ED25519).unwrap()), ED25519_RAW);
    }

    #[test]
    fn halves_of_pairs_are_known() {
        for key in [
            EC,
            EC_PEM,
            RSA,
            RSA_1024,
            RSA_PKCS1,
            ED25519,
            P384,
            EC_PRIVATE,
            EC_SEC1,
            RSA_PRIVATE,
            RSA_PRIVATE_PKCS1,
            ED25519_PRIVATE,
        ] {
            assert!(is_of_a_pair(key), "{key}");
            assert!(is_of_a_pair(&format!("whsec_{key}")), "{key} behind whsec_");
            assert!(is_of_a_pair(&format!(" {key}\n")), "{key} with white space");
        }
        assert!(is_of_a_pair(&hex::encode(SECRET_BASE64.decode(EC).unwrap())));
        assert!(is_of_a_pair("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me"));
        for secret in [
            "secret",
            "MDAwMDAwMDAwMDAw",
            "30",
            "0123",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "MCowBQYDK2VwAyEA",
            "",
        ] {
            assert!(!is_of_a_pair(secret), "{secret}");
        }
    }
}

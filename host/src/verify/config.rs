//! The words a scheme is written in: `[sources.NAME.verify]` and every preset.
//!
//! Nothing is checked here beyond the shape; `compile` says what does not fit together.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::code::Code;
use super::handshake::Handshake;

/// How a source verifies, as it is written. Every field may be left out: a preset or
/// a default stands in for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyConfig {
    /// Where the signature is.
    pub signature: Option<ExtractorConfig>,
    /// What makes it; `hmac-sha256` where nothing is said.
    pub algorithm: Option<Algorithm>,
    /// How it is written; `hex` where nothing is said, `text` for tokens.
    pub encoding: Option<Encoding>,
    /// The bytes that are signed, as one template or as several of which any may
    /// match; `{body}` where nothing is said.
    pub message: Option<OneOrMany<String>>,
    /// Where the signed time is and how far it may be off.
    pub timestamp: Option<TimestampConfig>,
    /// How a configured secret becomes a key; `utf8` where nothing is said.
    pub secret: Option<SecretKind>,
    /// Headers that must have exactly this value.
    pub require: Option<BTreeMap<String, String>>,
    /// The provider's id of the event; parts of a list are joined by dots and all of
    /// them must be there.
    pub id: Option<OneOrMany<ExtractorConfig>>,
    /// What happened; parts of a list are joined by dots, and those after the first
    /// are left out where they are missing.
    #[serde(rename = "type")]
    pub event_type: Option<OneOrMany<ExtractorConfig>>,
    /// Says that the author knows that the body, or a part of it, is not signed.
    pub body_unsigned: Option<bool>,
    /// The field that holds the JSON document when a request is form-encoded or
    /// multipart.
    pub json_field: Option<String>,
    /// The built-in handshake that this provider begins with.
    pub handshake: Option<Handshake>,
    /// A scheme that fields cannot say, instead of all that is said of signatures.
    pub code: Option<Code>,
    /// What differs for secrets of another kind; the first that fits counts.
    pub when: Option<Vec<VariantConfig>>,
    /// Where the signatures of a second key are, that of `secondary_secret`. Without such
    /// a key, every secret is tried on them, too.
    pub secondary: Option<ExtractorConfig>,
    /// Says that the author knows that a token in the body is stored with the body.
    pub token_stored: Option<bool>,
    /// Several checks, all of which must pass, instead of all that is said of signatures.
    pub all: Option<Vec<VerifyConfig>>,
    /// Several checks of which one must pass, instead of all that is said of signatures.
    pub any: Option<Vec<VerifyConfig>>,
    /// Only of a check in `all` or `any`: the preset that it differs from.
    pub preset: Option<String>,
    /// Only of a check in `all` or `any`: its own secrets (`env:NAME`, `file:PATH` or the
    /// text itself); those of the source where it has none.
    pub secrets: Option<Vec<String>>,
}

/// What differs for secrets that begin in a certain way.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantConfig {
    /// How such a secret begins: any of these.
    pub secret_prefix: OneOrMany<String>,
    /// Instead of the scheme's own.
    pub signature: Option<ExtractorConfig>,
    /// Instead of the scheme's own.
    pub algorithm: Option<Algorithm>,
    /// Instead of the scheme's own.
    pub encoding: Option<Encoding>,
    /// Instead of the scheme's own.
    pub secret: Option<SecretKind>,
}

/// Where in a request a value is: one of `header`, `query`, `form` and `json`, and
/// which part of what is found there.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtractorConfig {
    /// Header names; `x-part-*` stands for all that begin so.
    pub header: Option<OneOrMany<String>>,
    /// Names in the query string.
    pub query: Option<OneOrMany<String>>,
    /// Names in a form-encoded body.
    pub form: Option<OneOrMany<String>>,
    /// Pointers (RFC 6901) into a JSON body; `*` stands for every element of an array.
    pub json: Option<OneOrMany<String>>,
    /// Of an id or a type: a pointer to an object whose first key counts.
    pub json_key: Option<String>,
    /// Keys that `json_key` passes over.
    pub beside: Option<Vec<String>>,
    /// Cuts what is found into items.
    pub split: Option<String>,
    /// Takes only items that begin so, and what is behind it.
    pub prefix: Option<String>,
    /// Takes only the item at this place, from 0.
    pub index: Option<usize>,
}

/// Where the signed time is: the fields of an extractor, its unit and tolerance.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimestampConfig {
    /// As in [`ExtractorConfig`].
    pub header: Option<OneOrMany<String>>,
    /// As in [`ExtractorConfig`].
    pub query: Option<OneOrMany<String>>,
    /// As in [`ExtractorConfig`].
    pub form: Option<OneOrMany<String>>,
    /// As in [`ExtractorConfig`].
    pub json: Option<OneOrMany<String>>,
    /// As in [`ExtractorConfig`].
    pub split: Option<String>,
    /// As in [`ExtractorConfig`].
    pub prefix: Option<String>,
    /// As in [`ExtractorConfig`].
    pub index: Option<usize>,
    /// How the time is written; `s` where nothing is said.
    pub unit: Option<Unit>,
    /// Whether it must be a number where it is in JSON; a string is no time then.
    pub number: Option<bool>,
    /// Seconds that it may be off, in both directions and inclusive; 300 where nothing
    /// is said. Beside `code` it is the only field, and must be there.
    pub tolerance: Option<u32>,
}

impl TimestampConfig {
    /// Where the time is.
    pub(super) fn extractor(&self) -> ExtractorConfig {
        ExtractorConfig {
            header: self.header.clone(),
            query: self.query.clone(),
            form: self.form.clone(),
            json: self.json.clone(),
            json_key: None,
            beside: None,
            split: self.split.clone(),
            prefix: self.prefix.clone(),
            index: self.index,
        }
    }
}

/// What makes a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// HMAC with SHA-256.
    #[default]
    HmacSha256,
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-512.
    HmacSha512,
    /// SHA-256 of a message that contains the secret.
    Sha256,
    /// Ed25519; the secret is a public key.
    Ed25519,
    /// The secret itself, compared in constant time.
    Token,
    /// ECDSA on P-256 with SHA-256, the signature in DER (ASN.1); the secret is a public
    /// key.
    EcdsaP256Sha256,
    /// RSA, PKCS#1 v1.5, with SHA-256; the secret is a public key.
    RsaSha256,
    /// RSA, PKCS#1 v1.5, with SHA-1; the secret is a public key.
    RsaSha1,
}

impl Algorithm {
    /// The word it is written as.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha512 => "hmac-sha512",
            Self::Sha256 => "sha256",
            Self::Ed25519 => "ed25519",
            Self::Token => "token",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::RsaSha256 => "rsa-sha256",
            Self::RsaSha1 => "rsa-sha1",
        }
    }

    /// Whether the secret is the public half of a pair.
    pub const fn takes_public_key(self) -> bool {
        matches!(self, Self::Ed25519 | Self::EcdsaP256Sha256 | Self::RsaSha256 | Self::RsaSha1)
    }
}

/// How the bytes of a signature are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Two digits a byte, in either case.
    Hex,
    /// RFC 4648 §4, with its padding.
    Base64,
    /// RFC 4648 §5, without padding.
    Base64url,
    /// The bytes themselves: only tokens.
    Text,
}

/// How a configured secret becomes a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretKind {
    /// Its own bytes.
    #[default]
    Utf8,
    /// Base64 of the key.
    Base64,
    /// Hexadecimal digits of the key.
    Hex,
    /// Standard Webhooks: base64 behind `whsec_`, which may be left out.
    Whsec,
    /// Standard Webhooks: an Ed25519 public key in base64 behind `whpk_`, or the
    /// sender's own key behind `whsk_`.
    Whpk,
    /// A public key as `SubjectPublicKeyInfo` (RFC 5280): PEM, or base64 of the DER.
    Spki,
    /// The bytes of the text in Unicode's normal form KD.
    Nfkd,
    /// The bytes of the text once the HTML entities in it are decoded, as `WordPress` does
    /// (`wp_specialchars_decode`).
    Html,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub enum Unit {
    /// Seconds since 1970, digits only.
    #[default]
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds since 1970, digits only.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Seconds or milliseconds since 1970, as the sender likes: 12 digits and more are
    /// milliseconds.
    #[serde(rename = "epoch")]
    Epoch,
    /// `2023-11-14T22:13:20Z`, with any fraction and offset.
    #[serde(rename = "rfc3339")]
    Rfc3339,
}

/// A value or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    /// By hand, because what an untagged enum says about a mistake names no field.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}

struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        T::deserialize(StrDeserializer::new(text)).map(|one| OneOrMany(vec![one]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrMany(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OneOrMany)
    }
}

impl VerifyConfig {
    /// This scheme with every field that `over` names replaced.
    #[must_use]
    pub fn overridden_by(&self, over: &Self) -> Self {
        fn pick<T: Clone>(over: Option<&T>, own: Option<&T>) -> Option<T> {
            over.or(own).cloned()
        }
        Self {
            signature: pick(over.signature.as_ref(), self.signature.as_ref()),
            algorithm: over.algorithm.or(self.algorithm),
            encoding: over.encoding.or(self.encoding),
            message: pick(over.message.as_ref(), self.message.as_ref()),
            timestamp: pick(over.timestamp.as_ref(), self.timestamp.as_ref()),
            secret: over.secret.or(self.secret),
            require: pick(over.require.as_ref(), self.require.as_ref()),
            id: pick(over.id.as_ref(), self.id.as_ref()),
            event_type: pick(over.event_type.as_ref(), self.event_type.as_ref()),
            body_unsigned: over.body_unsigned.or(self.body_unsigned),
            json_field: pick(over.json_field.as_ref(), self.json_field.as_ref()),
            handshake: over.handshake.or(self.handshake),
            code: over.code.or(self.code),
            when: pick(over.when.as_ref(), self.when.as_ref()),
            secondary: pick(over.secondary.as_ref(), self.secondary.as_ref()),
            token_stored: over.token_stored.or(self.token_stored),
            all: pick(over.all.as_ref(), self.all.as_ref()),
            any: pick(over.any.as_ref(), self.any.as_ref()),
            preset: None,
            secrets: pick(over.secrets.as_ref(), self.secrets.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<VerifyConfig, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn one_value_and_a_list_of_one_are_the_same() {
        let one = parse("message = \"{body}\"\nid = { header = \"x-id\" }\n").unwrap();
        let many = parse("message = [\"{body}\"]\nid = [{ header = [\"x-id\"] }]\n").unwrap();
        assert_eq!(one, many);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("sig = 1", "unknown field `sig`"),
            ("algorithm = \"md5\"", "unknown variant `md5`, expected one of `hmac-sha256`"),
            ("id = { headers = \"x\" }", "unknown field `headers`"),
            ("id = [{ headers = \"x\" }]", "unknown field `headers`"),
            ("message = 5", "expected one value or a list of them"),
            ("timestamp = { header = \"t\", unit = \"us\" }", "unknown variant `us`"),
            ("timestamp = { header = \"t\", tolerance = -1 }", "invalid value: integer `-1`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn an_override_replaces_whole_fields_and_keeps_the_others() {
        let own = parse("encoding = \"base64\"\nid = { header = \"a\" }\njson_field = \"p\"\n").unwrap();
        let over = parse("id = { json = \"/id\" }\nbody_unsigned = true\n").unwrap();
        let both = parse(
            "encoding = \"base64\"\nid = { json = \"/id\" }\njson_field = \"p\"\nbody_unsigned = true\n",
        );
        assert_eq!(Ok(own.overridden_by(&over)), both);
    }
}

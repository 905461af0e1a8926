//! From what is written to a [`Scheme`]: every check that can be made before the
//! first request is made here.

use http::{HeaderName, HeaderValue};

use super::config::{Algorithm, Encoding, ExtractorConfig, OneOrMany, SecretKind, VerifyConfig};
use super::extract::{Extractor, HeaderPattern, Place};
use super::json::Pointers;
use super::key::Key;
use super::scheme::{Credentials, Group, Proof, Scheme, Signed};
use super::template::{Template, Word};
use super::timestamp::Timestamp;
use super::{SchemeError, presets};

/// Seconds that a signed time may be off where nothing is said: what Standard
/// Webhooks, Stripe and Slack use.
const DEFAULT_TOLERANCE: u32 = 300;

impl Scheme {
    /// Compiles a scheme with its secrets, or says which field is wrong and why.
    ///
    /// `scheme` is a preset's name or `none`; `verify` is what differs from the preset,
    /// or the whole scheme where no name is given. `secrets` are resolved from
    /// environment and files, several while they rotate. `has_public_url` says whether
    /// requests will come with the URL that the provider knows.
    pub fn compile(
        scheme: Option<&str>,
        verify: Option<&VerifyConfig>,
        secrets: &[&str],
        has_public_url: bool,
    ) -> Result<Self, SchemeError> {
        let own = verify.cloned().unwrap_or_default();
        let (name, config) = match scheme {
            Some("none") => return unsigned(&own, secrets),
            Some(name) if name.starts_with("plugin:") => {
                let reason = format!("{name:?} is decided by a plugin, which only a running gateway asks");
                return Err(SchemeError::new("scheme", reason));
            }
            Some(name) => (name, presets::find(name)?.overridden_by(&own)),
            None if verify.is_some() => ("custom", own),
            None => {
                let reason = "is missing: name a preset, spell the scheme out under verify, or say \"none\" \
                              to take requests from anybody";
                return Err(SchemeError::new("scheme", reason));
            }
        };
        let mut pointers = Pointers::default();
        let groups = groups(&config, secrets, name, &mut pointers)?;
        let signed = Signed {
            require: require(&config)?,
            timestamp: timestamp(&config, &mut pointers)?,
            templates: templates(&config, &mut pointers)?,
            groups,
        };
        check(&config, &signed, has_public_url)?;
        let credentials = credentials(&signed);
        build(name, &config, Proof::Signed(signed), credentials, pointers)
    }
}

/// The scheme `none`: whoever knows the URL is believed, but ids and types can be read.
fn unsigned(config: &VerifyConfig, secrets: &[&str]) -> Result<Scheme, SchemeError> {
    if !secrets.is_empty() {
        return Err(SchemeError::new("secrets", "are of no use with scheme \"none\", which checks nothing"));
    }
    let reads_only = VerifyConfig {
        id: config.id.clone(),
        event_type: config.event_type.clone(),
        json_field: config.json_field.clone(),
        ..VerifyConfig::default()
    };
    if reads_only != *config {
        let reason = "may only have id, type and json_field with scheme \"none\"; leave scheme out to verify";
        return Err(SchemeError::new("verify", reason));
    }
    build("none", config, Proof::None, Credentials::default(), Pointers::default())
}

fn build(
    name: &str,
    config: &VerifyConfig,
    proof: Proof,
    credentials: Credentials,
    mut pointers: Pointers,
) -> Result<Scheme, SchemeError> {
    let mut parts = |config: &Option<OneOrMany<ExtractorConfig>>, field| {
        let parts = config.as_ref().map_or(&[][..], |parts| &parts.0);
        parts.iter().map(|part| Extractor::compile(part, field, &mut pointers)).collect::<Result<Vec<_>, _>>()
    };
    let id = parts(&config.id, "verify.id")?;
    let event_type = parts(&config.event_type, "verify.type")?;
    let handshake = config.handshake.map(|handshake| {
        (handshake, handshake.pointers().iter().filter_map(|pointer| pointers.add(pointer)).collect())
    });
    Ok(Scheme {
        name: name.to_owned(),
        proof,
        id,
        event_type,
        handshake,
        json_field: config.json_field.clone(),
        credentials,
        pointers,
    })
}

/// What applies to secrets of one kind.
struct Rules<'a> {
    prefixes: &'a [String],
    signature: Option<&'a ExtractorConfig>,
    algorithm: Algorithm,
    encoding: Option<Encoding>,
    secret: SecretKind,
}

/// The scheme's own rules, and before them those for secrets that begin in some way.
fn rules(config: &VerifyConfig) -> Vec<Rules<'_>> {
    let own = Rules {
        prefixes: &[],
        signature: config.signature.as_ref(),
        algorithm: config.algorithm.unwrap_or_default(),
        encoding: config.encoding,
        secret: config.secret.unwrap_or_default(),
    };
    let mut rules: Vec<_> = config
        .when
        .iter()
        .flatten()
        .map(|variant| Rules {
            prefixes: &variant.secret_prefix.0,
            signature: variant.signature.as_ref().or(own.signature),
            algorithm: variant.algorithm.unwrap_or(own.algorithm),
            encoding: variant.encoding.or(own.encoding),
            secret: variant.secret.unwrap_or(own.secret),
        })
        .collect();
    rules.push(own);
    rules
}

/// The secrets as keys, those of one kind together.
fn groups(
    config: &VerifyConfig,
    secrets: &[&str],
    name: &str,
    pointers: &mut Pointers,
) -> Result<Vec<Group>, SchemeError> {
    if secrets.is_empty() {
        return Err(SchemeError::new("secrets", format!("are missing: scheme {name:?} needs at least one")));
    }
    let rules = rules(config);
    let mut keys: Vec<Vec<Key>> = rules.iter().map(|_| Vec::new()).collect();
    for (place, secret) in secrets.iter().enumerate() {
        let fits = |rule: &Rules<'_>| {
            rule.prefixes.is_empty() || rule.prefixes.iter().any(|p| secret.starts_with(p))
        };
        let at = rules.iter().position(fits).unwrap_or(rules.len() - 1);
        check_algorithm(&rules[at])?;
        let key = Key::new(rules[at].algorithm, rules[at].secret, secret)
            .map_err(|reason| SchemeError::new(format!("secrets[{place}]"), reason))?;
        keys[at].push(key);
    }
    let used = rules.iter().zip(keys).filter(|(_, keys)| !keys.is_empty());
    used.map(|(rule, keys)| group(rule, keys, pointers)).collect()
}

fn check_algorithm(rule: &Rules<'_>) -> Result<(), SchemeError> {
    match rule.algorithm {
        Algorithm::EcdsaP256Sha256 | Algorithm::RsaSha256 | Algorithm::RsaSha1 => Err(SchemeError::new(
            "verify.algorithm",
            format!("{:?} is not supported by this version", rule.algorithm.as_str()),
        )),
        Algorithm::Ed25519 if rule.secret == SecretKind::Utf8 => Err(SchemeError::new(
            "verify.secret",
            "must say how the public key is written for ed25519: \"hex\", \"base64\" or \"whpk\"",
        )),
        _ => Ok(()),
    }
}

fn group(rule: &Rules<'_>, keys: Vec<Key>, pointers: &mut Pointers) -> Result<Group, SchemeError> {
    const FIELD: &str = "verify.signature";
    let is_token = rule.algorithm == Algorithm::Token;
    let encoding = rule.encoding.unwrap_or(if is_token { Encoding::Text } else { Encoding::Hex });
    if encoding == Encoding::Text && !is_token {
        let reason = format!("is \"text\", which only tokens are; {} makes bytes", rule.algorithm.as_str());
        return Err(SchemeError::new("verify.encoding", reason));
    }
    let config =
        rule.signature.ok_or_else(|| SchemeError::new(FIELD, "is missing: say where the signature is"))?;
    let mut signature = Extractor::compile(config, FIELD, pointers)?;
    if encoding != Encoding::Text {
        signature = signature.cut_at_joints();
    }
    if is_token && signature.is_in_body() {
        let reason = "must be in a header or the query for a token: a body is stored as it came, \
                      with the token in plain";
        return Err(SchemeError::new(FIELD, reason));
    }
    if is_token && let Place::Header(names) = &signature.place {
        // What is masked before it is stored has to have a name.
        if names.iter().any(|name| matches!(name, HeaderPattern::Prefix(_))) {
            return Err(SchemeError::new(FIELD, "needs whole header names for a token"));
        }
    }
    Ok(Group { signature, encoding, is_token, keys })
}

fn require(config: &VerifyConfig) -> Result<Vec<(HeaderName, HeaderValue)>, SchemeError> {
    let parse = |(name, value): (&String, &String)| {
        let parsed = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
        parsed.ok_or_else(|| {
            SchemeError::new("verify.require", format!("{name:?} = {value:?} is not a header"))
        })
    };
    config.require.iter().flatten().map(parse).collect()
}

fn timestamp(config: &VerifyConfig, pointers: &mut Pointers) -> Result<Option<Timestamp>, SchemeError> {
    let Some(timestamp) = &config.timestamp else { return Ok(None) };
    let extractor = Extractor::compile(&timestamp.extractor(), "verify.timestamp", pointers)?.cut_at_joints();
    let unit = timestamp.unit.unwrap_or_default();
    Ok(Some(Timestamp { extractor, unit, tolerance: timestamp.tolerance.unwrap_or(DEFAULT_TOLERANCE) }))
}

fn templates(config: &VerifyConfig, pointers: &mut Pointers) -> Result<Vec<Template>, SchemeError> {
    match &config.message {
        None => Ok(vec![Template::parse("{body}", pointers)?]),
        Some(texts) if texts.0.is_empty() => Err(SchemeError::new("verify.message", "is an empty list")),
        Some(texts) => texts.0.iter().map(|text| Template::parse(text, pointers)).collect(),
    }
}

/// Whether what is proven is what the configuration makes one believe.
fn check(config: &VerifyConfig, signed: &Signed, has_public_url: bool) -> Result<(), SchemeError> {
    let fail = |field: &str, reason: &str| Err(SchemeError::new(field, reason));
    let body_unsigned = config.body_unsigned == Some(true);
    if signed.groups.iter().all(|group| group.is_token) {
        if config.message.is_some() {
            return fail("verify.message", "has no meaning for a token, which signs nothing");
        }
        if config.timestamp.is_some() {
            return fail("verify.timestamp", "has no meaning for a token: the time is not signed");
        }
    }
    if signed.groups.iter().any(|group| group.is_token) && !body_unsigned {
        return fail("verify.body_unsigned", "must be true for a token: it does not sign the body");
    }
    let hashes_secret =
        signed.groups.iter().any(|group| group.keys.iter().any(|key| matches!(key, Key::Sha256(_))));
    for template in &signed.templates {
        if !template.has(Word::Body) && !body_unsigned {
            return fail(
                "verify.message",
                "does not sign the {body}; say body_unsigned = true if that is meant",
            );
        }
        if template.has(Word::Timestamp) && signed.timestamp.is_none() {
            return fail("verify.message", "has {timestamp}, so timestamp must say where the time is");
        }
        if let Some(timestamp) = &signed.timestamp
            && !template.has(Word::Timestamp)
            && !(template.has(Word::Body) && timestamp.extractor.is_in_body())
        {
            return fail(
                "verify.timestamp",
                "is not signed: put {timestamp} into the message, or leave it out",
            );
        }
        if template.has(Word::Url) && !has_public_url {
            return fail(
                "verify.message",
                "has {url}, so public_url must say the URL as the provider knows it",
            );
        }
        if template.has(Word::Secret) != hashes_secret {
            return fail(
                "verify.message",
                if hashes_secret {
                    "has no {secret}, so anybody could make the sha256 of it"
                } else {
                    "has {secret}, which only the algorithm sha256 takes"
                },
            );
        }
    }
    Ok(())
}

/// What must not be stored: a token proves its bearer to whoever reads it.
fn credentials(signed: &Signed) -> Credentials {
    let mut credentials = Credentials::default();
    for group in signed.groups.iter().filter(|group| group.is_token) {
        match &group.signature.place {
            Place::Header(names) => credentials.headers.extend(names.iter().map(HeaderPattern::example)),
            Place::Query(names) => credentials.query.extend(names.iter().cloned()),
            // Refused where the group was made.
            Place::Form(_) | Place::Json(_) => {}
        }
    }
    credentials
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(scheme: Option<&str>, verify: &str, secrets: &[&str]) -> Result<Scheme, String> {
        let verify: Option<VerifyConfig> = (!verify.is_empty()).then(|| toml::from_str(verify).unwrap());
        Scheme::compile(scheme, verify.as_ref(), secrets, false).map_err(|error| error.to_string())
    }

    const SIGNATURE: &str = "signature = { header = \"x-s\" }\n";
    const TIMESTAMP: &str = "timestamp = { header = \"x-t\" }\n";

    #[test]
    fn every_preset_compiles_and_knows_ids() {
        const PUBLIC: &str = "whpk_aG+IPl4AsoailbJrQpMGOuqX4oO9qc3e+CoXY0xiEpE=";
        for name in presets::preset_names() {
            let scheme =
                compile(Some(name), "", &["c2VjcmV0"]).or_else(|_| compile(Some(name), "", &[PUBLIC]));
            assert!(scheme.unwrap().default_dedupe(), "{name}");
        }
    }

    #[test]
    fn what_a_source_must_say() {
        for (scheme, verify, secrets, expected) in [
            (None, "", &["s"][..], "scheme: is missing: name a preset, "),
            (Some("gihub"), "", &["s"], "there is no scheme \"gihub\""),
            (Some("plugin:mine"), "", &[], "scheme: \"plugin:mine\" is decided by a plugin"),
            (Some("github"), "", &[], "secrets: are missing: scheme \"github\" needs at least one"),
            (Some("github"), "", &["s", ""], "secrets[1]: is empty"),
            (Some("none"), "", &["s"], "secrets: are of no use with scheme \"none\""),
            (Some("none"), SIGNATURE, &[], "verify: may only have id, type and json_field"),
            (Some("standard-webhooks"), "", &["whsec_?"], "secrets[0]: is not base64 behind whsec_"),
            (
                Some("standard-webhooks"),
                "",
                &["whsec_c2Vj", "whpk_c2Vj"],
                "secrets[1]: is not an Ed25519 public key",
            ),
            (Some("stripe"), "", &["whpk_c2Vj"], "secrets[0]: is one key of a pair"),
            (Some("stripe"), "message = \"{body}\"", &["s"], "verify.timestamp: is not signed"),
        ] {
            let error = compile(scheme, verify, secrets).unwrap_err();
            assert!(error.starts_with(expected), "{scheme:?} {verify}: {error}");
        }
    }

    #[test]
    fn what_a_generic_scheme_must_say() {
        for (verify, expected) in [
            ("encoding = \"hex\"", "verify.signature: is missing: say where the signature is"),
            ("signature = { split = \",\" }", "verify.signature: needs exactly one of header, "),
            ("@message = []", "verify.message: is an empty list"),
            ("@message = \"{header:x-t}\"", "verify.message: does not sign the {body}"),
            ("@message = [\"{body}\", \"{method}\"]", "verify.message: does not sign the {body}"),
            ("@message = \"{timestamp}{body}\"", "verify.message: has {timestamp}, so timestamp must say"),
            ("@timestamp = { header = \"x-t\" }", "verify.timestamp: is not signed: put {timestamp} into"),
            (
                "@body_unsigned = true\nmessage = \"{method}\"\ntimestamp = { json = \"/t\" }",
                "verify.timestamp: is not signed",
            ),
            ("@message = \"{url}{body}\"", "verify.message: has {url}, so public_url must say"),
            (
                "@message = \"{secret}{body}\"",
                "verify.message: has {secret}, which only the algorithm sha256",
            ),
            ("@algorithm = \"sha256\"", "verify.message: has no {secret}, so anybody could make"),
            ("@encoding = \"text\"", "verify.encoding: is \"text\", which only tokens are"),
            ("@algorithm = \"ed25519\"", "verify.secret: must say how the public key is written"),
            (
                "@algorithm = \"ecdsa-p256-sha256\"",
                "verify.algorithm: \"ecdsa-p256-sha256\" is not supported by",
            ),
            (
                "@algorithm = \"rsa-sha256\"",
                "verify.algorithm: \"rsa-sha256\" is not supported by this version",
            ),
            ("@secret = \"hex\"", "secrets[0]: is not hexadecimal"),
            ("@secret = \"base64\"", "secrets[0]: is not base64"),
            ("@require = { \"x y\" = \"1\" }", "verify.require: \"x y\" = \"1\" is not a header"),
            ("@id = { json = \"id\" }", "verify.id: \"id\" is not a JSON pointer"),
            ("@type = [{ header = \"x\" }, {}]", "verify.type: needs exactly one of header, "),
            ("@algorithm = \"token\"", "verify.body_unsigned: must be true for a token"),
            ("@algorithm = \"token\"\nmessage = \"{body}\"", "verify.message: has no meaning for a token"),
            (
                "@algorithm = \"token\"\ntimestamp = { header = \"x-t\" }",
                "verify.timestamp: has no meaning for a token",
            ),
            (
                "algorithm = \"token\"\nsignature = { header = \"x-*\" }",
                "verify.signature: needs whole header names for a token",
            ),
            (
                "algorithm = \"token\"\nbody_unsigned = true\nsignature = { form = \"token\" }",
                "verify.signature: must be in a header or the query for a token",
            ),
            (
                "algorithm = \"token\"\nbody_unsigned = true\nsignature = { json = \"/token\" }",
                "verify.signature: must be in a header or the query for a token",
            ),
        ] {
            let error = compile(None, &verify.replace('@', SIGNATURE), &["s3cret?"]).unwrap_err();
            assert!(error.starts_with(expected), "{verify}: {error}");
            assert!(!error.contains("s3cret?"), "quotes the secret: {error}");
        }
    }

    #[test]
    fn what_is_signed_in_other_ways_is_taken() {
        for verify in [
            format!("{SIGNATURE}{TIMESTAMP}message = \"{{timestamp}}{{body}}\""),
            format!("{SIGNATURE}timestamp = {{ json = \"/at\", unit = \"ms\" }}"),
            format!("{SIGNATURE}body_unsigned = true\nmessage = \"{{json:/a}}\""),
            format!("{SIGNATURE}algorithm = \"sha256\"\nmessage = \"{{secret}}{{body}}\""),
        ] {
            assert!(compile(None, &verify, &["s"]).is_ok(), "{verify}");
        }
    }

    #[test]
    fn credentials_are_what_tokens_are_read_from() {
        let token =
            |place: &str| format!("algorithm = \"token\"\nbody_unsigned = true\nsignature = {{ {place} }}");
        let of = |verify: &str| compile(None, verify, &["s"]).unwrap().credentials().clone();
        let header = of(&token("header = [\"X-Token\", \"authorization\"]"));
        assert_eq!(header.headers, ["x-token", "authorization"]);
        assert_eq!(of(&token("query = \"key\"")).query, ["key"]);
        assert_eq!(of(SIGNATURE), Credentials::default());
    }

    #[test]
    fn a_compiled_scheme_never_prints_its_secrets() {
        for (scheme, secret, verify) in [
            (Some("github"), "hunter2-hunter2", String::new()),
            (None, "hunter2-hunter2", format!("{SIGNATURE}algorithm = \"token\"\nbody_unsigned = true")),
            (
                None,
                "hunter2-hunter2",
                format!("{SIGNATURE}algorithm = \"sha256\"\nmessage = \"{{secret}}{{body}}\""),
            ),
        ] {
            let shown = format!("{:?}", compile(scheme, &verify, &[secret]).unwrap());
            assert!(shown.contains("***"), "{shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

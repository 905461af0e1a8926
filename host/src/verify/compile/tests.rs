//! What is refused before the first request is made.

use super::*;

fn compile(scheme: Option<&str>, verify: &str, secrets: &[&str]) -> Result<Scheme, String> {
    let verify: Option<VerifyConfig> = (!verify.is_empty()).then(|| toml::from_str(verify).unwrap());
    let setup = Setup { scheme, verify: verify.as_ref(), secrets, ..Setup::default() };
    Scheme::compile(&setup).map_err(|error| error.to_string())
}

const SIGNATURE: &str = "signature = { header = \"x-s\" }\n";
const TIMESTAMP: &str = "timestamp = { header = \"x-t\" }\n";

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
        (
            Some("contentful"),
            "timestamp = { header = \"t\", tolerance = 9 }",
            &["s"],
            "verify.timestamp: may only have tolerance",
        ),
        (Some("contentful"), "timestamp = {}", &["s"], "verify.timestamp.tolerance: is missing"),
        (
            Some("netlify"),
            "timestamp = { tolerance = 9 }",
            &["s"],
            "verify.timestamp: is of no use: this scheme compares no time",
        ),
        (
            Some("netlify"),
            "encoding = \"hex\"",
            &["s"],
            "verify: may only have id, type, json_field, handshake",
        ),
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
            "@message = \"{body_sha256}\"\nhandshake = \"x-crc\"",
            "verify.handshake: signs what anybody asks for, so the message must be {body}",
        ),
        (
            "@message = [\"{body}\", \"{method}{body}\"]\nhandshake = \"linkedin-challenge\"",
            "verify.handshake: signs what anybody asks for",
        ),
        ("@message = \"{secret}{body}\"", "verify.message: has {secret}, which only the algorithm sha256"),
        ("@algorithm = \"sha256\"", "verify.message: has no {secret}, so anybody could make"),
        ("@encoding = \"text\"", "verify.encoding: is \"text\", which only tokens are"),
        ("@algorithm = \"ed25519\"", "verify.secret: must say how the public key is written"),
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
fn what_lists_public_keys_and_checks_must_say() {
    for (verify, expected) in [
        ("@algorithm = \"ecdsa-p256-sha256\"", "verify.secret: must be \"spki\" for ecdsa-p256-sha256"),
        ("@algorithm = \"rsa-sha256\"\nsecret = \"utf8\"", "verify.secret: must be \"spki\" for rsa-sha256"),
        ("@algorithm = \"rsa-sha1\"\nsecret = \"spki\"", "secrets[0]: is not a public key"),
        ("@secret = \"spki\"", "verify.secret: says that the secret is a public key"),
        ("@secret = \"whpk\"", "verify.secret: says that the secret is a public key"),
        ("signature = { json = \"/a/*/s\" }", "verify.signature: takes \"*\" for tokens alone"),
        ("signature = { json_key = \"\" }", "verify.signature: takes no json_key"),
        ("@timestamp = { json = \"/*/t\" }", "verify.timestamp: takes no \"*\""),
        ("@message = \"{body}{json:/*/t}\"", "verify.message: takes no \"*\""),
        ("@message = \"[[{body}{query:a}]]\"", "verify.message: does not sign the {body}"),
        ("@message = \"{body}[[{url}]]\"", "verify.message: has {url}, so public_url"),
        ("@message = \"{body}[[{timestamp}]]\"", "verify.message: has {timestamp}, so timestamp"),
        ("@message = \"{body}[[{secret}]]\"", "verify.message: has {secret}, which only"),
        (
            "@message = \"{body}[[{timestamp}{query:a}]]\"\ntimestamp = { header = \"t\" }",
            "verify.timestamp: is not signed",
        ),
        ("@token_stored = true", "verify.token_stored: is of use for a token in the body alone"),
        ("@preset = \"github\"", "verify.preset: is for the checks in all and any"),
        ("@secrets = [\"a\"]", "verify.secrets: is for the checks in all and any"),
        ("@all = []", "verify.all: is an empty list"),
        (
            "handshake = \"x-crc\"\nall = [{ preset = \"tebex\" }]",
            "verify.handshake: signs what anybody asks for: it belongs into the check",
        ),
        ("any = []", "verify.any: is an empty list"),
        (
            "@any = [{ preset = \"github\" }]",
            "verify.any: takes id, type, json_field and handshake beside it",
        ),
        ("any = [{ preset = \"github\" }]\nall = [{ preset = \"github\" }]", "verify.any: stands beside all"),
        ("any = [{ preset = \"none\" }]", "verify.any[0].preset: is \"none\", which lets everybody pass"),
        (
            "all = [{ preset = \"github\" }, { preset = \"gihub\" }]",
            "verify.all[1].preset: there is no scheme",
        ),
        ("all = [{ preset = \"github\" }, {}]", "verify.all[1].signature: is missing"),
        ("all = [{ preset = \"github\", secrets = [\"a\"] }]", "secrets: are of no use: every check in all"),
        (
            "all = [{ preset = \"github\" }, { preset = \"github\", secrets = [\"a\", \"\"] }]",
            "verify.all[1].secrets[1]: is empty",
        ),
        (
            "any = [{ preset = \"github\", message = \"{url}{body}\" }]",
            "verify.any[0].message: has {url}, so public_url",
        ),
        (
            "all = [{ any = [{ all = [{ preset = \"github\" }] }] }]",
            "verify.all[0].any[0].all: stands in checks of checks already",
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
fn times_that_code_reads_may_be_off_as_configured() {
    for (preset, secret) in [("contentful", "s"), ("plaid", "id:secret")] {
        let verify = "timestamp = { tolerance = 60 }";
        assert!(compile(Some(preset), verify, &[secret]).is_ok(), "{preset}");
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

/// Whatever form a published key has, nobody may make HMACs with it.
#[test]
fn halves_of_key_pairs_are_no_shared_secrets() {
    // Made by node:crypto.
    const SPKI: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
    for secret in [
        SPKI,
        "whpk_aG+IPl4AsoailbJrQpMGOuqX4oO9qc3e+CoXY0xiEpE=",
        "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\n",
        "\n -----BEGIN CERTIFICATE-----\n",
    ] {
        let token = format!("{SIGNATURE}algorithm = \"token\"\nbody_unsigned = true");
        let hash = format!("{SIGNATURE}algorithm = \"sha256\"\nmessage = \"{{secret}}{{body}}\"");
        for verify in [SIGNATURE, &token, &hash, &format!("{SIGNATURE}secret = \"base64\"")] {
            let error = compile(None, verify, &[secret]).unwrap_err();
            assert!(error.starts_with("secrets[0]: is one key of a pair"), "{verify} {secret}: {error}");
        }
    }
    let error = compile(Some("standard-webhooks"), "", &[&format!("whsec_{SPKI}")]).unwrap_err();
    assert!(error.starts_with("secrets[0]: is one key of a pair"), "{error}");
}

#[test]
fn keys_beside_secrets_are_read_or_refused() {
    let extras = |key: &str| {
        let mut extras = crate::verify::Extras::default();
        *match key {
            "public_key" => &mut extras.public_key,
            "audience" => &mut extras.audience,
            "pin_algorithm" => &mut extras.pin_algorithm,
            "secondary_secret" => &mut extras.secondary_secret,
            "verify_token" => &mut extras.verify_token,
            other => panic!("{other} is no such key"),
        } = Some("x");
        extras
    };
    for key in ["public_key", "audience", "pin_algorithm", "secondary_secret", "verify_token"] {
        let setup = Setup { extras: extras(key), ..Setup::preset("github", &["s"]) };
        let error = Scheme::compile(&setup).unwrap_err().to_string();
        assert_eq!(error, format!("{key}: is of no use: scheme \"github\" does not take it"));
    }
    let secondary = format!("{SIGNATURE}secondary = {{ header = \"x-2\" }}");
    let verify: VerifyConfig = toml::from_str(&secondary).unwrap();
    let setup = Setup {
        verify: Some(&verify),
        secrets: &["s"],
        extras: extras("secondary_secret"),
        ..Setup::default()
    };
    assert!(Scheme::compile(&setup).is_ok());
    let setup = Setup { extras: extras("audience"), ..setup };
    let error = Scheme::compile(&setup).unwrap_err().to_string();
    assert_eq!(error, "audience: is of no use: the scheme that is spelled out does not take it");
    let empty = crate::verify::Extras { secondary_secret: Some(""), ..extras("secondary_secret") };
    let error = Scheme::compile(&Setup { extras: empty, ..setup }).unwrap_err().to_string();
    assert_eq!(error, "secondary_secret: is empty");
}

//! The keys of a scheme, and where the signatures are that they make: the secrets of one
//! kind together.

use super::config::{Algorithm, Encoding, ExtractorConfig, SecretKind, VerifyConfig};
use super::extract::{Extractor, HeaderPattern, Place};
use super::json::Pointers;
use super::key::Key;
use super::signed::Group;
use super::{SchemeError, Setup};

const FIELD: &str = "verify.signature";

/// What applies to secrets of one kind.
#[derive(Clone, Copy)]
struct Rules<'a> {
    prefixes: &'a [String],
    signature: Option<&'a ExtractorConfig>,
    algorithm: Algorithm,
    encoding: Option<Encoding>,
    secret: Option<SecretKind>,
}

/// The scheme's own rules, and before them those for secrets that begin in some way.
fn rules(config: &VerifyConfig) -> Vec<Rules<'_>> {
    let own = Rules {
        prefixes: &[],
        signature: config.signature.as_ref(),
        algorithm: config.algorithm.unwrap_or_default(),
        encoding: config.encoding,
        secret: config.secret,
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
            secret: variant.secret.or(own.secret),
        })
        .collect();
    rules.push(own);
    rules
}

/// The secrets as keys, those of one kind together.
pub(super) fn groups(
    config: &VerifyConfig,
    setup: &Setup<'_>,
    name: &str,
    pointers: &mut Pointers,
) -> Result<Vec<Group>, SchemeError> {
    if setup.secrets.is_empty() {
        return Err(SchemeError::new("secrets", format!("are missing: scheme {name:?} needs at least one")));
    }
    let rules = rules(config);
    let mut keys: Vec<Vec<Key>> = rules.iter().map(|_| Vec::new()).collect();
    for (place, secret) in setup.secrets.iter().enumerate() {
        let at = kind_of(&rules, secret);
        keys[at].push(key(&rules[at], secret, &format!("secrets[{place}]"))?);
    }
    let mut groups = Vec::new();
    for (rule, keys) in rules.iter().zip(keys).filter(|(_, keys)| !keys.is_empty()) {
        groups.push(group(rule, keys, config, pointers)?);
    }
    if let Some(place) = &config.secondary {
        groups.extend(secondary(&rules, place, &groups, config, setup, pointers)?);
    }
    Ok(groups)
}

/// The groups of the second signature: with a key of its own, or with every secret.
fn secondary(
    rules: &[Rules<'_>],
    place: &ExtractorConfig,
    primary: &[Group],
    config: &VerifyConfig,
    setup: &Setup<'_>,
    pointers: &mut Pointers,
) -> Result<Vec<Group>, SchemeError> {
    let elsewhere = |rule: &Rules<'_>, keys: Vec<Key>, pointers: &mut Pointers| {
        let field = |error: SchemeError| error.renamed(FIELD, "verify.secondary");
        group(&Rules { signature: Some(place), ..*rule }, keys, config, pointers).map_err(field)
    };
    if let Some(secret) = setup.extras.secondary_secret {
        let rule = &rules[kind_of(rules, secret)];
        let keys = vec![key(rule, secret, "secondary_secret")?];
        return Ok(vec![elsewhere(rule, keys, pointers)?]);
    }
    let own = &rules[rules.len() - 1];
    let keys = primary.iter().flat_map(|group| group.keys.iter().cloned()).collect();
    Ok(vec![elsewhere(own, keys, pointers)?])
}

/// Which rules are for that secret.
fn kind_of(rules: &[Rules<'_>], secret: &str) -> usize {
    let fits =
        |rule: &Rules<'_>| rule.prefixes.is_empty() || rule.prefixes.iter().any(|p| secret.starts_with(p));
    rules.iter().position(fits).unwrap_or(rules.len() - 1)
}

fn key(rule: &Rules<'_>, secret: &str, field: &str) -> Result<Key, SchemeError> {
    let kind = secret_kind(rule).map_err(|reason| SchemeError::new("verify.secret", reason))?;
    Key::new(rule.algorithm, kind, secret).map_err(|reason| SchemeError::new(field, reason))
}

/// How the secret is written; the error says what fits the algorithm.
fn secret_kind(rule: &Rules<'_>) -> Result<SecretKind, String> {
    use SecretKind::{Base64, Hex, Spki, Whpk};
    let algorithm = rule.algorithm.as_str();
    match (rule.algorithm, rule.secret) {
        (Algorithm::Ed25519, Some(kind @ (Base64 | Hex | Spki | Whpk))) => Ok(kind),
        (Algorithm::Ed25519, _) => Err(format!(
            "must say how the public key is written for {algorithm}: \"hex\", \"base64\", \"spki\" or \"whpk\""
        )),
        (own, Some(Spki)) if own.takes_public_key() => Ok(Spki),
        (own, _) if own.takes_public_key() => {
            Err(format!("must be \"spki\" for {algorithm}: the secret is a public key, as PEM or base64"))
        }
        (_, Some(Spki | Whpk)) => Err(format!(
            "says that the secret is a public key, which anybody may have: {algorithm} needs a shared secret"
        )),
        (_, kind) => Ok(kind.unwrap_or_default()),
    }
}

fn group(
    rule: &Rules<'_>,
    keys: Vec<Key>,
    config: &VerifyConfig,
    pointers: &mut Pointers,
) -> Result<Group, SchemeError> {
    let is_token = rule.algorithm == Algorithm::Token;
    let encoding = rule.encoding.unwrap_or(if is_token { Encoding::Text } else { Encoding::Hex });
    if encoding == Encoding::Text && !is_token {
        let reason = format!("is \"text\", which only tokens are; {} makes bytes", rule.algorithm.as_str());
        return Err(SchemeError::new("verify.encoding", reason));
    }
    let place =
        rule.signature.ok_or_else(|| SchemeError::new(FIELD, "is missing: say where the signature is"))?;
    let mut signature = Extractor::compile(place, FIELD, pointers)?;
    if encoding != Encoding::Text {
        signature = signature.cut_at_joints();
    }
    let is_every = signature.is_every();
    if is_every && !is_token {
        let reason = "takes \"*\" for tokens alone: elements that are signed each have bytes of their own";
        return Err(SchemeError::new(FIELD, reason));
    }
    if !is_every {
        signature = signature.of_one(FIELD)?;
    }
    if is_token {
        check_token(&signature, config)?;
    }
    Ok(Group { signature, encoding, is_token, is_every, keys })
}

/// A token proves its bearer to whoever reads it, so it must not be stored by accident.
fn check_token(signature: &Extractor, config: &VerifyConfig) -> Result<(), SchemeError> {
    if signature.is_in_body() && config.token_stored != Some(true) {
        let reason = "must be in a header or the query for a token: a body is stored as it came, \
                      with the token in plain; say token_stored = true if that is meant";
        return Err(SchemeError::new(FIELD, reason));
    }
    if let Place::Header(names) = &signature.place {
        // What is masked before it is stored has to have a name.
        if names.iter().any(|name| matches!(name, HeaderPattern::Prefix(_))) {
            return Err(SchemeError::new(FIELD, "needs whole header names for a token"));
        }
    }
    Ok(())
}

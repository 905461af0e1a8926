//! Where secrets come from: named in the file, read from the environment or a file.

use std::path::Path;

pub use crate::model::Secret;

/// Where a secret's text was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretOrigin {
    /// `env:NAME`.
    Environment,
    /// `file:PATH`.
    File,
    /// The configuration itself.
    Inline,
}

/// Reads what `reference` names: `env:NAME`, `file:PATH` (relative to `base`; one
/// trailing line break is not part of it) or the text itself.
///
/// # Errors
/// A sentence that names the variable or file that is missing or empty.
pub fn resolve(reference: &str, base: &Path) -> Result<(Secret, SecretOrigin), String> {
    let (text, origin) = if let Some(name) = reference.strip_prefix("env:") {
        (from_environment(name)?, SecretOrigin::Environment)
    } else if let Some(path) = reference.strip_prefix("file:") {
        (from_file(&base.join(path))?, SecretOrigin::File)
    } else {
        (reference.to_owned(), SecretOrigin::Inline)
    };
    if text.is_empty() {
        return Err(match origin {
            SecretOrigin::Inline => "the secret is empty".to_owned(),
            _ => format!("the secret `{reference}` is empty"),
        });
    }
    Ok((Secret::from_text(text), origin))
}

#[expect(clippy::disallowed_methods, reason = "the configuration is the one reader of the environment")]
fn from_environment(name: &str) -> Result<String, String> {
    match std::env::var(name) {
        Ok(text) => Ok(text),
        Err(std::env::VarError::NotPresent) => Err(format!("the environment variable {name} is not set")),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(format!("the environment variable {name} is not UTF-8"))
        }
    }
}

fn from_file(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the secret file {} cannot be read: {error}", path.display()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_origin() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "from file\n").unwrap();
        let (secret, origin) = resolve("file:key", dir.path()).unwrap();
        assert_eq!((secret.expose(), origin), ("from file", SecretOrigin::File));
        let (secret, origin) = resolve("plain", dir.path()).unwrap();
        assert_eq!((secret.expose(), origin), ("plain", SecretOrigin::Inline));
        assert_eq!(format!("{secret:?}"), "***");
        let missing = resolve("env:HOOKLOOM_TEST_NOT_SET", dir.path()).unwrap_err();
        assert_eq!(missing, "the environment variable HOOKLOOM_TEST_NOT_SET is not set");
        assert!(resolve("file:other", dir.path()).unwrap_err().contains("cannot be read"));
        assert_eq!(resolve("", dir.path()).unwrap_err(), "the secret is empty");
    }
}

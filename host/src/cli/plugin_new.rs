//! `hookloom plugin new`: a crate that builds as it is.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::plugin_build::{STACK_BYTES, TARGET};
use super::print;
use super::sdk_bundle::{self, FOLDER, write_file};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The plugin's name: lower case letters, digits and hyphens
    name: String,
    /// What the function does
    #[arg(long, value_enum, default_value_t)]
    kind: Kind,
    /// The language it is written in
    #[arg(long, value_enum, default_value_t)]
    lang: Language,
    /// The plugins folder
    #[arg(long, default_value = "plugins")]
    plugins: PathBuf,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(super) enum Language {
    #[default]
    Rust,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(super) enum Kind {
    /// Lets an event through, or drops it
    #[default]
    Filter,
    /// Makes what is sent
    Transform,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Language::Rust = arguments.lang;
    let folder = create_kind(&arguments.plugins, &arguments.name, arguments.kind)?;
    print(&format!(
        "{folder} is ready:\n  src/lib.rs                the plugin\n  fixtures/example.json     an event, and what is expected of it\n\nNext:\n  (cd {folder} && cargo test)\n  hookloom plugin build {folder}",
        folder = folder.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Writes a filter's crate into the plugins folder, and the SDK beside it. Returns the
/// crate's folder.
pub(super) fn create(plugins: &Path, name: &str) -> anyhow::Result<PathBuf> {
    create_kind(plugins, name, Kind::default())
}

fn create_kind(plugins: &Path, name: &str, kind: Kind) -> anyhow::Result<PathBuf> {
    check_name(name).map_err(anyhow::Error::msg)?;
    let folder = plugins.join(name);
    if folder.exists() {
        anyhow::bail!(
            "{} exists; nothing was written\n    help: choose another name, or remove it first",
            folder.display()
        );
    }
    sdk_bundle::write(plugins)?;
    for (path, text) in files(name, kind) {
        write_file(&folder.join(path), &text)?;
    }
    Ok(folder)
}

/// The text of every file of the crate.
fn files(name: &str, kind: Kind) -> Vec<(&'static str, String)> {
    let (source, fixture, description, example) = match kind {
        Kind::Filter => (
            include_str!("../../templates/plugin/filter.rs"),
            include_str!("../../templates/plugin/filter.json"),
            "Drops events by their action",
            r#"ignore = ["labeled"]"#,
        ),
        Kind::Transform => (
            include_str!("../../templates/plugin/transform.rs"),
            include_str!("../../templates/plugin/transform.json"),
            "Sends only some keys of the body",
            r#"keep = ["action", "issue"]"#,
        ),
    };
    let templates = [
        ("Cargo.toml", include_str!("../../templates/plugin/Cargo.toml")),
        (".cargo/config.toml", include_str!("../../templates/plugin/cargo-config.toml")),
        (".gitignore", include_str!("../../templates/plugin/gitignore")),
        ("README.md", include_str!("../../templates/plugin/README.md")),
        ("src/lib.rs", source),
        ("fixtures/example.json", fixture),
    ];
    let fill = |text: &str| {
        text.replace("{{name}}", name)
            .replace("{{description}}", description)
            .replace("{{example}}", example)
            .replace("{{target}}", TARGET)
            .replace("{{stack}}", &STACK_BYTES.to_string())
            .replace("../.hookloom/", &format!("../{FOLDER}/"))
    };
    templates.into_iter().map(|(path, text)| (path, fill(text))).collect()
}

/// Names that a crate cannot have: the language's keywords, and what it links anyway.
const TAKEN: [&str; 48] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "hookloom-sdk",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "type",
    "use",
    "where",
    "while",
];

fn check_name(name: &str) -> Result<(), String> {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !plain {
        return Err(format!(
            "\"{name}\" is no name of a plugin\n    help: lower case letters, digits and hyphens, a letter first: my-plugin"
        ));
    }
    if TAKEN.contains(&name) {
        return Err(format!("\"{name}\" means something to Rust already\n    help: my-{name}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_crates() {
        for name in ["a", "drop-bots", "v2", "my-type"] {
            assert_eq!(check_name(name), Ok(()));
        }
        for name in ["", "-a", "2a", "A", "a_b", "a.b", "a/b", "..", "ä", "type", "core", "hookloom-sdk"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_keywords_are_sorted_so_that_one_sees_what_is_missing() {
        assert!(TAKEN.is_sorted());
    }

    #[test]
    fn no_placeholder_is_left() {
        for kind in [Kind::Filter, Kind::Transform] {
            for (path, text) in files("my-plugin", kind) {
                assert!(!text.contains("{{"), "{path}: {text}");
            }
        }
    }

    #[test]
    fn the_manifest_says_what_the_build_forces() {
        let files = files("my-plugin", Kind::Filter);
        let text = |path| &files.iter().find(|(name, _)| *name == path).unwrap().1;
        let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("my-plugin"));
        for (key, value) in super::super::plugin_build::PROFILE {
            // The build turns debug information off; a manifest's release profile has none anyway.
            let Some(own) = manifest["profile"]["release"].get(key) else {
                assert_eq!((key, value), ("debug", "false"));
                continue;
            };
            assert_eq!(own.to_string(), value, "{key}");
        }
        let config: toml::Table = text(".cargo/config.toml").parse().unwrap();
        assert_eq!(config["target"][TARGET]["rustflags"][0].as_str(), Some("-Clink-arg=-zstack-size=65536"));
    }

    #[test]
    fn what_is_there_is_never_overwritten() {
        let plugins = tempfile::tempdir().unwrap();
        let folder = create(plugins.path(), "mine").unwrap();
        std::fs::write(folder.join("src/lib.rs"), "precious").unwrap();
        let error = create(plugins.path(), "mine").unwrap_err().to_string();
        assert!(error.contains("exists; nothing was written"), "{error}");
        assert_eq!(std::fs::read_to_string(folder.join("src/lib.rs")).unwrap(), "precious");
    }
}

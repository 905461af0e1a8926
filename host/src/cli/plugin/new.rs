//! `hookloom plugin new`: a plugin that builds as it is.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::lang::Language;
use super::lang::rust::{STACK_BYTES, TARGET};
use super::sdk_bundle::{self, FOLDER, write_file};
use crate::cli::print;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
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
pub(in crate::cli) enum Kind {
    /// Lets an event through, or drops it
    #[default]
    Filter,
    /// Makes what is sent
    Transform,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Transform => "transform",
        }
    }

    /// What is filled into the templates of this kind, in every language.
    const fn values(self) -> [(&'static str, &'static str); 3] {
        match self {
            Self::Filter => [
                ("{{description}}", "Drops events by their action"),
                ("{{example}}", r#"ignore = ["labeled"]"#),
                ("{{answers}}", "pass/drop"),
            ],
            Self::Transform => [
                ("{{description}}", "Sends only some keys of the body"),
                ("{{example}}", r#"keep = ["action", "issue"]"#),
                ("{{answers}}", "unchanged/replace/split/drop"),
            ],
        }
    }

    const fn fixture(self) -> &'static str {
        match self {
            Self::Filter => include_str!("../../../templates/plugin/filter.json"),
            Self::Transform => include_str!("../../../templates/plugin/transform.json"),
        }
    }
}

pub(in crate::cli) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { name, kind, lang, plugins } = arguments;
    let folder = create_in(plugins, name, *kind, *lang)?;
    let folder = folder.display();
    let (source, test) = (lang.source(), lang.test_command());
    print(&format!(
        "{folder} is ready:\n  {source:24}  the plugin\n  fixtures/example.json     an event, and what is \
         expected of it\n\nNext:\n  (cd {folder} && {test})\n  hookloom plugin build {folder}"
    ));
    Ok(ExitCode::SUCCESS)
}

/// Writes a filter's crate into the plugins folder, and the SDK beside it. Returns the
/// crate's folder.
pub(in crate::cli) fn create(plugins: &Path, name: &str) -> anyhow::Result<PathBuf> {
    create_in(plugins, name, Kind::default(), Language::default())
}

fn create_in(plugins: &Path, name: &str, kind: Kind, language: Language) -> anyhow::Result<PathBuf> {
    check_name(name, language).map_err(anyhow::Error::msg)?;
    let folder = plugins.join(name);
    if folder.exists() {
        anyhow::bail!(
            "{} exists; nothing was written\n    help: choose another name, or remove it first",
            folder.display()
        );
    }
    if language == Language::Rust {
        sdk_bundle::write(plugins)?;
    }
    for (path, text) in files(name, kind, language) {
        write_file(&folder.join(path), &text)?;
    }
    Ok(folder)
}

/// The text of every file of the plugin.
fn files(name: &str, kind: Kind, language: Language) -> Vec<(&'static str, String)> {
    let mut templates = language.templates(kind);
    templates.push(("fixtures/example.json", kind.fixture()));
    if language != Language::Rust {
        templates.push(("world.wit", include_str!("../../../templates/plugin/world.wit")));
    }
    let fill = |text: &str| {
        let filled =
            kind.values().iter().fold(text.to_owned(), |text, (mark, value)| text.replace(mark, value));
        filled
            .replace("{{name}}", name)
            .replace("{{kind}}", kind.name())
            .replace("{{target}}", TARGET)
            .replace("{{stack}}", &STACK_BYTES.to_string())
            .replace("../.hookloom/", &format!("../{FOLDER}/"))
    };
    templates.into_iter().map(|(path, text)| (path, fill(text))).collect()
}

fn check_name(name: &str, language: Language) -> Result<(), String> {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !plain {
        return Err(format!(
            "\"{name}\" is no name of a plugin\n    help: lower case letters, digits and hyphens, a letter first: my-plugin"
        ));
    }
    if language.taken_names().contains(&name) {
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
            assert_eq!(check_name(name, Language::Rust), Ok(()));
        }
        // A word that means something to Rust is any other name elsewhere.
        assert_eq!(check_name("type", Language::Python), Ok(()));
        for name in ["", "-a", "2a", "A", "a_b", "a.b", "a/b", "..", "ä", "type", "core", "hookloom-sdk"] {
            assert!(check_name(name, Language::Rust).is_err(), "{name}");
        }
    }

    #[test]
    fn no_placeholder_is_left() {
        for language in Language::ALL {
            for kind in [Kind::Filter, Kind::Transform] {
                for (path, text) in files("my-plugin", kind, language) {
                    // `{{ name: string }}` is a type in a comment of JavaScript.
                    let mut marks = text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
                    let left = marks.find(|(mark, _)| mark.bytes().all(|b| b.is_ascii_lowercase()));
                    assert_eq!(left, None, "{path}");
                }
            }
        }
    }

    #[test]
    fn what_is_scaffolded_is_of_its_language() {
        for language in Language::ALL {
            let plugins = tempfile::tempdir().unwrap();
            let folder = create_in(plugins.path(), "mine", Kind::Transform, language).unwrap();
            assert_eq!(Language::of(&folder), Some(language));
            assert!(folder.join(language.source()).is_file(), "{language:?}");
            assert!(folder.join("fixtures/example.json").is_file(), "{language:?}");
        }
    }

    #[test]
    fn the_manifest_says_what_the_build_forces() {
        let files = files("my-plugin", Kind::Filter, Language::Rust);
        let text = |path| &files.iter().find(|(name, _)| *name == path).unwrap().1;
        let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("my-plugin"));
        for (key, value) in super::super::lang::rust::PROFILE {
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

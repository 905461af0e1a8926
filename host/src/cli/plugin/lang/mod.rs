//! The languages that plugins are written in: how each is told by its folder, scaffolded
//! and built.

pub(super) mod c;
pub(super) mod cargo;
pub(super) mod js;
pub(super) mod python;
pub(super) mod rust;
mod tool;
mod world;

use std::path::{Path, PathBuf};

use super::new::Kind;
use crate::cli::plugin::build::BuildOptions;

/// A file of a template: its path in the plugin's folder, and its text with placeholders.
pub(super) type Template = (&'static str, &'static str);

/// A component that a language's tools made, not yet in its place.
#[derive(Debug)]
pub(super) struct Artefact {
    /// The plugin's name.
    pub name: String,
    /// The component.
    pub path: PathBuf,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Language {
    #[default]
    Rust,
    /// JavaScript
    Js,
    Python,
    C,
}

impl Language {
    pub(super) const ALL: [Self; 4] = [Self::Rust, Self::Js, Self::Python, Self::C];

    /// The file by which a folder is one of a plugin in this language.
    pub(super) const fn marker(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::Js => "package.json",
            Self::Python => "pyproject.toml",
            Self::C => "plugin.c",
        }
    }

    /// The file that its author writes.
    pub(super) const fn source(self) -> &'static str {
        match self {
            Self::Rust => "src/lib.rs",
            Self::Js => "plugin.js",
            Self::Python => "plugin.py",
            Self::C => "plugin.c",
        }
    }

    /// The language of the plugin in this folder, if there is one.
    pub(super) fn of(folder: &Path) -> Option<Self> {
        Self::ALL.into_iter().find(|language| folder.join(language.marker()).is_file())
    }

    /// The files of a new plugin, `world.wit` and fixtures aside.
    pub(super) fn templates(self, kind: Kind) -> Vec<Template> {
        match self {
            Self::Rust => rust::templates(kind),
            Self::Js => js::templates(kind),
            Self::Python => python::templates(kind),
            Self::C => c::templates(kind),
        }
    }

    /// Names that a plugin in this language cannot have.
    pub(super) const fn taken_names(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &rust::TAKEN,
            // The others do not name anything in their language after the plugin.
            Self::Js | Self::Python | Self::C => &[],
        }
    }

    /// The command that runs the plugin's own tests, in its folder.
    pub(super) const fn test_command(self) -> &'static str {
        match self {
            Self::Rust => "cargo test",
            Self::Js => "npm test",
            Self::Python => "python3 -m unittest",
            Self::C => "make test",
        }
    }

    /// Builds the plugins of these folders, and says of each what came of it.
    pub(super) fn build(self, folders: &[PathBuf], options: &BuildOptions) -> Vec<anyhow::Result<Artefact>> {
        match self {
            Self::Rust => match rust::build(folders, options) {
                Ok(artefacts) => artefacts.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            },
            Self::Js => folders.iter().map(|folder| js::build(folder, options)).collect(),
            Self::Python => folders.iter().map(|folder| python::build(folder, options)).collect(),
            Self::C => folders.iter().map(|folder| c::build(folder, options)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_of_the_language_whose_file_it_has() {
        for language in Language::ALL {
            let folder = tempfile::tempdir().unwrap();
            assert_eq!(Language::of(folder.path()), None);
            std::fs::write(folder.path().join(language.marker()), "").unwrap();
            assert_eq!(Language::of(folder.path()), Some(language));
        }
    }
}

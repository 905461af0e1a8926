//! Plugins in Rust: crates that cargo builds.

use std::path::PathBuf;

use anyhow::Context as _;

use super::cargo::{self, Workspace};
use super::{Artefact, Template};
use crate::cli::plugin::build::BuildOptions;
use crate::cli::plugin::new::Kind;
use crate::cli::plugin::sdk_bundle;

/// What plugins are compiled for: std's own WASI, and a component without further tools.
pub(in crate::cli) const TARGET: &str = "wasm32-wasip2";

/// A plugin's stack. Rust's usual 1 MiB would be a megabyte to reset for every event; in
/// this, a JSON document of the greatest depth that is parsed (128) is parsed, copied and
/// written with room to spare (48 KiB would do, 32 KiB would not).
pub(in crate::cli) const STACK_BYTES: usize = 65_536;

/// The release profile of every plugin, as `profile.release.KEY = VALUE`. `"s"` is only
/// 3 % smaller than `opt-level` 3 and no quicker to start; names stay, for backtraces.
pub(in crate::cli) const PROFILE: [(&str, &str); 6] = [
    ("opt-level", "3"),
    ("lto", "true"),
    ("codegen-units", "1"),
    ("panic", "\"abort\""),
    ("strip", "\"debuginfo\""),
    ("debug", "false"),
];

macro_rules! template {
    ($file:literal) => {
        include_str!(concat!("../../../../templates/plugin/rust/", $file))
    };
}

pub(super) fn templates(kind: Kind) -> Vec<Template> {
    let source = match kind {
        Kind::Filter => template!("filter.rs"),
        Kind::Transform => template!("transform.rs"),
    };
    vec![
        (".cargo/config.toml", template!("cargo-config.toml")),
        (".gitignore", template!("gitignore")),
        ("Cargo.toml", template!("Cargo.toml")),
        ("README.md", template!("README.md")),
        ("src/lib.rs", source),
    ]
}

/// Names that a crate cannot have: the language's keywords, and what it links anyway.
pub(super) const TAKEN: [&str; 48] = [
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

/// Builds crates, those of one workspace together. The compiler's own output goes to stderr.
pub(super) fn build(crates: &[PathBuf], options: &BuildOptions) -> anyhow::Result<Vec<Artefact>> {
    let mut artefacts = Vec::with_capacity(crates.len());
    for workspace in cargo::workspaces(crates)? {
        cargo::ensure_target(&workspace.root, TARGET)?;
        artefacts.extend(compile(&workspace, options)?);
    }
    Ok(artefacts)
}

fn compile(workspace: &Workspace, options: &BuildOptions) -> anyhow::Result<Vec<Artefact>> {
    workspace.lock(options.offline);
    let stack = format!("target.{TARGET}.rustflags=[\"-Clink-arg=-zstack-size={STACK_BYTES}\"]");
    let settings = PROFILE.map(|(key, value)| format!("profile.release.{key}={value}"));
    let mut command = cargo::command("cargo", &workspace.root);
    command.args(["build", "--release", "--lib", "--target", TARGET]);
    command.arg("--target-dir").arg(target_folder(workspace));
    for setting in settings.iter().chain([&stack]) {
        command.arg("--config").arg(setting);
    }
    command.args(options.offline.then_some("--offline"));
    command.args(options.quiet.then_some("--quiet"));
    for package in &workspace.packages {
        command.arg("-p").arg(&package.name);
    }
    let artefacts = cargo::artefacts(command)?;
    workspace
        .packages
        .iter()
        .map(|package| {
            let artefact = artefacts.iter().find(|artefact| artefact.manifest_path == package.manifest_path);
            let component = artefact.and_then(|artefact| artefact.with_extension("wasm"));
            let path = component.with_context(|| {
                format!(
                    "{} makes no component\n    help: its Cargo.toml needs [lib] crate-type = [\"cdylib\", \"rlib\"]",
                    package.name
                )
            })?;
            Ok(Artefact { name: package.name.clone(), path })
        })
        .collect()
}

/// Scaffolded crates share the folder beside the SDK, so that the second plugin does not
/// compile the first one's dependencies again. Others have one of their own below their
/// `target`, where no other cargo holds the lock.
fn target_folder(workspace: &Workspace) -> PathBuf {
    let shared = workspace.root.with_file_name(sdk_bundle::FOLDER);
    if shared.join("plugin-sdk").is_dir() {
        shared.join("target")
    } else {
        workspace.root.join("target/wasm")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keywords_are_sorted_so_that_one_sees_what_is_missing() {
        assert!(TAKEN.is_sorted());
    }
}

//! Cargo, as `plugin build` uses it: untouched by the settings of whoever started us.

use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde::Deserialize;

use crate::cli::say;

/// Settings of the environment that would override the ones that a plugin is built with;
/// an outer `cargo test` or a shell profile sets them.
const SCRUBBED: [&str; 9] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_BUILD_TARGET",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
];

/// Crates that are built together.
#[derive(Debug)]
pub(in crate::cli) struct Workspace {
    pub root: PathBuf,
    pub packages: Vec<Package>,
}

/// A crate of a plugin.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Package {
    pub name: String,
    pub manifest_path: PathBuf,
}

/// What cargo says it made.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Artefact {
    pub manifest_path: PathBuf,
    filenames: Vec<PathBuf>,
}

impl Artefact {
    /// The file of it that ends so.
    pub(in crate::cli) fn with_extension(&self, extension: &str) -> Option<PathBuf> {
        self.filenames.iter().find(|file| file.extension().is_some_and(|own| own == extension)).cloned()
    }
}

/// A tool of the toolchain that rules in `folder`.
pub(in crate::cli) fn command(tool: &str, folder: &Path) -> Command {
    let mut command = Command::new(tool);
    command.current_dir(folder).stdin(Stdio::null());
    for name in SCRUBBED {
        command.env_remove(name);
    }
    command
}

/// The workspaces of these crates, each with those of its packages that are asked for.
pub(in crate::cli) fn workspaces(crates: &[PathBuf]) -> anyhow::Result<Vec<Workspace>> {
    let mut workspaces: Vec<Workspace> = Vec::new();
    for folder in crates {
        let folder = folder.canonicalize().with_context(|| format!("{} cannot be read", folder.display()))?;
        let (root, package) = locate(&folder)?;
        match workspaces.iter_mut().find(|workspace| workspace.root == root) {
            Some(workspace) => workspace.packages.push(package),
            None => workspaces.push(Workspace { root, packages: vec![package] }),
        }
    }
    Ok(workspaces)
}

fn locate(folder: &Path) -> anyhow::Result<(PathBuf, Package)> {
    #[derive(Deserialize)]
    struct Metadata {
        workspace_root: PathBuf,
        packages: Vec<Package>,
    }
    let output = command("cargo", folder)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| not_started("cargo", &error))?;
    anyhow::ensure!(output.status.success(), "cargo cannot read {}", folder.join("Cargo.toml").display());
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cargo metadata is not understood")?;
    let manifest = folder.join("Cargo.toml");
    let package = metadata.packages.into_iter().find(|package| package.manifest_path == manifest);
    let package = package.with_context(|| format!("{} is no package", manifest.display()))?;
    Ok((metadata.workspace_root, package))
}

impl Workspace {
    /// Chooses the versions of a crate that has none yet: the newest, or without the
    /// network those that were downloaded before. If neither works, the build says why.
    pub(in crate::cli) fn lock(&self, offline: bool) {
        if self.root.join("Cargo.lock").exists() {
            return;
        }
        let generate = |arguments: &[&str]| {
            let mut command = command("cargo", &self.root);
            command.args(["generate-lockfile", "--quiet"]).args(arguments).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        if offline || !generate(&[]) {
            generate(&["--offline"]);
        }
    }
}

/// Adds the target to the toolchain that rules in `folder`, unless it is there.
pub(in crate::cli) fn ensure_target(folder: &Path, target: &str) -> anyhow::Result<()> {
    let output = command("rustc", folder)
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .map_err(|error| not_started("rustc", &error))?;
    let libraries = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    say(&format!("the target {target} is missing: running `rustup target add {target}`"));
    let remedy = format!(
        "    help: add the target {target} to the Rust that builds plugins; rustup's does it with `rustup target add {target}`"
    );
    let status = command("rustup", folder)
        .args(["target", "add", target])
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("rustup cannot be started\n{remedy}"))?;
    anyhow::ensure!(status.success(), "`rustup target add {target}` failed\n{remedy}");
    Ok(())
}

/// Runs a `cargo build`, its progress and the compiler's words on stderr, and returns what
/// it made.
pub(in crate::cli) fn artefacts(mut build: Command) -> anyhow::Result<Vec<Artefact>> {
    build.arg("--message-format=json-render-diagnostics").stdout(Stdio::piped());
    let mut child = build.spawn().map_err(|error| not_started("cargo", &error))?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let mut artefacts = Vec::new();
    for line in BufReader::new(stdout).lines() {
        // Lines of other kinds lack an artefact's fields.
        artefacts.extend(serde_json::from_str::<Artefact>(&line?).ok());
    }
    anyhow::ensure!(child.wait()?.success(), "the build failed; the compiler's words are above");
    Ok(artefacts)
}

fn not_started(tool: &str, error: &std::io::Error) -> anyhow::Error {
    if error.kind() == ErrorKind::NotFound {
        return anyhow::anyhow!(
            "{tool} was not found\n    help: plugins in Rust are built with it; install Rust as https://rustup.rs says"
        );
    }
    anyhow::anyhow!("{tool} cannot be started: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outer_builds_settings_do_not_reach_an_inner_one() {
        let command = command("cargo", Path::new("."));
        let removed: Vec<_> = command.get_envs().filter(|(_, value)| value.is_none()).collect();
        assert_eq!(removed.len(), SCRUBBED.len());
    }

    #[test]
    fn only_lines_about_artefacts_are_artefacts() {
        let line = r#"{"reason":"compiler-artifact","manifest_path":"/a/Cargo.toml","filenames":["/t/a.rlib","/t/a.wasm"]}"#;
        let artefact: Artefact = serde_json::from_str(line).unwrap();
        assert_eq!(artefact.with_extension("wasm"), Some(PathBuf::from("/t/a.wasm")));
        assert!(serde_json::from_str::<Artefact>(r#"{"reason":"build-finished","success":true}"#).is_err());
    }

    #[test]
    fn a_missing_tool_comes_with_a_remedy() {
        let error = command("hookloom-no-such-tool", Path::new(".")).status().unwrap_err();
        assert!(not_started("cargo", &error).to_string().contains("rustup.rs"));
    }
}

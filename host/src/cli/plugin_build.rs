//! `hookloom plugin build`: crates become components in the plugins folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::cargo::{self, Workspace};
use super::{print, sdk_bundle};
use crate::clock::Clock;

/// What plugins are compiled for: std's own WASI, and a component without further tools.
pub(super) const TARGET: &str = "wasm32-wasip2";

/// A plugin's stack. Rust's usual 1 MiB would be a megabyte to reset for every event; in
/// this, a JSON document of the greatest depth that is parsed (128) is parsed, copied and
/// written with room to spare (48 KiB would do, 32 KiB would not).
pub(super) const STACK_BYTES: usize = 65_536;

/// The release profile of every plugin, as `profile.release.KEY = VALUE`. `"s"` is only
/// 3 % smaller than `opt-level` 3 and no quicker to start; names stay, for backtraces.
pub(super) const PROFILE: [(&str, &str); 6] = [
    ("opt-level", "3"),
    ("lto", "true"),
    ("codegen-units", "1"),
    ("panic", "\"abort\""),
    ("strip", "\"debuginfo\""),
    ("debug", "false"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The plugin's crate: its folder, or its name in the plugins folder; here by default
    #[arg(conflicts_with = "all")]
    dir: Option<PathBuf>,
    /// Build every crate in the plugins folder
    #[arg(long)]
    all: bool,
    /// The plugins folder
    #[arg(long, default_value = "plugins")]
    plugins: PathBuf,
    /// Where the components go; the folder that the crate is in by default
    #[arg(long)]
    out: Option<PathBuf>,
    /// Use what was downloaded before, and nothing else
    #[arg(long)]
    offline: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

/// What to build.
#[derive(Debug)]
pub(super) struct BuildOptions {
    /// The crates' folders.
    pub crates: Vec<PathBuf>,
    /// Where the components go, as `NAME.wasm`.
    pub out: PathBuf,
    /// Without the network.
    pub offline: bool,
    /// Without cargo's progress.
    pub quiet: bool,
}

/// A component that was built.
#[derive(Debug)]
pub(super) struct Built {
    /// The package's name, and the file's stem.
    pub name: String,
    /// The component.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let crates = if arguments.all {
        crates_in(&arguments.plugins)?
    } else {
        vec![find_crate(arguments.dir.as_deref(), &arguments.plugins)?]
    };
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None if arguments.all => arguments.plugins.clone(),
        None => folder_of(&crates[0])?,
    };
    let clock = Clock::system();
    let began = clock.monotonic();
    let options = BuildOptions { crates, out, offline: arguments.offline, quiet: arguments.quiet };
    let built = build(&options)?;
    if !arguments.quiet {
        print(&summary(&built, clock.monotonic().saturating_sub(began)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds crates and puts each component into its place at once, so that a gateway that
/// watches never sees half of it. Crates of one workspace are built together. The
/// compiler's own output goes to stderr.
pub(super) fn build(options: &BuildOptions) -> anyhow::Result<Vec<Built>> {
    let workspaces = cargo::workspaces(&options.crates)?;
    fs::create_dir_all(&options.out).with_context(|| format!("{} cannot be made", options.out.display()))?;
    let mut built = Vec::new();
    for workspace in workspaces {
        cargo::ensure_target(&workspace.root, TARGET)?;
        for (name, artefact) in compile(&workspace, options)? {
            let path = options.out.join(format!("{name}.wasm"));
            let bytes = place(&artefact, &path)?;
            built.push(Built { name, path, bytes });
        }
    }
    Ok(built)
}

fn compile(workspace: &Workspace, options: &BuildOptions) -> anyhow::Result<Vec<(String, PathBuf)>> {
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
            let component = component.with_context(|| {
                format!(
                    "{} makes no component\n    help: its Cargo.toml needs [lib] crate-type = [\"cdylib\", \"rlib\"]",
                    package.name
                )
            })?;
            Ok((package.name.clone(), component))
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

/// Copies under a dotted name, which no watcher looks at, and renames. Returns the size.
fn place(artefact: &Path, path: &Path) -> anyhow::Result<u64> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let partial = path.with_file_name(format!(".{name}.{}", std::process::id()));
    fs::copy(artefact, &partial)
        .and_then(|bytes| fs::rename(&partial, path).map(|()| bytes))
        .inspect_err(|_| drop(fs::remove_file(&partial)))
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// The folders in the plugins folder that are crates, by name.
pub(super) fn crates_in(plugins: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(plugins).with_context(|| format!("{} cannot be read", plugins.display()))?;
    let mut crates = Vec::new();
    for entry in entries {
        let entry = entry?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && entry.path().join("Cargo.toml").is_file() {
            crates.push(entry.path());
        }
    }
    crates.sort();
    if crates.is_empty() {
        anyhow::bail!(
            "{} holds no crate\n    help: `hookloom plugin new NAME` writes one",
            plugins.display()
        );
    }
    Ok(crates)
}

fn find_crate(dir: Option<&Path>, plugins: &Path) -> anyhow::Result<PathBuf> {
    let Some(dir) = dir else {
        anyhow::ensure!(
            Path::new("Cargo.toml").is_file(),
            "there is no crate here\n    help: name a plugin or its folder, or `--all` for every crate in {}",
            plugins.display()
        );
        return Ok(PathBuf::from("."));
    };
    let candidates = [dir.to_owned(), plugins.join(dir)];
    candidates.into_iter().find(|folder| folder.join("Cargo.toml").is_file()).with_context(|| {
        format!(
            "neither {0} nor {1} is a crate\n    help: `hookloom plugin new {0}` writes one",
            dir.display(),
            plugins.join(dir).display()
        )
    })
}

/// The folder that a crate's folder is in.
fn folder_of(folder: &Path) -> anyhow::Result<PathBuf> {
    let folder = folder.canonicalize().with_context(|| format!("{} cannot be read", folder.display()))?;
    Ok(folder.parent().unwrap_or(&folder).to_owned())
}

fn summary(built: &[Built], took: Duration) -> String {
    let mut lines: Vec<_> = built
        .iter()
        .map(|built| format!("{}  {} KiB  {}", built.name, built.bytes.div_ceil(1024), built.path.display()))
        .collect();
    lines.push(format!("{} built in {:.1} s", built.len(), took.as_secs_f64()));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_but_the_hidden_ones_is_found() {
        let plugins = tempfile::tempdir().unwrap();
        for folder in ["b", "a", ".hookloom", "notes"] {
            fs::create_dir(plugins.path().join(folder)).unwrap();
        }
        for folder in ["b", "a", ".hookloom"] {
            fs::write(plugins.path().join(folder).join("Cargo.toml"), "").unwrap();
        }
        let found = crates_in(plugins.path()).unwrap();
        assert_eq!(found, [plugins.path().join("a"), plugins.path().join("b")]);
    }

    #[test]
    fn a_crate_goes_by_its_folder_or_its_name() {
        let plugins = tempfile::tempdir().unwrap();
        let folder = plugins.path().join("a");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("Cargo.toml"), "").unwrap();
        assert_eq!(find_crate(Some(Path::new("a")), plugins.path()).unwrap(), folder);
        assert_eq!(find_crate(Some(&folder), Path::new("plugins")).unwrap(), folder);
        let error = find_crate(Some(Path::new("b")), plugins.path()).unwrap_err().to_string();
        assert!(error.contains("hookloom plugin new b"), "{error}");
    }

    #[test]
    fn a_component_is_placed_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let (artefact, path) = (folder.path().join("built"), folder.path().join("a.wasm"));
        fs::write(&artefact, "new").unwrap();
        fs::write(&path, "old").unwrap();
        assert_eq!(place(&artefact, &path).unwrap(), 3);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}

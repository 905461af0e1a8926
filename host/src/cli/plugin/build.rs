//! `hookloom plugin build`: plugins' folders become components in the plugins folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::lang::{Artefact, Language};
use crate::cli::print;
use crate::clock::Clock;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The plugin: its folder, or its name in the plugins folder; here by default
    #[arg(conflicts_with = "all")]
    dir: Option<PathBuf>,
    /// Build every plugin in the plugins folder
    #[arg(long)]
    all: bool,
    /// With `--all`: those in this language
    #[arg(long, value_enum, requires = "all")]
    lang: Option<Language>,
    /// The plugins folder
    #[arg(long, default_value = "plugins")]
    plugins: PathBuf,
    /// Where the components go; the folder that the plugin's is in by default
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
pub(in crate::cli) struct BuildOptions {
    /// The plugins' folders.
    pub crates: Vec<PathBuf>,
    /// Where the components go, as `NAME.wasm`.
    pub out: PathBuf,
    /// Without the network.
    pub offline: bool,
    /// Without telling what is being done.
    pub quiet: bool,
}

/// A component that was built.
#[derive(Debug)]
pub(in crate::cli) struct Built {
    /// The plugin's name, and the file's stem.
    pub name: String,
    /// The component.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

pub(in crate::cli) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let crates = if arguments.all {
        plugins_in(&arguments.plugins, arguments.lang)?
    } else {
        vec![find_plugin(arguments.dir.as_deref(), &arguments.plugins)?]
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

/// Builds plugins and puts each component into its place at once, so that a gateway that
/// watches never sees half of it. One that cannot be built does not keep the others from
/// it; what was wrong is told when all is done. A compiler's own output goes to stderr.
pub(in crate::cli) fn build(options: &BuildOptions) -> anyhow::Result<Vec<Built>> {
    fs::create_dir_all(&options.out).with_context(|| format!("{} cannot be made", options.out.display()))?;
    let mut built = Vec::new();
    let mut failed = Vec::new();
    for language in Language::ALL {
        let folders: Vec<_> =
            options.crates.iter().filter(|folder| Language::of(folder) == Some(language)).cloned().collect();
        for artefact in language.build(&folders, options) {
            match artefact.and_then(|artefact| install(artefact, &options.out)) {
                Ok(done) => built.push(done),
                Err(error) => failed.push(format!("{error:#}")),
            }
        }
    }
    if failed.is_empty() { Ok(built) } else { Err(anyhow::anyhow!(failed.join("\n"))) }
}

fn install(Artefact { name, path: artefact }: Artefact, out: &Path) -> anyhow::Result<Built> {
    let path = out.join(format!("{name}.wasm"));
    let bytes = place(&artefact, &path)?;
    Ok(Built { name, path, bytes })
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

/// The folders in the plugins folder that are plugins, in that language if one is named,
/// by name.
fn plugins_in(plugins: &Path, language: Option<Language>) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(plugins).with_context(|| format!("{} cannot be read", plugins.display()))?;
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let found = Language::of(&entry.path());
        if !hidden && found.is_some() && language.is_none_or(|wanted| found == Some(wanted)) {
            folders.push(entry.path());
        }
    }
    folders.sort();
    if folders.is_empty() {
        anyhow::bail!(
            "{} holds no plugin to build\n    help: `hookloom plugin new NAME` writes one",
            plugins.display()
        );
    }
    Ok(folders)
}

/// The plugin's folder: that one, or the one of that name in the plugins folder; without
/// either, the one that the command stands in.
pub(super) fn find_plugin(dir: Option<&Path>, plugins: &Path) -> anyhow::Result<PathBuf> {
    let markers = Language::ALL.map(Language::marker).join(", ");
    let Some(dir) = dir else {
        anyhow::ensure!(
            Language::of(Path::new(".")).is_some(),
            "there is no plugin here, which has one of {markers}\n    \
             help: name a plugin or its folder, or `--all` for every one in {}",
            plugins.display()
        );
        return Ok(PathBuf::from("."));
    };
    let candidates = [dir.to_owned(), plugins.join(dir)];
    candidates.into_iter().find(|folder| Language::of(folder).is_some()).with_context(|| {
        format!(
            "neither {0} nor {1} is a plugin, which has one of {markers}\n    \
             help: `hookloom plugin new {0}` writes one",
            dir.display(),
            plugins.join(dir).display()
        )
    })
}

/// The folder that a plugin's folder is in.
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

    fn plugin(plugins: &Path, name: &str, marker: &str) -> PathBuf {
        let folder = plugins.join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(marker), "").unwrap();
        folder
    }

    #[test]
    fn every_plugin_but_the_hidden_ones_is_found() {
        let plugins = tempfile::tempdir().unwrap();
        let [b, a] = ["b", "a"].map(|name| plugin(plugins.path(), name, "Cargo.toml"));
        plugin(plugins.path(), ".hookloom", "Cargo.toml");
        plugin(plugins.path(), "notes", "README.md");
        let c = plugin(plugins.path(), "c", "plugin.c");
        assert_eq!(plugins_in(plugins.path(), None).unwrap(), [a.clone(), b.clone(), c]);
        assert_eq!(plugins_in(plugins.path(), Some(Language::Rust)).unwrap(), [a, b]);
        let error = plugins_in(plugins.path(), Some(Language::Js)).unwrap_err().to_string();
        assert!(error.contains("holds no plugin"), "{error}");
    }

    #[test]
    fn a_plugin_goes_by_its_folder_or_its_name() {
        let plugins = tempfile::tempdir().unwrap();
        let folder = plugin(plugins.path(), "a", "pyproject.toml");
        assert_eq!(find_plugin(Some(Path::new("a")), plugins.path()).unwrap(), folder);
        assert_eq!(find_plugin(Some(&folder), Path::new("plugins")).unwrap(), folder);
        let error = find_plugin(Some(Path::new("b")), plugins.path()).unwrap_err().to_string();
        assert!(error.contains("hookloom plugin new b"), "{error}");
    }

    #[test]
    fn one_that_cannot_be_built_keeps_none_of_the_others_from_it() {
        let plugins = tempfile::tempdir().unwrap();
        let crates = ["a", "b"].map(|name| plugin(plugins.path(), name, "package.json")).to_vec();
        let options = BuildOptions { crates, out: plugins.path().to_owned(), offline: true, quiet: true };
        let error = build(&options).unwrap_err().to_string();
        assert!(error.contains("a/world.wit") && error.contains("b/world.wit"), "{error}");
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

//! Plugins in Python: the interpreter, started, and the plugin's modules, in one component.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

use super::tool::Tools;
use super::world::{self, World};
use super::{Artefact, Template};
use crate::cli::plugin::build::BuildOptions;
use crate::cli::plugin::new::Kind;
use crate::cli::plugin::sdk_bundle::write_file;

const REMEDY: &str =
    "plugins in Python need Python 3.10 or later with venv: `apt-get install python3 python3-venv`";
/// What says which packages are wanted.
const PACKAGES: &str = "requirements.txt";
const VENV: &str = ".venv";

macro_rules! template {
    ($file:literal) => {
        include_str!(concat!("../../../../templates/plugin/python/", $file))
    };
}

pub(super) fn templates(kind: Kind) -> Vec<Template> {
    let (plugin, test) = match kind {
        Kind::Filter => (template!("filter.py"), template!("test_filter.py")),
        Kind::Transform => (template!("transform.py"), template!("test_transform.py")),
    };
    vec![
        (".gitignore", template!("gitignore")),
        ("README.md", template!("README.md")),
        ("hookloom/__init__.py", template!("hookloom/__init__.py")),
        ("hookloom/component.py", template!("hookloom/component.py")),
        ("hookloom/testing.py", template!("hookloom/testing.py")),
        ("plugin.py", plugin),
        ("pyproject.toml", template!("pyproject.toml")),
        (PACKAGES, template!("requirements.txt")),
        ("test_plugin.py", test),
    ]
}

/// What the plugin says of itself.
#[derive(Debug, Deserialize)]
struct Project {
    name: String,
    version: String,
    #[serde(default)]
    description: String,
}

pub(super) fn build(folder: &Path, options: &BuildOptions) -> anyhow::Result<Artefact> {
    let tools = Tools::new(folder, options.quiet)?;
    let world = World::read(&tools.folder)?;
    let project = project(&tools.folder)?;
    install(&tools, options.offline)?;

    let build = tools.build_folder();
    let wit = world::stage(&tools.folder, &build)?;
    write_file(&build.join("entry.py"), &entry_text(&world, &project)?)?;
    let mut command = tools.command(venv(&tools, "componentize-py"));
    command.env("VIRTUAL_ENV", tools.folder.join(VENV));
    command.arg("--wit-path").arg(wit).args(["--world", world::NAME, "componentize"]);
    command.arg("--python-path").arg(&build).arg("--python-path").arg(&tools.folder);
    command.arg("entry").arg("--output").arg(tools.component());
    tools.run("making a component", command, REMEDY)?;
    Ok(Artefact { path: tools.component(), name: tools.name })
}

fn project(folder: &Path) -> anyhow::Result<Project> {
    #[derive(Deserialize)]
    struct Manifest {
        project: Project,
    }
    let path = folder.join("pyproject.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let manifest: Manifest =
        toml::from_str(&text).with_context(|| format!("{} is not understood", path.display()))?;
    Ok(manifest.project)
}

/// A program of the plugin's own environment.
fn venv(tools: &Tools, program: &str) -> PathBuf {
    tools.folder.join(VENV).join("bin").join(program)
}

fn install(tools: &Tools, offline: bool) -> anyhow::Result<()> {
    let componentizer = venv(tools, "componentize-py");
    if componentizer.is_file() && tools.is_installed(&[PACKAGES]) {
        return Ok(());
    }
    if !venv(tools, "pip").is_file() {
        let mut command = tools.command("python3");
        command.args(["-m", "venv", VENV]);
        tools.run("making .venv", command, REMEDY)?;
    }
    let mut command = tools.command(venv(tools, "python"));
    command.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
        PACKAGES,
    ]);
    // Only what is there already: pip does not look into its cache without an index.
    command.args(offline.then_some("--no-index"));
    tools.run("pip install", command, REMEDY)?;
    anyhow::ensure!(
        componentizer.is_file(),
        "{}: {} is missing\n    help: {PACKAGES} needs the line componentize-py==0.25.1",
        tools.name,
        componentizer.display()
    );
    tools.installed(&[PACKAGES])
}

/// The module that the component is made of: the plugin's, its imports, and what joins
/// them to the contract.
fn entry_text(world: &World, project: &Project) -> anyhow::Result<String> {
    // A JSON string is a literal of Python.
    let quoted = [&project.name, &project.version, &project.description].map(serde_json::to_string);
    let [name, version, description] = quoted;
    let (name, version, description) = (name?, version?, description?);
    let imports: Vec<_> = world.imports.iter().map(|name| format!("\"{name}\": {name}")).collect();
    let mut lines = vec![
        "# Written by `hookloom plugin build`.".to_owned(),
        "import plugin".to_owned(),
        "from hookloom import component".to_owned(),
    ];
    lines.extend(world.imports.iter().map(|name| format!("from wit_world.imports import {name}")));
    lines.push(format!(
        "about = {{\"name\": {name}, \"version\": {version}, \"description\": {description}}}"
    ));
    lines.push(format!("Lifecycle = component.lifecycle(plugin, about, {{{}}})", imports.join(", ")));
    lines.extend(world.capabilities().map(|name| {
        let class = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        format!("{class} = component.{name}(plugin)")
    }));
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_joins_what_the_world_names() {
        let world = World {
            imports: vec!["log".into(), "kv".into()],
            exports: vec!["lifecycle".into(), "transform".into()],
        };
        let project = Project { name: "a".into(), version: "1".into(), description: "\"quoted\"".into() };
        let text = entry_text(&world, &project).unwrap();
        assert!(text.contains("from wit_world.imports import kv\n"), "{text}");
        assert!(text.contains(r#""description": "\"quoted\""}"#), "{text}");
        assert!(text.contains("about, {\"log\": log, \"kv\": kv})\n"), "{text}");
        assert!(text.ends_with("\nTransform = component.transform(plugin)\n"), "{text}");
    }
}

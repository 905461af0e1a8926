//! Plugins in JavaScript: `QuickJS` and the plugin's modules, in one component.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::tool::Tools;
use super::world::{self, World};
use super::{Artefact, Template};
use crate::cli::plugin::build::BuildOptions;
use crate::cli::plugin::new::Kind;
use crate::cli::plugin::sdk_bundle::write_file;

const REMEDY: &str = "plugins in JavaScript need Node 18.19 or later with npm: `apt-get install nodejs npm`, or \
                      https://nodejs.org";
/// What says which packages are wanted.
const PACKAGES: [&str; 2] = ["package.json", "package-lock.json"];
const COMPONENTIZER: &str = "node_modules/componentize-qjs/cli.mjs";

macro_rules! template {
    ($file:literal) => {
        include_str!(concat!("../../../../templates/plugin/js/", $file))
    };
}

pub(super) fn templates(kind: Kind) -> Vec<Template> {
    let (plugin, test) = match kind {
        Kind::Filter => (template!("filter.js"), template!("filter.test.js")),
        Kind::Transform => (template!("transform.js"), template!("transform.test.js")),
    };
    vec![
        (".gitignore", template!("gitignore")),
        ("README.md", template!("README.md")),
        ("hookloom/component.js", template!("hookloom/component.js")),
        ("hookloom/hookloom.js", template!("hookloom/hookloom.js")),
        ("hookloom/testing.js", template!("hookloom/testing.js")),
        ("hookloom/utf8.js", template!("hookloom/utf8.js")),
        ("package-lock.json", template!("package-lock.json")),
        ("package.json", template!("package.json")),
        ("plugin.js", plugin),
        ("plugin.test.js", test),
    ]
}

/// What the plugin says of itself.
#[derive(Debug, Deserialize, Serialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    description: String,
}

pub(super) fn build(folder: &Path, options: &BuildOptions) -> anyhow::Result<Artefact> {
    let tools = Tools::new(folder, options.quiet)?;
    let world = World::read(&tools.folder)?;
    let package = package(&tools.folder)?;
    install(&tools, options.offline)?;

    let build = tools.build_folder();
    let wit = world::stage(&tools.folder, &build)?;
    let entry = build.join("entry.js");
    write_file(&entry, &entry_text(&world, &package)?)?;
    let mut command = tools.command("node");
    command.arg(COMPONENTIZER);
    // Without the component model's async, which plugins do not have; and the smaller of
    // the two engines, which starts quicker.
    command.args(["--sync", "--opt-size", "--world", world::NAME, "--wit"]).arg(wit);
    command.arg("--js").arg(entry).arg("--module-root").arg(&tools.folder);
    command.arg("--output").arg(tools.component());
    tools.run("making a component", command, REMEDY)?;
    Ok(Artefact { path: tools.component(), name: tools.name })
}

fn package(folder: &Path) -> anyhow::Result<Package> {
    let path = folder.join(PACKAGES[0]);
    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not understood", path.display()))
}

fn install(tools: &Tools, offline: bool) -> anyhow::Result<()> {
    let there = tools.folder.join(COMPONENTIZER).is_file();
    if there && tools.is_installed(&PACKAGES) {
        return Ok(());
    }
    let mut command = tools.command("npm");
    command.args(["install", "--no-audit", "--no-fund", "--loglevel=error"]);
    command.args(offline.then_some("--offline"));
    tools.run("npm install", command, REMEDY)?;
    anyhow::ensure!(
        tools.folder.join(COMPONENTIZER).is_file(),
        "{}: {COMPONENTIZER} is missing\n    help: package.json needs \"componentize-qjs\" among its devDependencies",
        tools.name
    );
    tools.installed(&PACKAGES)
}

/// The module that the component is made of: the plugin's, its imports, and what joins
/// them to the contract.
fn entry_text(world: &World, package: &Package) -> anyhow::Result<String> {
    let import = |name: &String| format!("import {name} from \"{}\";", world::qualified(name));
    let export = |name: &String| format!("export const {name} = parts.{name};");
    let about = serde_json::to_string(package)?;
    let mut lines = vec!["// Written by `hookloom plugin build`.".to_owned()];
    lines.extend(world.imports.iter().map(import));
    lines.push("import { component } from \"../hookloom/component.js\";".to_owned());
    lines.push("import * as plugin from \"../plugin.js\";".to_owned());
    lines.push(format!("const parts = component(plugin, {about}, {{ {} }});", world.imports.join(", ")));
    lines.extend(world.exports.iter().map(export));
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_joins_what_the_world_names() {
        let world = World { imports: vec!["log".into(), "kv".into()], exports: vec!["filter".into()] };
        let package = Package { name: "a".into(), version: "1".into(), description: "\"quoted\"".into() };
        let text = entry_text(&world, &package).unwrap();
        assert!(text.contains("import kv from \"hookloom:plugin/kv@0.1.0\";\n"), "{text}");
        assert!(text.contains(r#""description":"\"quoted\""}, { log, kv });"#), "{text}");
        assert!(text.ends_with("export const filter = parts.filter;\n"), "{text}");
    }
}

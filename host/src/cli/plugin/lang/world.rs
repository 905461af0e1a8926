//! What a plugin's `world.wit` says, and the contract that it refers to. Plugins in Rust
//! have none: their imports are those that the linker finds used.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::plugin::sdk_bundle::{self, write_file};

/// The file's name.
pub(super) const FILE: &str = "world.wit";
/// The name of the world in it.
pub(super) const NAME: &str = "plugin";
const INTERFACES: &str = "hookloom:plugin/";
const VERSION: &str = "@0.1.0";

/// The interfaces of the contract that a plugin imports and exports.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct World {
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

impl World {
    /// Reads the `world.wit` of a plugin's folder.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).map_err(|error| {
            anyhow::anyhow!(
                "{} cannot be read: {error}\n    help: it says what the plugin imports and exports; \
                 `hookloom plugin new` writes one",
                path.display()
            )
        })?;
        Self::parse(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
    }

    /// Only its `import` and `export` lines: whether the rest is well formed is for the
    /// tool that reads all of it.
    fn parse(text: &str) -> Result<Self, String> {
        let mut world = Self { imports: Vec::new(), exports: Vec::new() };
        for line in text.lines() {
            let words: Vec<_> = line.split("//").next().unwrap_or_default().split_whitespace().collect();
            let (list, name) = match words[..] {
                ["import", name, ..] => (&mut world.imports, name),
                ["export", name, ..] => (&mut world.exports, name),
                _ => continue,
            };
            let name = name.trim_end_matches(';');
            let interface = name.strip_prefix(INTERFACES).and_then(|rest| rest.strip_suffix(VERSION));
            let interface = interface
                .ok_or_else(|| format!("`{name}` is not of the contract, `{INTERFACES}NAME{VERSION}`"))?;
            list.push(interface.to_owned());
        }
        if !world.exports.iter().any(|name| name == "filter" || name == "transform") {
            return Err(format!(
                "exports neither filter nor transform\n    help: export {INTERFACES}filter{VERSION};"
            ));
        }
        Ok(world)
    }

    /// What it exports beside the lifecycle.
    pub(super) fn capabilities(&self) -> impl Iterator<Item = &str> {
        self.exports.iter().map(String::as_str).filter(|name| *name != "lifecycle")
    }
}

/// The name of an interface with its package and version.
pub(super) fn qualified(interface: &str) -> String {
    format!("{INTERFACES}{interface}{VERSION}")
}

/// Puts the world and the contract into `folder` as WIT's tools want it, and returns the
/// folder to give them.
pub(super) fn stage(plugin: &Path, build: &Path) -> anyhow::Result<PathBuf> {
    let folder = build.join("wit");
    let world = plugin.join(FILE);
    let text = fs::read_to_string(&world).with_context(|| format!("{} cannot be read", world.display()))?;
    write_file(&folder.join(FILE), &text)?;
    for (name, text) in sdk_bundle::contract() {
        write_file(&folder.join("deps/hookloom").join(name), text)?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_says_what_it_is() {
        let text = include_str!("../../../../templates/plugin/world.wit").replace("{{kind}}", "filter");
        let world = World::parse(&text).unwrap();
        assert_eq!(world.imports, ["log"]);
        assert_eq!(world.exports, ["lifecycle", "filter"]);
        assert_eq!(world.capabilities().collect::<Vec<_>>(), ["filter"]);
    }

    #[test]
    fn comments_are_no_lines_of_it() {
        let text = "// import hookloom:plugin/kv@0.1.0;\nexport hookloom:plugin/transform@0.1.0; // import x";
        let world = World::parse(text).unwrap();
        assert_eq!((world.imports.len(), world.exports), (0, vec!["transform".to_owned()]));
    }

    #[test]
    fn what_is_not_of_the_contract_is_refused_by_name() {
        let error = World::parse("import wasi:http/types@0.2.0;").unwrap_err();
        assert!(error.contains("`wasi:http/types@0.2.0` is not of the contract"), "{error}");
        let error = World::parse("export hookloom:plugin/filter@0.9.0;").unwrap_err();
        assert!(error.contains("filter@0.9.0"), "{error}");
        let error = World::parse("export hookloom:plugin/lifecycle@0.1.0;").unwrap_err();
        assert!(error.contains("export hookloom:plugin/filter@0.1.0;"), "{error}");
    }
}

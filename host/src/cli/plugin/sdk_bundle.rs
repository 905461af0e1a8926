//! The SDK and the contract, carried in the binary and written beside scaffolded plugins,
//! so that a plugin builds where there are no sources of Hookloom.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Under the plugins folder; dotted, so that nobody takes it for a plugin.
pub(in crate::cli) const FOLDER: &str = ".hookloom";

/// What the bundle is alone in: files here that it does not have are of another version.
const OWNED: [&str; 2] = ["plugin-sdk", "wit"];

/// Paths below the repository's root, kept below [`FOLDER`], so that the SDK finds the
/// contract at the same relative place.
macro_rules! bundle {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../", $path)))),*]
    };
}

/// Path and text of each file.
const FILES: &[(&str, &str)] = bundle![
    "plugin-sdk/Cargo.toml",
    "plugin-sdk/README.md",
    "plugin-sdk/macros/Cargo.toml",
    "plugin-sdk/macros/src/lib.rs",
    "plugin-sdk/src/answer.rs",
    "plugin-sdk/src/bindings/classify.rs",
    "plugin-sdk/src/bindings/filter.rs",
    "plugin-sdk/src/bindings/free.rs",
    "plugin-sdk/src/bindings/granted.rs",
    "plugin-sdk/src/bindings/lifecycle.rs",
    "plugin-sdk/src/bindings/mod.rs",
    "plugin-sdk/src/bindings/transform.rs",
    "plugin-sdk/src/bindings/verify.rs",
    "plugin-sdk/src/clock.rs",
    "plugin-sdk/src/config.rs",
    "plugin-sdk/src/contract.rs",
    "plugin-sdk/src/decision.rs",
    "plugin-sdk/src/encoding.rs",
    "plugin-sdk/src/error.rs",
    "plugin-sdk/src/event.rs",
    "plugin-sdk/src/handler.rs",
    "plugin-sdk/src/header.rs",
    "plugin-sdk/src/json.rs",
    "plugin-sdk/src/kv.rs",
    "plugin-sdk/src/lib.rs",
    "plugin-sdk/src/log.rs",
    "plugin-sdk/src/message.rs",
    "plugin-sdk/src/metadata.rs",
    "plugin-sdk/src/metrics.rs",
    "plugin-sdk/src/outcome.rs",
    "plugin-sdk/src/panic.rs",
    "plugin-sdk/src/plugin.rs",
    "plugin-sdk/src/random.rs",
    "plugin-sdk/src/request.rs",
    "plugin-sdk/src/secrets.rs",
    "plugin-sdk/src/testing/event.rs",
    "plugin-sdk/src/testing/exchange.rs",
    "plugin-sdk/src/testing/fixture/body.rs",
    "plugin-sdk/src/testing/fixture/event_file.rs",
    "plugin-sdk/src/testing/fixture/expect.rs",
    "plugin-sdk/src/testing/fixture/instant.rs",
    "plugin-sdk/src/testing/fixture/mod.rs",
    "plugin-sdk/src/testing/host/kv.rs",
    "plugin-sdk/src/testing/host/mod.rs",
    "plugin-sdk/src/testing/host/secrets.rs",
    "plugin-sdk/src/testing/mod.rs",
    "plugin-sdk/src/testing/sha256.rs",
    "plugin-sdk/src/verification.rs",
    "wit/README.md",
    "wit/v0.1.0/capabilities.wit",
    "wit/v0.1.0/host.wit",
    "wit/v0.1.0/lifecycle.wit",
    "wit/v0.1.0/types.wit",
    "wit/v0.1.0/worlds.wit",
];

/// Writes the bundle into the plugins folder, or brings what another version wrote up to
/// date. Files that are right already are left alone, so that nothing is compiled again.
pub(in crate::cli) fn write(plugins: &Path) -> anyhow::Result<()> {
    let folder = plugins.join(FOLDER);
    for (path, text) in FILES {
        let path = folder.join(path);
        if fs::read_to_string(&path).is_ok_and(|there| there == *text) {
            continue;
        }
        write_file(&path, text)?;
    }
    for owned in OWNED {
        for path in files_below(&folder.join(owned))? {
            let known = FILES.iter().any(|(known, _)| folder.join(known) == path);
            if !known {
                fs::remove_file(&path).with_context(|| format!("{} cannot be removed", path.display()))?;
            }
        }
    }
    // Built here as well: the dependencies of all scaffolded plugins, once.
    write_file(&folder.join(".gitignore"), "/target\n")
}

/// The contract: name and text of each of its files.
pub(in crate::cli) fn contract() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(|(path, text)| Some((path.strip_prefix("wit/v0.1.0/")?, *text)))
}

/// Writes a file and the folders that it is in.
pub(in crate::cli) fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// Every file below a folder, without what builds leave there.
fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            match entry.file_name().to_str() {
                Some("target" | "Cargo.lock") => {}
                _ if entry.file_type()?.is_dir() => folders.push(entry.path()),
                _ => files.push(entry.path()),
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn carries_every_file_of_the_sdk_and_the_contract() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let there: BTreeSet<_> = OWNED
            .iter()
            .flat_map(|owned| files_below(&root.join(owned)).unwrap())
            .map(|path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned())
            .collect();
        let carried: BTreeSet<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(carried, there, "FILES has to name the files of plugin-sdk/ and wit/");
    }

    #[test]
    fn another_versions_files_are_brought_up_to_date_and_right_ones_left_alone() {
        let plugins = tempfile::tempdir().unwrap();
        write(plugins.path()).unwrap();
        let sdk = plugins.path().join(FOLDER).join("plugin-sdk");
        let untouched = fs::metadata(sdk.join("src/lib.rs")).unwrap().modified().unwrap();
        fs::write(sdk.join("Cargo.toml"), "older").unwrap();
        fs::write(sdk.join("src/gone.rs"), "older").unwrap();

        write(plugins.path()).unwrap();

        let manifest = fs::read_to_string(sdk.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("name = \"hookloom-sdk\""), "{manifest}");
        assert!(!sdk.join("src/gone.rs").exists());
        assert_eq!(fs::metadata(sdk.join("src/lib.rs")).unwrap().modified().unwrap(), untouched);
    }

    #[test]
    fn the_sdk_stands_alone() {
        for (path, text) in FILES.iter().filter(|(path, _)| path.ends_with("Cargo.toml")) {
            assert!(!text.contains("workspace = true"), "{path} inherits from a workspace");
        }
    }
}

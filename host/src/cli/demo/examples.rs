//! The example plugins: those of the checkout that this binary was built in, or, where
//! there is none, the same sources out of the binary.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::plugin::build::{self, BuildOptions};
use crate::cli::plugin::sdk_bundle;

/// One example: its name and its files, relative to its crate.
type Example = (&'static str, &'static [(&'static str, &'static str)]);

macro_rules! example {
    ($name:literal, $($file:literal),+) => {
        ($name, &[$(($file, include_str!(concat!("../../../../plugins/", $name, "/", $file)))),+])
    };
}

const EXAMPLES: [Example; 5] = [
    example!("drop-bots", "Cargo.toml", "README.md", "src/lib.rs"),
    example!("envelope", "Cargo.toml", "README.md", "src/lib.rs", "src/rfc3339.rs"),
    example!("redact", "Cargo.toml", "README.md", "src/lib.rs"),
    example!(
        "slack-message",
        "Cargo.toml",
        "README.md",
        "src/lib.rs",
        "src/github.rs",
        "src/mrkdwn.rs",
        "src/stripe.rs"
    ),
    example!("split-batch", "Cargo.toml", "README.md", "src/lib.rs"),
];

/// What the examples' manifests inherit, where they stand alone.
const WORKSPACE: &str = include_str!("../../../templates/examples.toml");

/// Builds them into `folder/plugins`.
pub(super) fn build(folder: &Path) -> anyhow::Result<()> {
    let crates = match checkout() {
        Some(plugins) => EXAMPLES.iter().map(|(name, _)| plugins.join(name)).collect(),
        None => unpack(&folder.join("examples"))?,
    };
    build::build(&BuildOptions { crates, out: folder.join("plugins"), offline: false, quiet: true })?;
    Ok(())
}

/// The plugins folder of the checkout, while it is still there.
fn checkout() -> Option<PathBuf> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("plugins");
    plugins.join("drop-bots/Cargo.toml").exists().then_some(plugins)
}

fn unpack(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("Cargo.toml"), WORKSPACE)?;
    sdk_bundle::write(folder)?;
    let mut crates = Vec::with_capacity(EXAMPLES.len());
    for (name, files) in EXAMPLES {
        for (file, text) in files {
            let path = folder.join(name).join(file);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            fs::write(path, text)?;
        }
        crates.push(folder.join(name));
    }
    Ok(crates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_every_example_is_in_the_binary() {
        let plugins = checkout().expect("tests run in a checkout");
        for (name, files) in EXAMPLES {
            let mut sources: Vec<_> = fs::read_dir(plugins.join(name).join("src"))
                .unwrap()
                .map(|entry| format!("src/{}", entry.unwrap().file_name().to_string_lossy()))
                .collect();
            sources.sort();
            let mut embedded: Vec<_> = files.iter().map(|(file, _)| (*file).to_owned()).collect();
            embedded.retain(|file| file.starts_with("src/"));
            embedded.sort();
            assert_eq!(embedded, sources, "{name}");
        }
    }
}

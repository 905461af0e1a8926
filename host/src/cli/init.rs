//! `hookloom init`: a gateway to start from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use super::plugin::new;
use super::{print, signing_secret};
use crate::clock::Random;

/// The plugin that is written first.
const FIRST_PLUGIN: &str = "my-plugin";

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The folder to write; it must not exist, or be empty
    dir: PathBuf,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let dir = &options.dir;
    if dir.exists()
        && dir.read_dir().with_context(|| format!("{} cannot be read", dir.display()))?.next().is_some()
    {
        anyhow::bail!("{} exists and is not empty; nothing was written", dir.display());
    }
    let random = Random::system();
    fs::create_dir_all(dir.join("plugins")).with_context(|| format!("{} cannot be made", dir.display()))?;
    // Real secrets, so that the first event is signed and verified on both sides.
    write_secret(&dir.join("secrets/github.txt"), &hex::encode(random.bits().to_be_bytes()))?;
    write_secret(&dir.join("secrets/receiver.txt"), &signing_secret(&random))?;
    fs::write(dir.join("hookloom.toml"), include_str!("../../templates/hookloom.toml"))?;
    fs::write(dir.join(".gitignore"), "/data\n/secrets\n/plugins/*.wasm\ntarget\n")?;
    new::create(&dir.join("plugins"), FIRST_PLUGIN)?;
    print(&next_steps(dir));
    Ok(ExitCode::SUCCESS)
}

/// Readable by its owner alone.
fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}").with_context(|| format!("{} cannot be written", path.display()))
}

fn next_steps(dir: &Path) -> String {
    format!(
        "\
{dir} is ready:
  hookloom.toml                  one source, one route, one destination
  plugins/{FIRST_PLUGIN}/              a first plugin, in Rust
  secrets/                       fresh secrets for both sides; not for git

Next:
  cd {dir}
  hookloom plugin build {FIRST_PLUGIN}
  hookloom check
  hookloom listen --secret file:secrets/receiver.txt    # in a second terminal
  hookloom serve                                        # in a third
  hookloom send github
",
        dir = dir.display()
    )
}

//! Other people's packages, installed into `target/peers` at the first run.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

const NPM: [&str; 9] = [
    "standardwebhooks@1.1.1",
    "stripe@23.1.0",
    "@octokit/webhooks-methods@6.0.0",
    "@slack/bolt@5.1.0",
    "twilio@6.2.0",
    "svix@1.99.1",
    "@shopify/shopify-api@13.1.0",
    "square@46.0.0",
    "discord-interactions@4.4.0",
];
const PYPI: [&str; 1] = ["standardwebhooks==1.1.0"];

/// A language's packages, or why they are not there.
pub(super) type Peer = LazyLock<Result<PathBuf, String>>;

pub(super) static NODE: Peer = LazyLock::new(|| {
    install("npm", &NPM, |folder| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
            .arg(folder)
            .args(NPM);
        npm
    })
});

pub(super) static PYTHON: Peer = LazyLock::new(|| {
    install("pypi", &PYPI, |folder| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"]).arg(folder).args(PYPI);
        pip
    })
});

pub(super) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Installs once for all runs: the marker in the folder says which versions are there.
fn install(name: &str, packages: &[&str], command: impl Fn(&Path) -> Command) -> Result<PathBuf, String> {
    let peers = repository().join("target/peers");
    let folder = peers.join(name);
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let lock = File::create(peers.join(format!(".{name}.lock"))).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let (marker, wanted) = (folder.join(".installed"), packages.join("\n"));
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    let output =
        command(&folder).stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    if !output.status.success() {
        // The first line names the error; what follows is the package manager's own stack.
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name}: {}", complaint.trim().lines().next().unwrap_or("failed")));
    }
    fs::write(marker, wanted).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// The folder of the packages; `None`, and a line that no captured output hides, where
/// they cannot be had.
pub(super) fn packages(peer: &Peer, test: &str) -> Option<PathBuf> {
    match &**peer {
        Ok(folder) => Some(folder.clone()),
        Err(why) => {
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED: interop::{test}: the peer's packages cannot be installed: {why}"
            );
            None
        }
    }
}

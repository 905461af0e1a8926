//! Builds the guest components of `tests/guests` and the example plugins.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const TARGET: &str = "wasm32-wasip2";

/// How plugins are built: small, quick to instantiate, with the names that a
/// backtrace needs. A small stack matters most: the linker's default of 1 MiB makes
/// every instance a megabyte to reset.
const PROFILE: [&str; 5] = [
    "profile.release.opt-level=3",
    "profile.release.lto=true",
    "profile.release.codegen-units=1",
    "profile.release.panic='abort'",
    "profile.release.strip='debuginfo'",
];
const STACK: &str = "target.wasm32-wasip2.rustflags=['-Clink-arg=-zstack-size=65536']";

/// The component that misbehaves as it is configured.
///
/// # Panics
///
/// When it cannot be built.
pub fn guest() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| read(&build("hookloom-test-guests", "guest", &[])))
}

/// The same, importing `kv`.
///
/// # Panics
///
/// When it cannot be built.
pub fn guest_with_kv() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| read(&build("hookloom-test-guests", "guest-kv", &["--features", "kv"])))
}

/// The same, importing `secrets` and `reveal` as well.
///
/// # Panics
///
/// When it cannot be built.
pub fn guest_with_secrets() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| read(&build("hookloom-test-guests", "guest-secrets", &["--features", "secrets"])))
}

/// The same, exporting `verify` and `classify` too.
///
/// # Panics
///
/// When it cannot be built.
pub fn edge_guest() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| read(&build("hookloom-test-guests", "guest-edge", &["--features", "edge"])))
}

/// The same without its misdeeds: as large as a useful plugin, for measuring.
///
/// # Panics
///
/// When it cannot be built.
pub fn lean_guest() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| read(&build("hookloom-test-guests", "guest-lean", &["--features", "lean"])))
}

/// The example plugin of that name, as `plugins/` has it.
///
/// # Panics
///
/// When it cannot be built.
pub fn example(package: &str) -> Vec<u8> {
    read(&build(package, package, &[]))
}

/// A component with one of its markers replaced: another version of the plugin.
///
/// # Panics
///
/// When the lengths differ or `from` does not occur.
pub fn variant(component: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "a marker is replaced by one of its length");
    let mut bytes = component.to_vec();
    let places: Vec<_> =
        bytes.windows(from.len()).enumerate().filter(|(_, w)| *w == from.as_bytes()).collect();
    let places: Vec<_> = places.into_iter().map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "the component has no {from:?}");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

/// The workspace's folder.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Builds the package and keeps a copy under `name`, because the next build with
/// other features replaces what cargo wrote. Test binaries run side by side, hence
/// the lock.
fn build(package: &str, name: &str, features: &[&str]) -> PathBuf {
    let target_dir = workspace().join("target/wasm");
    fs::create_dir_all(&target_dir).expect("the target folder can be made");
    let lock = File::create(target_dir.join(".hookloom-guests.lock")).expect("the lock can be made");
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).expect("the lock can be taken");
    add_target();

    let mut command = Command::new(env!("CARGO"));
    command.current_dir(workspace()).args(["build", "--quiet", "--release", "--target", TARGET]);
    command.args(["-p", package, "--target-dir"]).arg(&target_dir).args(features);
    for setting in PROFILE.into_iter().chain([STACK]) {
        command.args(["--config", setting]);
    }
    // What the outer build was given is meant for the gateway, not for a guest.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
    let status = command.status().expect("cargo can be started");
    assert!(status.success(), "{package} does not build");

    let copy = target_dir.join(format!("{name}.wasm"));
    let built = format!("{TARGET}/release/{}.wasm", package.replace('-', "_"));
    fs::copy(target_dir.join(built), &copy).expect("the component was built");
    copy
}

/// Adds the wasm target where rustup has not got it yet.
fn add_target() {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    let libdir = output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default();
    if libdir.is_empty() || !Path::new(&libdir).is_dir() {
        let status = Command::new("rustup").args(["target", "add", TARGET]).status();
        assert!(
            status.is_ok_and(|s| s.success()),
            "the target {TARGET} is missing: run `rustup target add {TARGET}`"
        );
    }
}

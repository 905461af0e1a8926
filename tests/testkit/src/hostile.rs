//! Guests that no toolchain would make: hand-written in `tests/guests/wat`, or generated
//! here because they are large. [`cases`] says what becomes of each.
//!
//! A file has the fields of a core module; what it does not export is added, so that each
//! says only what is wrong with it. Above a line `;; module` it may have fields of the
//! component around that, among them a core instance `$host` that the module imports from
//! as `host`.

pub mod bombs;
pub mod cases;
pub mod plugin;
pub mod room;

use std::fs;
use std::path::PathBuf;

use crate::guests::workspace;

/// The names of all hand-written guests, sorted.
///
/// # Panics
/// When their folder cannot be read.
pub fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the folder of hand-written guests");
    let stem = |path: PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let mut names: Vec<_> = entries.filter_map(|entry| stem(entry.ok()?.path())).collect();
    names.sort();
    names
}

/// The hand-written guest of that name.
///
/// # Panics
/// When there is none.
pub fn written(name: &str) -> Vec<u8> {
    let path = folder().join(format!("{name}.wat"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    plugin::component(&text)
}

/// What `tests/guests/src/misbehave.rs` can do, by name.
///
/// # Panics
/// When it cannot be read.
pub fn acts() -> Vec<String> {
    let path = workspace().join("tests/guests/src/misbehave.rs");
    let text = fs::read_to_string(path).expect("the guest's source");
    let act = |line: &str| Some(line.trim().strip_prefix('"')?.split_once("\" =>")?.0.to_owned());
    text.lines().filter_map(act).collect()
}

fn folder() -> PathBuf {
    workspace().join("tests/guests/wat")
}

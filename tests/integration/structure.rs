//! The rules of the house, enforced: who may know whom, and what every file has.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines above which a file hides a room that wants its own name.
const MAX_LINES: usize = 600;

struct Source {
    /// Relative to the repository, with `/`.
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn rust_files(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let relative = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
                found.push(Source { path: relative, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    found
}

fn all_rust_files() -> Vec<Source> {
    let files: Vec<_> = ["host", "plugin-sdk", "plugins", "tests"].into_iter().flat_map(rust_files).collect();
    assert!(files.len() > 80, "only {} files were found", files.len());
    files
}

/// The lines that are code, without comments, up to the tests at a file's end.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.split("//").next().unwrap_or_default()))
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
}

fn is_test(path: &str) -> bool {
    ["/tests/", "/tests.rs", "_tests.rs", "/conformance"].iter().any(|part| path.contains(part))
}

/// Every use of `word` outside of the folders and files that may use it.
fn trespasses(word: &str, allowed: &[&str]) -> Vec<String> {
    rust_files("host/src")
        .iter()
        .filter(|file| !is_test(&file.path))
        .filter(|file| !allowed.iter().any(|a| file.path.starts_with(&format!("host/src/{a}"))))
        .flat_map(|file| {
            code(&file.text)
                .filter(|(_, line)| line.contains(word))
                .map(|(number, line)| format!("{}:{number}: {}", file.path, line.trim()))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[track_caller]
fn assert_only(word: &str, allowed: &[&str]) {
    let found = trespasses(word, allowed);
    assert!(found.is_empty(), "`{word}` belongs into {allowed:?} only:\n{}", found.join("\n"));
}

#[test]
fn each_outside_world_has_one_door() {
    assert_only("wasmtime", &["plugin/"]);
    assert_only("reqwest::", &["deliver/"]);
    assert_only("hyper_util::client", &["deliver/"]);
    assert_only("hickory_resolver", &["deliver/resolver.rs"]);
    assert_only("lookup_host", &["deliver/resolver.rs"]);
    // What a delivery dials was judged on the line before.
    assert_only("TcpStream::connect", &["deliver/connector.rs"]);
    assert_only("rusqlite", &["store/"]);
    assert_only("axum::", &["ingest/", "admin/", "app/"]);
    assert_only("notify::", &["plugin/"]);
    assert_only("env::var", &["config/"]);
    assert_only("SystemTime::now", &["clock.rs"]);
    assert_only("Instant::now", &["clock.rs", "plugin/"]);
    assert_only("rand::", &["clock.rs"]);
    // One comparison of what must not leak through the time that it takes.
    assert_only("ct_eq", &["verify/compare.rs"]);
    assert_only("subtle", &["verify/compare.rs"]);
    assert_only("constant_time", &["verify/compare.rs"]);
}

/// The attribute lines above an item, joined, where it is defined.
fn attributes<'t>(text: &'t str, item: &str) -> Option<Vec<&'t str>> {
    let lines: Vec<_> = text.lines().collect();
    let at = lines.iter().position(|line| line.trim_start().starts_with(item))?;
    let is_attached = |line: &&&str| line.starts_with("#[") || line.starts_with("///");
    Some(lines[..at].iter().rev().take_while(is_attached).copied().collect())
}

#[test]
fn secrets_compare_with_nothing() {
    for (file, name, item) in [
        ("host/src/model/secret.rs", "Secret", "pub struct Secret("),
        ("host/src/verify/key.rs", "Key", "pub(super) enum Key {"),
    ] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let attributes = attributes(&text, item).unwrap_or_else(|| panic!("{file} has no `{item}`"));
        assert!(!attributes.iter().any(|line| line.contains("PartialEq")), "{name} can be compared");
        let by_hand = [format!("PartialEq for {name} "), "PartialEq<".to_owned()];
        for file in rust_files("host/src") {
            assert!(!file.text.contains(&by_hand[0]), "{name} can be compared: {}", file.path);
            let foreign = file.text.contains(&format!("> for {name} ")) && file.text.contains(&by_hand[1]);
            assert!(!foreign, "{name} can be compared: {}", file.path);
        }
    }
    // A secret's text is handed on and used, never compared where it is exposed.
    let compares = |line: &str| {
        line.contains("expose()")
            && ["==", "!=", ".eq(", ".ne(", ".cmp(", "starts_with("].iter().any(|w| line.contains(w))
    };
    for file in rust_files("host/src").iter().filter(|file| !is_test(&file.path)) {
        for (number, line) in code(&file.text) {
            assert!(!compares(line), "{}:{number} compares a secret: {line}", file.path);
        }
    }
}

#[test]
fn stages_never_name_each_other() {
    for (stage, others) in [
        ("ingest", ["process", "deliver", "admin"]),
        ("process", ["ingest", "deliver", "admin"]),
        ("deliver", ["ingest", "process", "admin"]),
        ("admin", ["ingest", "process", "deliver"]),
    ] {
        for other in others {
            let found: Vec<_> = trespasses(&format!("crate::{other}"), &[])
                .into_iter()
                .filter(|line| line.starts_with(&format!("host/src/{stage}/")))
                .collect();
            assert!(found.is_empty(), "{stage} names {other}:\n{}", found.join("\n"));
        }
    }
}

#[test]
fn nothing_below_names_what_is_above() {
    for below in ["model", "verify", "store", "clock.rs", "metrics.rs", "rate.rs"] {
        for above in ["ingest", "process", "deliver", "admin", "plugin", "app", "cli", "config"] {
            let found: Vec<_> = trespasses(&format!("crate::{above}"), &[])
                .into_iter()
                .filter(|line| line.starts_with(&format!("host/src/{below}")))
                .collect();
            assert!(found.is_empty(), "{below} names {above}:\n{}", found.join("\n"));
        }
    }
}

#[test]
fn what_decides_is_pure() {
    let pure = [
        "model/",
        "verify/",
        "rate.rs",
        "learning.rs",
        "process/pipeline.rs",
        "process/draft.rs",
        "deliver/retry",
        "deliver/sign",
        "deliver/admission.rs",
        "deliver/breaker.rs",
        "deliver/hold.rs",
        "deliver/queue.rs",
        "deliver/throttle.rs",
    ];
    for file in rust_files("host/src") {
        if !pure.iter().any(|p| file.path.starts_with(&format!("host/src/{p}"))) {
            continue;
        }
        for (number, line) in code(&file.text) {
            let impure = ["async fn", ".await", "tokio::", "std::fs", "std::net::Tcp"];
            let found = impure.iter().find(|word| line.contains(*word));
            assert!(found.is_none(), "{}:{number} is not pure: {line}", file.path);
        }
    }
}

#[test]
fn every_file_says_what_lives_there_and_stays_small() {
    for file in all_rust_files() {
        let head = file.text.lines().find(|line| !line.starts_with("#![")).unwrap_or_default();
        let documented = head.starts_with("//!") || file.text.starts_with("#![doc = include_str!");
        assert!(documented, "{} does not begin with a `//!` sentence", file.path);
        let lines = file.text.lines().count();
        if file.text.starts_with("//! Generated ") {
            continue;
        }
        assert!(lines <= MAX_LINES, "{} has {lines} lines", file.path);
    }
}

#[test]
fn nothing_is_left_open() {
    let words = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("#[ig", "nore"),
        concat!("FIX", "ME"),
    ];
    for file in all_rust_files() {
        for word in words {
            assert!(!file.text.contains(word), "{} has {word}", file.path);
        }
    }
}

#[test]
fn the_top_level_has_seven_names_beside_tool_files() {
    let mut names: Vec<_> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    names.sort();
    let tools = ["Cargo.lock", "rust-toolchain.toml"];
    names.retain(|name| !tools.contains(&name.as_str()));
    assert_eq!(names, ["Cargo.toml", "README.md", "host", "plugin-sdk", "plugins", "tests", "wit"]);
}

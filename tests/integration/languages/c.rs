//! C, compiled by clang.

use std::fs;
use std::path::Path;

use super::{Language, assert_fixture, command, run_fixture, skip, text, works};

pub(super) fn has_tools() -> bool {
    let libc = command("clang").args(["--target=wasm32-wasi", "--print-file-name=libc.a"]).output();
    let there = libc.is_ok_and(|output| Path::new(text(&output.stdout).trim()).is_file());
    if !there {
        skip("plugins in C", "clang and wasi-libc are not installed (`apt-get install clang wasi-libc`)");
    }
    there
}

/// The tests of a plugin's folder, on this machine.
pub(super) fn test_natively(folder: &Path) {
    if !works("make", &["--version"]) {
        skip("native tests in C", "make is not installed (`apt-get install make`)");
        return;
    }
    let tests = command("make").args(["test", "CC=cc"]).current_dir(folder).output().unwrap();
    assert!(tests.status.success(), "{}{}", text(&tests.stdout), text(&tests.stderr));
    assert!(!text(&tests.stderr).contains("warning"), "{}", text(&tests.stderr));
}

#[test]
fn a_plugin_in_c_goes_from_nothing_to_a_verdict() {
    let language = Language::new("c", "whole");
    for (name, kind) in [("a-filter", "filter"), ("a-transform", "transform")] {
        let folder = language.scaffold(name, kind);
        test_natively(&folder);
        if !has_tools() {
            return;
        }
        let Some(component) = language.build(name) else { return };
        assert_fixture(&component, &folder.join("fixtures/example.json"));
    }
}

/// The contract in C is generated once and carried along; it never changes, because the
/// contract is frozen.
#[test]
fn the_contract_in_c_is_what_the_generator_makes_of_it() {
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/plugin");
    let version = command("wit-bindgen").arg("--version").output();
    let there = version.map(|output| text(&output.stdout)).unwrap_or_default();
    for kind in ["filter", "transform"] {
        let generated = templates.join("c/contract").join(kind);
        let header = fs::read_to_string(generated.join("contract.h")).unwrap();
        let (_, maker) = header.lines().next().unwrap().split_once("`wit-bindgen` ").unwrap();
        let maker = maker.split('.').take(3).collect::<Vec<_>>().join(".");
        if !there.contains(&maker) {
            skip("regenerating the contract in C", &format!("`cargo install wit-bindgen-cli@{maker}`"));
            return;
        }
        let wit = tempfile::tempdir().unwrap();
        let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/v0.1.0");
        fs::create_dir_all(wit.path().join("deps/hookloom")).unwrap();
        for entry in fs::read_dir(contract).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), wit.path().join("deps/hookloom").join(entry.file_name())).unwrap();
        }
        let world = format!(
            "package local:plugin;\nworld plugin {{\n  include hookloom:plugin/imports@0.1.0;\n  \
             export hookloom:plugin/lifecycle@0.1.0;\n  export hookloom:plugin/{kind}@0.1.0;\n}}\n"
        );
        fs::write(wit.path().join("world.wit"), world).unwrap();
        let mut command = command("wit-bindgen");
        command.arg("c").arg(wit.path()).args(["--world", "plugin", "--rename-world", "contract"]);
        command.args(["--no-object-file", "--check", "--out-dir"]).arg(&generated);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{kind}: {}", text(&output.stderr));
    }
}

#[test]
fn what_c_answers_crosses_whole_and_nothing_leaks() {
    if !has_tools() {
        return;
    }
    let language = Language::new("c", "answers");
    let folder = language.scaffold("answerer", "transform");
    let fixture = folder.join("fixtures/example.json");
    fs::write(folder.join("plugin.c"), include_str!("answerer.c")).unwrap();
    let Some(component) = language.build("answerer") else { return };
    let judge = |action: &str| {
        let event =
            format!(r#"{{"event":{{"source":"s","body":{{"action":"{action}"}}}},"config":{{"a":1}}}}"#);
        fs::write(&fixture, event).unwrap();
        let call = run_fixture(&component, &fixture);
        (call.verdict.as_str(), call.reason.unwrap_or_default())
    };
    assert_eq!(judge("retry \\u00e9 \\ud83d\\ude00"), ("retry", "é 😀".to_owned()));
    assert_eq!(judge("split"), ("split", String::new()));
    assert_eq!(judge("pass"), ("error", "an answer that is not of this kind of plugin".to_owned()));
    assert_eq!(judge("abort").0, "trap");
}

#[test]
fn what_the_world_does_not_import_does_not_link() {
    if !has_tools() {
        return;
    }
    let language = Language::new("c", "world");
    let folder = language.scaffold("unlinked", "filter");
    let world = fs::read_to_string(folder.join("world.wit")).unwrap();
    fs::write(folder.join("world.wit"), world.replace("import hookloom:plugin/log@0.1.0;", "")).unwrap();
    let output = language.hookloom(&["build", "unlinked", "--quiet"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("hookloom:plugin/log@0.1.0"), "{said}");
    assert!(!language.plugins.join("unlinked.wasm").exists());
}

//! A plugin from nothing to a component, with the binary alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A test's own plugins folder, kept from one run to the next, so that only the first one
/// waits for the SDK's dependencies to compile.
fn plugins(test: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("scaffold").join(test)
}

fn hookloom(arguments: &[&str], plugins: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookloom"));
    // What a shell profile or an outer cargo may have set has to make no difference.
    command.env("RUSTFLAGS", "-Cno-such-option").env("CARGO_TARGET_DIR", "/nonexistent");
    command.arg("plugin").args(arguments).arg("--plugins").arg(plugins);
    command.output().expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_is_scaffolded_builds_and_what_does_not_compile_leaves_the_old_component() {
    let plugins = plugins("build");
    for (name, kind) in [("a-filter", "filter"), ("a-transform", "transform")] {
        let folder = plugins.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let output = hookloom(&["new", name, "--kind", kind], &plugins);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }

    let output = hookloom(&["build", "--all"], &plugins);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for name in ["a-filter", "a-transform"] {
        let component = fs::read(plugins.join(name).with_extension("wasm")).unwrap();
        // The magic number, and the version and layer of a component:
        // https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md
        assert_eq!(component[..8], *b"\0asm\x0d\0\x01\0", "{name}");
        assert!(text(&output.stdout).contains(name), "{}", text(&output.stdout));
    }

    let before = fs::read(plugins.join("a-filter.wasm")).unwrap();
    fs::write(plugins.join("a-filter/src/lib.rs"), "fn broken() { no_such_function() }").unwrap();
    let output = hookloom(&["build", "a-filter"], &plugins);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("cannot find function `no_such_function`"), "{said}");
    assert_eq!(fs::read(plugins.join("a-filter.wasm")).unwrap(), before);
}

#[test]
fn the_tests_of_a_scaffolded_plugin_pass() {
    let plugins = plugins("test");
    let folder = plugins.join("a-tested-plugin");
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    let output = hookloom(&["new", "a-tested-plugin", "--kind", "transform"], &plugins);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = Command::new("cargo")
        .args(["test", "--lib", "--target-dir", "../.hookloom/target"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("test tests::fixtures ... ok"), "{}", text(&output.stdout));
}

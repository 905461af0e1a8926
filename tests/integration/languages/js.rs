//! JavaScript, in `QuickJS`.

use std::fs;
use std::path::Path;

use super::{Language, assert_fixture, command, run_fixture, skip, text, works};

pub(super) fn has_tools() -> bool {
    let there = works("node", &["--version"]) && works("npm", &["--version"]);
    if !there {
        skip("plugins in JavaScript", "node and npm are not installed (`apt-get install nodejs npm`)");
    }
    there
}

#[test]
fn a_plugin_in_javascript_goes_from_nothing_to_a_verdict() {
    if !has_tools() {
        return;
    }
    let language = Language::new("js", "whole");
    for (name, kind) in [("a-filter", "filter"), ("a-transform", "transform")] {
        let folder = language.scaffold(name, kind);
        let tests = command("npm").arg("test").current_dir(&folder).output().unwrap();
        assert!(tests.status.success(), "{}{}", text(&tests.stdout), text(&tests.stderr));
        assert!(text(&tests.stdout).contains("pass 2"), "{}", text(&tests.stdout));
        let Some(component) = language.build(name) else { return };
        assert_fixture(&component, &folder.join("fixtures/example.json"));
    }
}

#[test]
fn what_javascript_throws_is_an_error_that_says_where() {
    if !has_tools() {
        return;
    }
    let language = Language::new("js", "throws");
    let folder = language.scaffold("thrower", "filter");
    let fixture = folder.join("fixtures/example.json");
    let source = "import { misconfigured, retry } from \"./hookloom/hookloom.js\";\n\
        export function configure(config) { if (config.ignore.length === 0) throw new Error(\"nothing to ignore\"); }\n\
        export function filter(event) {\n\
        if (event.json().action === \"retry\") throw retry(\"later: é€😀 \\ud800\");\n\
        if (event.json().action === \"promise\") return Promise.resolve();\n\
        if (event.json().action === \"config\") throw misconfigured(\"no\");\n\
        return event.absent.member;\n\
        }\n";
    fs::write(folder.join("plugin.js"), source).unwrap();
    let Some(component) = language.build("thrower") else { return };
    let judge = |action: &str| {
        let event = format!(
            r#"{{"event":{{"source":"s","body":{{"action":"{action}"}}}},"config":{{"ignore":[1]}}}}"#
        );
        fs::write(&fixture, event).unwrap();
        let call = run_fixture(&component, &fixture);
        (call.verdict.as_str(), call.reason.unwrap_or_default())
    };
    // Text crosses as it is; half of a surrogate pair is no text.
    assert_eq!(judge("retry"), ("retry", "later: é€😀 \u{fffd}".to_owned()));
    assert_eq!(judge("promise"), ("error", "Error: filter answers [object Promise]".to_owned()));
    assert_eq!(judge("config"), ("misconfigured", "no".to_owned()));
    let (verdict, reason) = judge("bug");
    assert_eq!(verdict, "error", "{reason}");
    assert!(reason.contains("TypeError") && reason.contains("plugin.js:7"), "{reason}");

    fs::write(&fixture, r#"{"event":{"source":"s","body":{}},"config":{"ignore":[]}}"#).unwrap();
    let refused = run_fixture(&component, &fixture);
    assert!(refused.reason.unwrap_or_default().contains("nothing to ignore"));
}

/// The engine has neither `TextDecoder` nor `TextEncoder`; Node has both to compare with.
#[test]
fn text_is_converted_as_the_standard_has_it() {
    if !works("node", &["--version"]) {
        skip("UTF-8 in JavaScript", "node is not installed (`apt-get install nodejs`)");
        return;
    }
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/plugin/js/hookloom/utf8.js");
    let script = include_str!("utf8.mjs").replace("UTF8_MODULE", template.to_str().unwrap());
    let output =
        command("node").args(["--input-type=module", "--eval", &script]).output().expect("node starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "200000 sequences of bytes, 200000 of code units\n");
}

//! Python, in `CPython`.

use std::fs;

use super::{Language, assert_fixture, command, run_fixture, skip, text, works};

pub(super) fn has_tools() -> bool {
    let there =
        works("python3", &["-c", "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))"]);
    if !there {
        skip(
            "plugins in Python",
            "Python 3.10 or later with venv is not installed (`apt-get install python3 python3-venv`)",
        );
    }
    there
}

#[test]
fn a_plugin_in_python_goes_from_nothing_to_a_verdict() {
    if !has_tools() {
        return;
    }
    let language = Language::new("python", "whole");
    for (name, kind) in [("a-filter", "filter"), ("a-transform", "transform")] {
        let folder = language.scaffold(name, kind);
        let tests = command("python3").args(["-m", "unittest"]).current_dir(&folder).output().unwrap();
        assert!(tests.status.success(), "{}", text(&tests.stderr));
        assert!(text(&tests.stderr).contains("Ran 2 tests"), "{}", text(&tests.stderr));
    }
    // One build is enough: the example in plugins/ is a filter.
    let Some(component) = language.build("a-transform") else { return };
    assert_fixture(&component, &language.plugins.join("a-transform/fixtures/example.json"));
}

#[test]
fn what_python_raises_is_an_error_that_says_where() {
    if !has_tools() {
        return;
    }
    let language = Language::new("python", "raises");
    let folder = language.scaffold("raiser", "filter");
    let fixture = folder.join("fixtures/example.json");
    let source = "from hookloom import Retry, log\n\
        def configure(config):\n    if config['refuse']: raise ValueError('told to refuse')\n\
        def filter(event):\n    log('info', 'seen', id=event.id)\n\
        \x20   if event.json()['action'] == 'retry': raise Retry('later: é€😀')\n\
        \x20   return event.absent\n";
    fs::write(folder.join("plugin.py"), source).unwrap();
    let Some(component) = language.build("raiser") else { return };
    let judge = |action: &str, refuse: bool| {
        let event = format!(
            r#"{{"event":{{"source":"s","body":{{"action":"{action}"}}}},"config":{{"refuse":{refuse}}}}}"#
        );
        fs::write(&fixture, event).unwrap();
        let call = run_fixture(&component, &fixture);
        (call.verdict.as_str(), call.reason.unwrap_or_default())
    };
    assert_eq!(judge("retry", false), ("retry", "later: é€😀".to_owned()));
    let (verdict, reason) = judge("bug", false);
    assert_eq!(verdict, "error", "{reason}");
    assert!(reason.contains("AttributeError") && reason.contains("plugin.py:7"), "{reason}");
    assert!(judge("retry", true).1.contains("told to refuse"));
}

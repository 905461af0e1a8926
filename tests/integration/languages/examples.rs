//! The examples in `plugins/` in other languages than Rust.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Language, assert_fixture, c, cache, command, js, python, skip, text, works};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What an example is written with is a copy, so that its folder stands alone.
#[test]
fn the_examples_are_written_with_what_new_plugins_are() {
    let templates = repository().join("host/templates/plugin");
    for (example, template) in [("titles-js", "js"), ("geo-py", "python"), ("sample-c", "c")] {
        let folder = repository().join("plugins").join(example).join("hookloom");
        let mut compared = 0;
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let name = path.file_name().unwrap().to_str().unwrap();
            let original = match name {
                "contract.c" | "contract.h" => format!("contract/filter/{name}"),
                "exports.c" => "hookloom/filter.c".to_owned(),
                name => format!("hookloom/{name}"),
            };
            let original = templates.join(template).join(original);
            assert_eq!(
                fs::read_to_string(&path).unwrap(),
                fs::read_to_string(&original).unwrap(),
                "{} is not as {} is",
                path.display(),
                original.display()
            );
            compared += 1;
        }
        assert!(compared >= 3, "{example}");
    }
}

/// Builds one in its place, its component elsewhere, and runs all of its fixtures.
fn works_as_its_fixtures_say(lang: &'static str, name: &str, fixtures: usize) {
    let language = Language { lang, plugins: repository().join("plugins") };
    let out = cache().join("examples");
    let Some(component) = language.build_to(name, &out) else { return };
    let mut ran = 0;
    for entry in fs::read_dir(language.plugins.join(name).join("fixtures")).unwrap() {
        assert_fixture(&component, &entry.unwrap().path());
        ran += 1;
    }
    assert_eq!(ran, fixtures, "{name}");
}

/// Among them are those of what reads fixtures in each language, and of the JSON in C.
#[test]
fn the_examples_pass_their_own_tests() {
    let plugins = repository().join("plugins");
    c::test_natively(&plugins.join("sample-c"));
    for (name, program, arguments) in
        [("titles-js", "node", &["--test"][..]), ("geo-py", "python3", &["-B", "-m", "unittest"])]
    {
        if !works(program, &["--version"]) {
            skip(&format!("the tests of {name}"), &format!("{program} is not installed"));
            continue;
        }
        let tests = command(program).args(arguments).current_dir(plugins.join(name)).output().unwrap();
        assert!(tests.status.success(), "{}{}", text(&tests.stdout), text(&tests.stderr));
    }
}

#[test]
fn titles_js_works_as_its_fixtures_say() {
    if js::has_tools() {
        works_as_its_fixtures_say("js", "titles-js", 2);
    }
}

#[test]
fn geo_py_works_as_its_fixtures_say() {
    if python::has_tools() {
        works_as_its_fixtures_say("python", "geo-py", 3);
    }
}

#[test]
fn sample_c_works_as_its_fixtures_say() {
    if c::has_tools() {
        works_as_its_fixtures_say("c", "sample-c", 2);
    }
}

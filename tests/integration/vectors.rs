//! Requests of real providers, recorded or made by our own scripts, judged as a source
//! would have.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use hookloom::verify::case::{self, Expectation};
use hookloom::verify::{preset, preset_names};
use serde_json::Value;

use crate::recorded::{files, folder, with_extension};

fn stem(path: &Path) -> String {
    path.file_stem().expect("it has a name").to_string_lossy().into_owned()
}

#[test]
fn every_request_is_judged_as_expected() {
    let (mut accepted, mut rejected, mut failures) = (0, 0, Vec::new());
    for file in files() {
        let name = stem(&file);
        let cases = case::parse(&std::fs::read(&file).unwrap()).unwrap();
        assert!(!cases.is_empty(), "{} has no cases", file.display());
        assert!(preset_names().any(|preset| preset == name), "{name} has no preset");
        for case in &cases {
            assert_eq!(case.provider, name, "a case of another provider: {}", case.description);
            match case.expect {
                Expectation::Accept => accepted += 1,
                Expectation::Reject => rejected += 1,
            }
            let judged = case.judge();
            if !judged.as_expected {
                failures.push(format!("{name}, {}: {}", case.description, judged.explanation));
            }
        }
    }
    eprintln!("{accepted} to accept, {rejected} to reject");
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    assert!(accepted >= FEWEST.0 && rejected >= FEWEST.1, "cases were lost");
}

/// To accept and to reject.
pub(crate) const FEWEST: (usize, usize) = (1_250, 2_500);

/// What a preset reads of ids and types is worth nothing without a request that shows it.
#[test]
fn every_preset_has_requests_and_what_it_reads_is_shown() {
    let mut missing = Vec::new();
    for name in preset_names() {
        let cases: Vec<Value> = files()
            .iter()
            .filter(|file| stem(file) == name)
            .flat_map(|file| serde_json::from_slice::<Vec<Value>>(&std::fs::read(file).unwrap()).unwrap())
            .collect();
        let is_known =
            |key: &str| cases.iter().any(|case| case["expect"] == "accept" && case[key].is_string());
        let is_due = |expect: &str| cases.iter().any(|case| case["expect"] == expect);
        let verify = &preset(name).unwrap().verify;
        for (what, is_there) in [
            ("a request to accept", is_due("accept")),
            ("a request to reject", is_due("reject")),
            ("a known id", verify.id.is_none() || is_known("id")),
            ("a known type", verify.event_type.is_none() || is_known("type")),
        ] {
            if !is_there {
                missing.push(format!("{name}: {what}"));
            }
        }
    }
    assert!(missing.is_empty(), "there is no\n{}", missing.join("\n"));
}

#[test]
fn our_own_requests_are_what_their_scripts_make() {
    for script in with_extension(&folder().join("make"), "mjs") {
        let run = match Command::new("node").arg(&script).arg("--check").output() {
            Ok(run) => run,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                eprintln!("SKIPPED: there is no node to run {}", script.display());
                return;
            }
            Err(error) => panic!("node cannot be run: {error}"),
        };
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && run.stdout.is_empty(), "{}:\n{said}", script.display());
    }
}

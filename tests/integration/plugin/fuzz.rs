//! A short look with the fuzzer; `cargo bench --bench fuzz` looks for longer.

use std::time::Duration;

use hookloom_testkit::fuzz::{Plan, Target, Until, fuzz};

fn finds_nothing(target: Target) {
    let program = env!("CARGO_BIN_EXE_hookloom").into();
    let report = fuzz(&Plan { target, until: Until::Time(Duration::from_secs(3)), seed: 7, program });
    assert_eq!(report.findings, Vec::<String>::new(), "{report}");
    assert!(report.ends.len() > 3, "it hardly gets anywhere: {report}");
}

#[test]
fn mutated_components_are_stood() {
    finds_nothing(Target::Load);
}

#[test]
fn wild_answers_are_stood() {
    finds_nothing(Target::Output);
}

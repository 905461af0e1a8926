//! A glance of the fuzzer at the front door; `cargo bench --bench fuzz` looks for longer.

use hookloom_testkit::fuzz::{Plan, Target, Until, fuzz};

use super::cli::BINARY;

/// Enough that signed requests and changed ones are both among them.
const EXECUTIONS: u64 = 400;

#[test]
fn no_changed_request_is_taken_for_a_signed_one() {
    let until = Until::Executions(EXECUTIONS);
    let report = fuzz(&Plan { target: Target::Request, until, seed: 1, program: BINARY.into() });
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report.executions, EXECUTIONS, "{report}");
    let accepted: u64 =
        report.ends.iter().filter(|(end, _)| end.starts_with("accepted")).map(|(_, count)| count).sum();
    assert!(accepted > 0 && accepted < report.executions / 2, "{report}");
}

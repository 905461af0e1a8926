//! Every hostile guest meets its limit, and nobody else is harmed.

use std::collections::BTreeSet;
use std::path::Path;

use hookloom_testkit::hostile::bombs::BOMBS;
use hookloom_testkit::hostile::cases::{Guest, cases};
use hookloom_testkit::hostile::room::Room;
use hookloom_testkit::hostile::{acts, names};
use serde_json::Value;

/// Longest reason that is recorded, in bytes; escaped characters come on top of the limit.
const REASON: usize = 9 << 10;

#[test]
fn every_guest_meets_its_limit() {
    let mut room = Room::open(Path::new(env!("CARGO_BIN_EXE_hookloom")));
    let mut wrong = Vec::new();
    for case in cases() {
        let outcome = room.meet(&case);
        let expected = outcome.verdict == case.verdict && outcome.reason.contains(case.reason);
        if !expected || outcome.reason.len() > REASON {
            wrong.push(format!("{} against {}: {outcome:?}", case.guest.name(), case.limit));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The acts that need a grant to load at all; the tests of grants have them.
const GRANTED: [&str; 1] = ["kv"];

#[test]
fn every_guest_has_a_case() {
    let cases = cases();
    let has = |guest: &Guest| cases.iter().any(|case| case.guest == *guest);
    let done: BTreeSet<String> = cases
        .iter()
        .filter_map(|case| match &case.guest {
            Guest::Act(config) => {
                serde_json::from_str::<Value>(config).unwrap()["do"].as_str().map(Into::into)
            }
            _ => None,
        })
        .collect();
    let files: BTreeSet<String> = cases
        .iter()
        .filter_map(|case| if let Guest::Written(name) = case.guest { Some(name.to_owned()) } else { None })
        .collect();
    assert_eq!(files, names().into_iter().collect(), "tests/guests/wat against the cases");
    let acts = acts();
    assert!(acts.len() > 20, "only {} acts were found", acts.len());
    for act in acts {
        assert!(done.contains(&act) || GRANTED.contains(&act.as_str()), "the act \"{act}\" has no case");
    }
    for (name, _) in BOMBS {
        assert!(has(&Guest::Bomb(name)), "the bomb \"{name}\" has no case");
    }
}

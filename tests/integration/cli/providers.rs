//! The table of providers, held against what was recorded of them.

use hookloom::verify::case::Expectation;
use hookloom::verify::preset;

use crate::recorded;

#[test]
fn what_the_table_says_is_not_there_is_in_no_request() {
    let (mut ids, mut types) = (0, 0);
    for case in recorded::all().into_iter().filter(|case| case.expect == Expectation::Accept) {
        let Some(preset) = preset(&case.provider) else { continue };
        let (name, facts) = (&case.provider, preset.facts(&case.provider));
        if let Some(id) = &case.id {
            assert_ne!(facts.dedupe, "nothing", "{name} names an event {id}");
            assert!(!facts.replay.contains("not recognised"), "{name}: {}", facts.replay);
            ids += 1;
        }
        if let Some(event_type) = &case.event_type {
            assert_ne!(facts.event_type, "none", "{name} calls an event {event_type}");
            types += 1;
        }
    }
    assert!(ids > 300 && types > 300, "{ids} ids and {types} types: cases were lost");
}

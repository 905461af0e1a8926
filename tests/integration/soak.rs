//! The crash soak in small: `cargo bench --bench soak` is the long one.

use std::time::Duration;

use hookloom_testkit::soak::{Options, soak};

#[tokio::test(flavor = "multi_thread")]
async fn three_kills_under_load_break_no_promise() {
    let options = Options {
        rounds: 3,
        round: Duration::from_secs(1),
        drain: Duration::from_mins(1),
        ..Options::default()
    };
    let mut lines = Vec::new();
    let summary = soak(env!("CARGO_BIN_EXE_hookloom"), options, &mut lines).await.unwrap();
    let lines = String::from_utf8(lines).unwrap();
    assert_eq!(lines.lines().count(), 3, "{lines}");
    assert!(summary.acknowledged > 0 && summary.attempts > 3 * summary.acknowledged, "{summary}");
    assert!(summary.violations.is_empty(), "{lines}{summary}");
}

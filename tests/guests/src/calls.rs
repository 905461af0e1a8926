//! An instance that counts its calls: `{"do": "calls"}` answers with the number.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

static CALLS: AtomicU64 = AtomicU64::new(0);

/// What a call does.
pub enum Next<'a> {
    /// Answers so.
    Answer(String),
    /// What `then` says: the third call of an instance.
    Do(&'a str),
}

/// Counts a call, which prints `log` lines and forgets `leak` bytes.
pub fn next(config: &Value) -> Next<'_> {
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    if let Some(then) = config["then"].as_str().filter(|_| calls == 3) {
        return Next::Do(then);
    }
    for _ in 0..config["log"].as_u64().unwrap_or(0) {
        println!("call {calls}");
    }
    if let Some(leak) = config["leak"].as_u64().and_then(|leak| usize::try_from(leak).ok()) {
        black_box(vec![1_u8; leak]).leak();
    }
    Next::Answer(calls.to_string())
}

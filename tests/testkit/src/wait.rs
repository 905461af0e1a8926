//! Waiting for a state, with a deadline; never for a time.

use std::time::Duration;

/// Far above what anything takes, on the busiest machine.
pub const DEADLINE: Duration = Duration::from_mins(1);
/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(5);

/// What `look` finds, once it does.
///
/// # Panics
/// After [`DEADLINE`], with what was seen last.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let mut last = String::new();
    let found = tokio::time::timeout(DEADLINE, async {
        loop {
            match look().await {
                Ok(found) => return found,
                Err(seen) => last = seen,
            }
            tokio::time::sleep(INTERVAL).await;
        }
    });
    let found = found.await.ok();
    found.unwrap_or_else(|| panic!("{what}: not within {DEADLINE:?}; last seen: {last}"))
}

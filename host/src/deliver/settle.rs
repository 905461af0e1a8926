//! Brings lines up to a changed `on_dead`, in the background: under `skip`, what stood
//! behind a dead delivery goes on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::OnDead;

use super::destination::Targets;
use super::stage::Stage;

/// Lines in one step, so that no other verb of the store notices.
const STEP: usize = 200;

/// Between looks at destinations that skip.
const AGAIN: Duration = Duration::from_mins(1);

/// Between tries while the store does not answer.
const ERROR_PAUSE: Duration = Duration::from_secs(1);

/// Settles what differs from what was settled last, at the start and after each reload,
/// until the soft shutdown. A store that was just opened may hold lines of any earlier
/// configuration; under `hold` there is nothing to do for them.
pub(super) async fn run(stage: Arc<Stage>) {
    let soft = stage.shutdown.soft.clone();
    let mut targets = stage.targets.clone();
    let mut settled = HashMap::new();
    while !soft.is_cancelled() {
        let next = unsettled(&targets.borrow_and_update(), &mut settled);
        let Some((name, on_dead)) = next else {
            tokio::select! {
                () = soft.cancelled() => return,
                // One that died during the reload may have held its line as before it.
                () = tokio::time::sleep(AGAIN) => settled.clear(),
                changed = targets.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
            continue;
        };
        match stage.store.settle_lines(&name, on_dead, STEP).await {
            Ok(true) => {}
            Ok(false) => drop(settled.insert(name.clone(), on_dead)),
            Err(error) => {
                tracing::warn!(%error, destination = name, "cannot settle lines yet");
                soft.run_until_cancelled(tokio::time::sleep(ERROR_PAUSE)).await;
                continue;
            }
        }
        stage.expect_more_for(&name);
    }
}

/// One that is configured otherwise than it was settled last.
fn unsettled(targets: &Targets, settled: &mut HashMap<String, OnDead>) -> Option<(String, OnDead)> {
    settled.retain(|name, _| targets.get(name).is_some());
    let mut differing = targets.iter().filter(|destination| {
        settled.get(&destination.name).copied().unwrap_or(OnDead::Hold) != destination.on_dead
    });
    differing.next().map(|destination| (destination.name.clone(), destination.on_dead))
}

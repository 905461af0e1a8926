//! What is said of destinations in the store (paused by an operator, disabled by their
//! own 410), heeded here within a second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use url::Url;

use crate::store::{DestinationCommand, DestinationState, StoreError};

use super::destination::Targets;
use super::hold::Hold;
use super::stage::Stage;

/// The store is asked so often when no bell rings.
const POLL: Duration = Duration::from_secs(1);

/// And not more often than this, whatever rings: a bell rings for deliveries as well.
const MIN_PAUSE: Duration = Duration::from_millis(50);

/// How a URL is named where it is not to be shown: the SHA-256 of its text, in hex.
pub(super) fn url_hash(url: &Url) -> String {
    hex::encode(Sha256::digest(url.as_str()))
}

/// Listens until the soft shutdown.
pub(super) async fn run(stage: Arc<Stage>) {
    let soft = stage.shutdown.soft.clone();
    let mut targets = stage.targets.clone();
    while !soft.is_cancelled() {
        // Before it is read: another value is another reason to look.
        targets.mark_unchanged();
        if let Err(error) = look(&stage).await {
            tracing::warn!(%error, "cannot read what is said of destinations");
        }
        soft.run_until_cancelled(tokio::time::sleep(MIN_PAUSE)).await;
        tokio::select! {
            () = soft.cancelled() => {}
            () = stage.orders.notified() => {}
            () = tokio::time::sleep(POLL) => {}
            Ok(()) = targets.changed() => {}
        }
    }
}

/// Asks the store once, and acts upon what it says.
async fn look(stage: &Arc<Stage>) -> Result<(), StoreError> {
    let asked: Vec<_> = stage.lanes().into_iter().map(|lane| (lane.hold_version(), lane)).collect();
    let mut states = stage.store.destinations().await?;
    let targets = stage.targets.borrow().clone();
    for state in &mut states {
        if is_another_receiver(&targets, state) {
            match stage.store.command_destination(&state.name, DestinationCommand::Enable).await {
                Ok(enabled) => {
                    tracing::info!(destination = state.name, "enabled: its URL is another");
                    *state = enabled;
                }
                // The next look tries again; what is said of others is heeded meanwhile.
                Err(error) => tracing::warn!(%error, destination = state.name, "cannot be enabled yet"),
            }
        }
    }
    let said: HashMap<String, Hold> =
        states.into_iter().map(|state| (state.name.clone(), hold(&state))).collect();
    let mut returned = Vec::new();
    let (mut changed, mut freed) = (false, false);
    for (version, lane) in asked {
        let heard = lane.hear(said.get(&lane.name).copied().unwrap_or(Hold::Free), version);
        returned.extend(heard.returned);
        changed |= heard.changed;
        freed |= heard.freed;
    }
    let is_first = stage.said.send_replace(Some(said)).is_none();
    if freed || is_first {
        stage.plan.wake();
    }
    if changed {
        stage.show();
    }
    stage.release(returned).await;
    Ok(())
}

fn hold(state: &DestinationState) -> Hold {
    match state {
        DestinationState { disabled: Some(_), .. } => Hold::Disabled,
        DestinationState { paused: Some(_), .. } => Hold::Paused,
        DestinationState { .. } => Hold::Free,
    }
}

/// Whether it is disabled because of an answer from another URL than its present one.
fn is_another_receiver(targets: &Targets, state: &DestinationState) -> bool {
    let current = targets.get(&state.name).map(|destination| url_hash(&destination.url));
    current.zip(state.disabled.as_ref()).is_some_and(|(current, disabled)| disabled.url != current)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::{Destination, EgressPolicy};
    use crate::model::Millis;
    use crate::store::Disabled;

    fn state(name: &str, paused: bool, disabled_for: Option<&str>) -> DestinationState {
        DestinationState {
            name: name.into(),
            paused: paused.then_some(Millis(1)),
            disabled: disabled_for.map(|url| Disabled {
                since: Millis(1),
                url: url_hash(&url.parse().unwrap()),
                reason: "gone".into(),
            }),
        }
    }

    #[test]
    fn what_is_said_and_whom_it_was_said_of() {
        const URL: &str = "https://crm.example.com/hooks?key=1";
        let crm = Destination::new("crm", URL.parse().unwrap());
        let targets = Targets::new(vec![crm], EgressPolicy::default()).unwrap();
        let table = [
            (state("crm", false, None), Hold::Free, false),
            (state("crm", true, None), Hold::Paused, false),
            (state("crm", false, Some(URL)), Hold::Disabled, false),
            (state("crm", true, Some(URL)), Hold::Disabled, false),
            (state("crm", false, Some("https://crm.example.com/hooks?key=2")), Hold::Disabled, true),
            (state("crm", true, Some("https://old.example.com/")), Hold::Disabled, true),
            (state("gone", false, Some("https://old.example.com/")), Hold::Disabled, false),
        ];
        for (state, expected, another) in table {
            assert_eq!(
                (hold(&state), is_another_receiver(&targets, &state)),
                (expected, another),
                "{state:?}"
            );
        }
    }

    #[test]
    fn a_url_is_named_by_its_hash() {
        let url = "https://example.com/".parse().unwrap();
        assert_eq!(url_hash(&url), "0f115db062b7c0dd030b16878c99dea5c354b49dc37b38eb8846179c7783e9d7");
    }
}

//! Stage 3 from the store to the wire and back, against scripted receivers.

#![expect(clippy::unwrap_used, reason = "a test that finds something missing fails")]

mod classify;
mod guard;
mod heads;
mod holds;
pub(crate) mod moody;
mod outcomes;
mod pace;
mod proxy;
mod rebinding;
mod recording;
mod rig;
mod stage;
mod targets;
mod tls;

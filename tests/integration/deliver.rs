//! Stage 3 from the store to the wire and back, against scripted receivers.

#![expect(clippy::unwrap_used, reason = "a test that finds something missing fails")]

mod guard;
mod moody;
mod outcomes;
mod rig;
mod stage;

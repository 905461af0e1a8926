//! Stage 3: deliveries go out, signed, guarded, retried.
//!
//! ```text
//! process ──handoff──► lane (one a destination) ──► slots ──► attempt ──► recorder ──► store
//! store ───claims───►    │ what does not fit                sign, send,     many in one
//!   ▲                    ▼                                  decide          transaction
//!   └──────────────── release
//! ```
//!
//! What is sent is committed already; what was sent is recorded before anything follows
//! from it. Between the two stands a lease. A lane has a bounded queue and its own
//! slots, so a destination that hangs holds up nobody but itself; what has no place in
//! memory waits in the store, which is asked again when half of a queue is gone.
//!
//! The decisions are pure and each in its file: [`RetryPolicy`] and `decide`, the
//! signature, the headers, `Retry-After`, and the guard ([`EgressPolicy`]), which judges
//! literal addresses before an attempt and resolved ones before the connection dials
//! them. Nothing outside `transport` sends anything.

mod attempt;
mod cidr;
mod claimer;
mod classify;
mod destination;
mod guard;
mod lane;
mod plan;
mod post;
mod recorder;
mod request;
mod resolver;
mod retry;
mod retry_after;
mod sign;
mod stage;
mod transport;
mod worker;

pub use cidr::{Cidr, CidrError};
pub use destination::{Destination, DestinationError, MAX_CONCURRENCY, MAX_TIMEOUT, Targets, TargetsError};
pub use guard::{EgressPolicy, Refusal};
pub use post::{Answer, PostError, Poster};
pub use retry::{DEFAULT_RETRY_AFTER_CAP, MAX_DELAYS, RetryPolicy, RetryPolicyError};
pub use sign::{ADVISED_SECRET_BYTES, MIN_SECRET_BYTES, SigningKey, SigningKeyError, sign};
pub use stage::{Deliver, LEASE};
pub use transport::TransportError;

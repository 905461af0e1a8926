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
//! Whether an attempt may start is asked in one place, `admission`: it knows the
//! operators' word and the destination's own 410 (`hold`), its failures in a row
//! (`breaker`), its overload (`throttle`) and its rate limit. While it says no, a slot is
//! given up rather than kept waiting with a lease in its hand; if that takes longer than
//! a moment, what is queued goes back to the store as well. [`Board`] shows people how
//! every destination stands.
//!
//! The decisions are pure and each in its file: those of `admission`, [`RetryPolicy`] and
//! `decide`, the signature, the headers, `Retry-After`, and the guard ([`EgressPolicy`]),
//! which judges a URL before an attempt and each address before it is dialled:
//!
//! ```text
//! transport ──┬─► reqwest, whose resolver is the guard ─────────────────► TLS by name
//! (a setup)   └─► connector: resolver ──► guard ──► the proxy is asked ──► TLS by name
//! ```
//!
//! Nothing outside `transport` sends a delivery. What the gateway asks of others for itself,
//! the keys that providers publish, goes the same way ([`OutsideClient`]).

mod admission;
mod attempt;
mod board;
mod breaker;
mod claimer;
mod classify;
mod connector;
mod destination;
mod dialled;
mod fetch;
mod guard;
mod hold;
mod judgement;
mod lane;
mod orders;
mod plan;
mod post;
mod proxy;
mod queue;
mod recorder;
mod report;
mod request;
mod resolver;
mod retry;
mod retry_after;
mod settle;
mod setup;
mod sign;
mod signal;
mod special;
mod stage;
mod throttle;
mod tls;
mod transport;
mod worker;

pub use board::{Board, Standing, StandingState};
pub use breaker::{BreakerPolicy, BreakerPolicyError};
pub use destination::{Destination, DestinationError, MAX_CONCURRENCY, MAX_TIMEOUT, Targets, TargetsError};
pub use fetch::{FetchFailure, OutsideClient};
pub use guard::{EgressOverride, EgressPolicy, Refusal};
pub use post::{Answer, PostError, Poster};
pub use proxy::{Proxy, ProxyConfigError};
pub use retry::{DEFAULT_RETRY_AFTER_CAP, MAX_DELAYS, RetryPolicy, RetryPolicyError};
pub use setup::{Egress, ProxyChoice, Reach};
pub use sign::{ADVISED_SECRET_BYTES, MIN_SECRET_BYTES, SigningKey, SigningKeyError, sign};
pub use stage::{Deliver, LEASE};
pub use tls::{TlsSettings, TlsSettingsError};
pub use transport::TransportError;

//! The vocabulary of the whole system: plain data and pure decisions, no I/O.

mod cidr;
mod coding;
mod delivery;
mod event;
mod ids;
mod named;
mod order;
mod pointed;
mod route;
mod run;
mod secret;
mod state;
mod time;

pub use cidr::{Cidr, CidrError};
pub use coding::{Coding, DEFAULT_MAX_DECODED, DecodeError, MAX_DECODED};
pub use delivery::{
    Attempt, AttemptError, Decision, Delivery, DeliveryState, DeliveryTransition, Message, Outcome,
};
pub use event::{Attribute, Event, EventState, Header, MASK};
pub use ids::{DeliveryId, EventId, MessageKey};
pub use named::NamedPlugin;
pub use order::{Line, OnDead, Order};
pub use pointed::pointed;
pub use route::{EventTypePattern, Route, RouteTarget, Step};
pub use run::{OnError, Run, RunState, StepRecord, StepVerdict};
pub use secret::Secret;
pub use state::{StateChanges, StateValue, StateWrite};
pub use time::{Millis, format_rfc3339, parse_rfc3339};

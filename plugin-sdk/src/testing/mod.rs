//! Native tests of a plugin: `cargo test` runs its functions as they are, and what
//! they ask of the gateway is answered here, for each test on its own: a clock that stands
//! still, chance that repeats itself, values and secrets in memory. What a function wrote
//! before it failed stays here, where the gateway would commit none of it; and writing is
//! open to verifiers and classifiers, which the gateway lets only read.
//!
//! ```
//! use hookloom_sdk::*;
//!
//! fn opened_only(event: &Event) -> Result<Verdict> {
//!     let body: serde_json::Value = event.json()?;
//!     Ok(if body["action"] == "opened" { pass() } else { drop("not opened") })
//! }
//!
//! let event = testing::event("github").json(serde_json::json!({ "action": "opened" })).build();
//! assert_eq!(opened_only(&event), Ok(pass()));
//! ```

mod event;
mod exchange;
mod fixture;
pub(crate) mod host;
mod sha256;

pub use event::{EventBuilder, event};
pub use exchange::{RequestBuilder, ResponseBuilder, request, response};
pub use fixture::{Answer, run_fixtures};
pub use host::secrets::set_secret;
pub use host::{
    Line, NOW_MS, advance, counter, counter_with, logs, observations, observations_with, set_grants,
    set_now_ms,
};

/// What the gateway does with a step's `config` at load: the plugin's type, or the
/// refusal that the user reads.
pub fn parse_config<Config: serde::de::DeserializeOwned>(
    config: &serde_json::Value,
) -> Result<Config, String> {
    crate::config::parse(&config.to_string())
}

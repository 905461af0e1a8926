//! Native tests of a plugin: `cargo test` runs its functions as they are, and what
//! they ask of the gateway is answered here, for each test on its own.
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

mod base64;
mod event;
mod fixture;
pub(crate) mod host;

pub use event::{EventBuilder, event};
pub use fixture::{Answer, run_fixtures};
pub use host::{Line, NOW_MS, counter, logs, observations, set_now_ms};

/// What the gateway does with a step's `config` at load: the plugin's type, or the
/// refusal that the user reads.
pub fn parse_config<Config: serde::de::DeserializeOwned>(
    config: &serde_json::Value,
) -> Result<Config, String> {
    crate::config::parse(&config.to_string())
}

//! Chooses among a route's destinations by what the body says.
//!
//! ```toml
//! [[routes]]
//! name = "alerts"
//! from = ["monitoring"]
//! steps = [{ plugin = "fan-out", config = { field = "/severity", to = { critical = ["pager", "chat"], warning = ["chat"] }, else = ["archive"] } }]
//! to = ["pager", "chat", "archive"]
//! ```
//!
//! `field` is a JSON Pointer to a text. A value that `to` does not name goes to `else`; with
//! no `else` it is dropped. A destination that the route does not have is an error.

use std::collections::BTreeMap;

use hookloom_sdk::serde_json::Value;
use hookloom_sdk::*;

#[config]
struct Config {
    field: String,
    to: BTreeMap<String, Vec<String>>,
    r#else: Option<Vec<String>>,
}

#[transform]
fn fan_out(event: &Event, config: &Config) -> Result<Outcome> {
    let body: Value = event.json()?;
    let value = body.pointer(&config.field).and_then(Value::as_str).unwrap_or_default();
    let Some(destinations) = config.to.get(value).or(config.r#else.as_ref()) else {
        return Ok(drop(format!("no destination for {value:?}")));
    };
    // The event's own body, which is not copied.
    Ok(replace(Message::keep().to(destinations.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", fan_out);
    }
}

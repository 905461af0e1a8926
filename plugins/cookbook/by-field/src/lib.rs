//! Passes only events whose body has one of some values in a field.
//!
//! ```toml
//! steps = [{ plugin = "by-field", config = { field = "/data/object/currency", values = ["eur", "chf"] } }]
//! ```
//!
//! `field` is a JSON Pointer (RFC 6901), `values` are JSON. Everything else is dropped, with
//! the value that was found as the reason. A body that is no JSON is `invalid-input`.

use hookloom_sdk::serde_json::Value;
use hookloom_sdk::*;

#[config]
struct Config {
    field: String,
    values: Vec<Value>,
}

#[filter]
fn by_field(event: &Event, config: &Config) -> Result<Verdict> {
    let body: Value = event.json()?;
    let found = body.pointer(&config.field).unwrap_or(&Value::Null);
    if config.values.contains(found) {
        return Ok(pass());
    }
    Ok(drop(format!("{} is {found}", config.field)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", by_field);
    }
}

//! Passes only events of some countries, for receivers that may not see the others.
//!
//! ```toml
//! steps = [{ plugin = "by-country", config = { allow = ["DE", "AT"], field = "/shipping_address/country_code" } }]
//! ```
//!
//! The country is an ISO 3166-1 code of two letters, in any case, at the JSON Pointer
//! `field`. An event that does not say its country is dropped, unless `unknown = true`.

use hookloom_sdk::serde_json::Value;
use hookloom_sdk::*;

#[config]
struct Config {
    allow: Vec<String>,
    field: String,
    /// Whether an event without a country passes.
    #[serde(default)]
    unknown: bool,
}

#[filter]
fn by_country(event: &Event, config: &Config) -> Result<Verdict> {
    let body: Value = event.json()?;
    let Some(country) = body.pointer(&config.field).and_then(Value::as_str) else {
        return Ok(if config.unknown { pass() } else { drop("no country") });
    };
    if config.allow.iter().any(|allowed| allowed.eq_ignore_ascii_case(country)) {
        return Ok(pass());
    }
    metrics::count("dropped", 1);
    Ok(drop(format!("the country is {country}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", by_country);
    }
}

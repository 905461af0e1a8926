//! Renames keys of a JSON object, for a receiver that calls things by other names.
//!
//! ```toml
//! steps = [{ plugin = "rename-fields", config = { at = "/data", names = { customer_id = "customerId" } } }]
//! ```
//!
//! `at` is a JSON Pointer to the object, the body itself by default. A key that is not there
//! is passed over; a body in which there is none goes on as it came. A new name that is
//! taken already is `invalid-input`, for one of the two values would be lost.

use std::collections::BTreeMap;

use hookloom_sdk::serde_json::Value;
use hookloom_sdk::*;

#[config]
struct Config {
    #[serde(default)]
    at: String,
    names: BTreeMap<String, String>,
}

#[transform]
fn rename_fields(event: &Event, config: &Config) -> Result<Outcome> {
    let mut body: Value = event.json()?;
    let object = body.pointer_mut(&config.at).and_then(Value::as_object_mut);
    let object = object.ok_or_else(|| Error::invalid_input(format!("no object at `{}`", config.at)))?;
    // All are taken out first, so that two keys can change places.
    let taken: Vec<_> =
        config.names.iter().filter_map(|(old, new)| Some((new, object.remove(old)?))).collect();
    if taken.is_empty() {
        return Ok(unchanged());
    }
    for (new, value) in taken {
        if object.insert(new.clone(), value).is_some() {
            return Err(Error::invalid_input(format!("there is a `{new}` already")));
        }
    }
    Ok(replace(Message::bytes(body.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", rename_fields);
    }
}

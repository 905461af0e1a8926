//! Adds to an event what an earlier one said: customers are remembered as they change, and
//! each order that names one by id is sent with the customer beside it.
//!
//! ```toml
//! [plugin.enrich]
//! grants = ["kv"]
//!
//! [[routes]]
//! name = "orders"
//! from = ["shop"]
//! types = ["customer", "order"]
//! steps = ["enrich"]
//! to = ["erp"]
//! ```
//!
//! A `customer` event is remembered and dropped. An order of a customer that is not known
//! (yet) is `retry`: with `on_error = { retry = ["10s", "5m"], then = "pass" }` it waits.

use hookloom_sdk::serde_json::Value;
use hookloom_sdk::*;

#[transform]
fn enrich(event: &Event) -> Result<Outcome> {
    let mut body: Value = event.json()?;
    if event.is_type("customer") {
        kv::set_json(&key(&body["id"])?, &body)?;
        return Ok(drop("remembered"));
    }
    let key = key(&body["customer_id"])?;
    let customer: Value =
        kv::get_json(&key)?.ok_or_else(|| Error::retry(format!("{key} is not known yet")))?;
    body["customer"] = customer;
    Ok(replace(Message::json(&body)?))
}

fn key(id: &Value) -> Result<String> {
    let id = id.as_str().ok_or_else(|| Error::invalid_input("no customer's id"))?;
    Ok(format!("customer/{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", enrich);
    }
}

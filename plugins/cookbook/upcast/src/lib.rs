//! Brings payloads of an old version up to the current one, so that a receiver knows one
//! shape while its senders change over.
//!
//! ```toml
//! steps = ["upcast"]
//! ```
//!
//! Version 1 is `{"version": 1, "name": "Ada Lovelace", "amount": "12.50"}`, version 2 has the
//! name in two and the amount in cents. Version 2 goes on as it came; anything else is
//! `invalid-input`. Write a function for each step from one version to the next, and chain
//! them.

use hookloom_sdk::serde_json::{Value, json};
use hookloom_sdk::*;

#[transform]
fn upcast(event: &Event) -> Result<Outcome> {
    let body: Value = event.json()?;
    match body["version"].as_u64() {
        Some(2) => Ok(unchanged()),
        Some(1) => Ok(replace(Message::json(&to_v2(&event.json()?)?)?)),
        _ => Err(Error::invalid_input(format!("version {} is unknown", body["version"]))),
    }
}

#[derive(serde::Deserialize)]
#[serde(crate = "hookloom_sdk::serde")]
struct V1 {
    // Not `&str`: a text with an escape in it is not in the body as it reads.
    name: String,
    amount: String,
}

fn to_v2(v1: &V1) -> Result<Value> {
    let (first, last) = v1.name.rsplit_once(' ').unwrap_or(("", &v1.name));
    let cents = cents(&v1.amount).ok_or_else(|| Error::invalid_input(format!("amount {:?}", v1.amount)))?;
    Ok(json!({ "version": 2, "name": { "first": first, "last": last }, "amount_cents": cents }))
}

/// `12.50` is 1250: digits, not a float that is a cent short.
fn cents(amount: &str) -> Option<u64> {
    let (whole, cents) = amount.split_once('.').unwrap_or((amount, "00"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (cents.len() == 2 && digits(whole) && digits(cents)).then(|| format!("{whole}{cents}").parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", upcast);
    }
}

//! Stripe's events, <https://docs.stripe.com/api/events/object>.

use hookloom_sdk::serde_json::Value;

use crate::mrkdwn::{escape, title};

/// Whose amounts are in whole units, <https://docs.stripe.com/currencies#zero-decimal>.
const WITHOUT_DECIMALS: [&str; 16] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof",
    "xpf",
];

/// Where the objects that move money say how much.
const AMOUNTS: [&str; 4] = ["amount", "amount_total", "amount_paid", "amount_due"];

/// One line: the event's type, the amount, and what for.
pub(crate) fn describe(body: &Value) -> String {
    let object = &body["data"]["object"];
    let mode = if body["livemode"] == false { " (test mode)" } else { "" };
    let mut text = format!("*{}*{mode}", escape(body["type"].as_str().unwrap_or("an event")));
    if let Some(amount) = amount(object) {
        text.push_str(": ");
        text.push_str(&escape(&amount));
    }
    let about = ["description", "customer_email", "id"].iter().find_map(|key| object[*key].as_str());
    if let Some(about) = about.or(body["id"].as_str()) {
        text.push_str(" · ");
        text.push_str(&title(about));
    }
    text
}

/// `20.00 EUR`.
fn amount(object: &Value) -> Option<String> {
    let units = AMOUNTS.iter().find_map(|key| object[*key].as_i64())?;
    let currency = object["currency"].as_str()?;
    let name = currency.to_uppercase();
    if WITHOUT_DECIMALS.contains(&currency) {
        return Some(format!("{units} {name}"));
    }
    let sign = if units < 0 { "-" } else { "" };
    let units = units.unsigned_abs();
    Some(format!("{sign}{}.{:02} {name}", units / 100, units % 100))
}

#[cfg(test)]
mod tests {
    use hookloom_sdk::serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_in_their_currencys_units() {
        let of = |units: i64, currency: &str| amount(&json!({"amount": units, "currency": currency}));
        assert_eq!(of(2005, "eur").as_deref(), Some("20.05 EUR"));
        assert_eq!(of(-5, "usd").as_deref(), Some("-0.05 USD"));
        assert_eq!(of(2000, "jpy").as_deref(), Some("2000 JPY"));
        assert_eq!(amount(&json!({"currency": "eur"})), None);
    }

    #[test]
    fn test_mode_is_said() {
        let body =
            json!({"type": "customer.created", "livemode": false, "data": {"object": {"id": "cus_1"}}});
        assert_eq!(describe(&body), "*customer.created* (test mode) · cus_1");
    }
}

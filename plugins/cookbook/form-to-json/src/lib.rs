//! Turns a form (`application/x-www-form-urlencoded`, as Twilio and Slack send) into a JSON
//! object of texts; a name that occurs several times becomes an array.
//!
//! ```toml
//! steps = ["form-to-json"]
//! ```
//!
//! An event of another content type goes on as it came. Text that is not UTF-8 once it is
//! decoded is `invalid-input`.

use std::collections::BTreeMap;

use hookloom_sdk::*;

#[derive(serde::Serialize)]
#[serde(crate = "hookloom_sdk::serde", untagged)]
enum Value {
    One(String),
    Many(Vec<String>),
}

#[transform(headers = ["content-type"])]
fn form_to_json(event: &Event) -> Result<Outcome> {
    let content_type = event.content_type.as_deref().unwrap_or_default();
    if !content_type.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return Ok(unchanged());
    }
    let mut fields: BTreeMap<String, Value> = BTreeMap::new();
    for pair in event.text()?.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        let both = match fields.remove(&name) {
            None => Value::One(value),
            Some(Value::One(first)) => Value::Many(vec![first, value]),
            Some(Value::Many(all)) => Value::Many([all, vec![value]].concat()),
        };
        fields.insert(name, both);
    }
    Ok(replace(Message::json(&fields)?))
}

/// `+` is a space, `%41` a byte; a `%` that begins no byte stands for itself.
fn decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let byte = (*first == b'%').then(|| std::str::from_utf8(behind.get(..2)?).ok()).flatten();
        let byte = byte.and_then(encoding::from_hex);
        rest = if byte.is_some() { &behind[2..] } else { behind };
        bytes.push(byte.map_or(if *first == b'+' { b' ' } else { *first }, |byte| byte[0]));
    }
    String::from_utf8(bytes).map_err(Error::invalid_input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", form_to_json);
    }
}

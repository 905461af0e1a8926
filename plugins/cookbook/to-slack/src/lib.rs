//! Writes the message of a Slack incoming webhook from a template.
//!
//! ```toml
//! [destinations.slack]
//! url = "https://hooks.slack.com/services/…"
//!
//! steps = [{ plugin = "to-slack", config = { text = "*Order {/id}*: {/total} {/currency}" } }]
//! ```
//!
//! `{/…}` is what the JSON Pointer leads to in the body, escaped, so that nobody is mentioned
//! by a value; what is not there is `?`. (`slack-message` knows GitHub and Stripe by itself.)

use hookloom_sdk::serde_json::{Value, json};
use hookloom_sdk::*;

#[config]
struct Config {
    text: String,
}

#[transform]
fn to_slack(event: &Event, config: &Config) -> Result<Outcome> {
    let body: Value = event.json()?;
    Ok(replace(Message::json(&json!({ "text": fill(&config.text, &body)? }))?))
}

fn fill(template: &str, body: &Value) -> Result<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, pointer)) = rest.split_once('{') {
        let (pointer, behind) =
            pointer.split_once('}').ok_or_else(|| Error::misconfigured("a { in `text` has no }"))?;
        text.push_str(before);
        match body.pointer(pointer) {
            None | Some(Value::Null) => text.push('?'),
            Some(Value::String(value)) => text.push_str(&escape(value)),
            Some(value) => text.push_str(&escape(&value.to_string())),
        }
        rest = behind;
    }
    Ok(text + rest)
}

/// The three characters that mean something to Slack wherever they stand.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", to_slack);
    }
}

//! Sends each line of newline-delimited JSON on its own. (An array is split by the plugin
//! `split-batch`.)
//!
//! ```toml
//! steps = [{ plugin = "split-lines", config = { type = "/event" } }]
//! ```
//!
//! Lines are sent as they came, without being parsed, unless `type` is the JSON Pointer to
//! the event type of each. More than 1,000 lines, or one that is no JSON where it has to be,
//! are `invalid-input`; nothing but empty lines is dropped.

use hookloom_sdk::serde_json::Value;
use hookloom_sdk::*;

#[config]
struct Config {
    r#type: Option<String>,
}

#[transform]
fn split_lines(event: &Event, config: &Config) -> Result<Outcome> {
    let lines: Vec<_> = event.text()?.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return Ok(drop("no line"));
    }
    if lines.len() > 1000 {
        return Err(Error::invalid_input(format!("{} lines; at most 1000 are split", lines.len())));
    }
    let messages: Result<Vec<_>> = lines.into_iter().map(|line| message(line, config)).collect();
    Ok(split(messages?))
}

fn message(line: &str, config: &Config) -> Result<Message> {
    let mut message = Message::bytes(line).content_type("application/json");
    if let Some(pointer) = &config.r#type {
        let parsed: Value = serde_json::from_str(line)?;
        message.event_type = parsed.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", split_lines);
    }
}

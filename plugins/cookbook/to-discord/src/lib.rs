//! Writes the message of a Discord webhook: an embed with a title that links to where more
//! is, and fields.
//!
//! ```toml
//! [destinations.discord]
//! url = "https://discord.com/api/webhooks/…"
//!
//! [[routes]]
//! # …
//! steps = [{ plugin = "to-discord", config = { title = "/issue/title", url = "/issue/html_url", fields = { Repository = "/repository/full_name" } } }]
//! ```
//!
//! All are JSON Pointers into the body; what is not there is left out. Nobody is mentioned
//! by what a value says. No title is `invalid-input`: Discord would refuse the message.

use std::collections::BTreeMap;

use hookloom_sdk::serde_json::{Value, json};
use hookloom_sdk::*;

/// Discord's limits, in characters.
const TITLE: usize = 256;
const FIELD: usize = 1024;

#[config]
struct Config {
    title: String,
    url: Option<String>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
}

#[transform]
fn to_discord(event: &Event, config: &Config) -> Result<Outcome> {
    let body: Value = event.json()?;
    let text = |pointer: &str, limit: usize| {
        let text = match body.pointer(pointer)? {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some(text.chars().take(limit).collect::<String>()).filter(|text| !text.is_empty())
    };
    let title = text(&config.title, TITLE);
    let title = title.ok_or_else(|| Error::invalid_input(format!("no title at {}", config.title)))?;
    let fields = config.fields.iter().filter_map(|(name, pointer)| {
        Some(json!({ "name": name, "value": text(pointer, FIELD)?, "inline": true }))
    });
    let mut embed = json!({ "title": title, "fields": fields.collect::<Vec<_>>() });
    if let Some(url) = config.url.as_ref().and_then(|pointer| text(pointer, usize::MAX)) {
        embed["url"] = url.into();
    }
    Ok(replace(Message::json(&json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } }))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", to_discord);
    }
}

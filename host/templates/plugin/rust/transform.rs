//! {{description}}.

use hookloom_sdk::*;

/// The `config` of the step in hookloom.toml.
#[config]
struct Config {
    /// The keys of the body that are sent.
    #[serde(default = "usual")]
    keep: Vec<String>,
}

fn usual() -> Vec<String> {
    ["action", "issue", "pull_request", "sender"].map(String::from).to_vec()
}

#[transform]
fn slim(event: &Event, config: &Config) -> Result<Outcome> {
    let mut body: serde_json::Map<String, serde_json::Value> = event.json()?;
    let before = body.len();
    body.retain(|key, _| config.keep.contains(key));
    if body.len() == before {
        return Ok(unchanged());
    }
    if body.is_empty() {
        return Ok(drop("nothing of it is kept"));
    }
    log::debug!(source = event.source; "kept {} of {before} keys", body.len());
    Ok(replace(Message::json(&body)?))
}

#[cfg(test)]
mod tests {
    use hookloom_sdk::serde_json::json;

    use super::*;

    fn outcome(body: serde_json::Value) -> Result<Outcome> {
        let config = testing::parse_config(&json!({ "keep": ["action"] })).unwrap();
        slim(&testing::event("github").json(body).build(), &config)
    }

    #[test]
    fn only_some_keys_are_sent() {
        let message = Message::json(&json!({ "action": "opened" })).unwrap();
        assert_eq!(outcome(json!({ "action": "opened", "repository": {} })), Ok(replace(message)));
        assert_eq!(outcome(json!({ "action": "opened" })), Ok(unchanged()));
        assert_eq!(outcome(json!({ "zen": "x" })), Ok(drop("nothing of it is kept")));
    }

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", slim);
    }
}

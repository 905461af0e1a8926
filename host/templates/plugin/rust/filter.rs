//! {{description}}.

use hookloom_sdk::*;

/// The `config` of the step in hookloom.toml.
#[config]
struct Config {
    /// Actions that are dropped, `["labeled", "unlabeled"]` say.
    #[serde(default)]
    ignore: Vec<String>,
}

#[filter]
fn wanted(event: &Event, config: &Config) -> Result<Verdict> {
    let body: serde_json::Value = event.json()?;
    let action = body["action"].as_str().unwrap_or_default();
    if config.ignore.iter().any(|ignored| ignored == action) {
        return Ok(drop(format!("{action} is ignored")));
    }
    log::debug!(source = event.source, action = action; "passed");
    Ok(pass())
}

#[cfg(test)]
mod tests {
    use hookloom_sdk::serde_json::json;

    use super::*;

    fn verdict(action: &str) -> Result<Verdict> {
        let config = testing::parse_config(&json!({ "ignore": ["labeled"] })).unwrap();
        wanted(&testing::event("github").json(json!({ "action": action })).build(), &config)
    }

    #[test]
    fn ignored_actions_are_dropped() {
        assert_eq!(verdict("labeled"), Ok(drop("labeled is ignored")));
        assert_eq!(verdict("opened"), Ok(pass()));
    }

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", wanted);
    }
}

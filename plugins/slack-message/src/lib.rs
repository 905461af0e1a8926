//! Turns an event of GitHub or Stripe into the message of a Slack incoming webhook.

mod github;
mod mrkdwn;
mod stripe;

use hookloom_sdk::serde_json::{Value, json};
use hookloom_sdk::*;

#[config]
struct Config {
    /// How many commits of a push are listed.
    #[serde(default = "five")]
    commits: usize,
}

fn five() -> usize {
    5
}

#[transform(headers = ["x-github-event"])]
fn slack_message(event: &Event, config: &Config) -> Result<Outcome> {
    let body: Value = event.json()?;
    let text = if let Some(kind) = event.header("x-github-event") {
        github::describe(kind, &body, config.commits)
    } else if body["object"] == "event" {
        stripe::describe(&body)
    } else {
        let kind = event.event_type.as_deref().unwrap_or("an event");
        format!("*{}*: {}", mrkdwn::escape(&event.source), mrkdwn::escape(kind))
    };
    Ok(replace(Message::json(&json!({ "text": text }))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(event: &Event) -> Result<Value> {
        let Outcome::Replace(message) = slack_message(event, &Config { commits: 5 })? else {
            panic!("not replaced")
        };
        Ok(serde_json::from_slice::<Value>(&message.body.unwrap())?["text"].take())
    }

    #[test]
    fn what_is_of_neither_provider_is_named() {
        let event = testing::event("a<b").event_type("x&y").json(json!({})).build();
        assert_eq!(text(&event), Ok(json!("*a&lt;b*: x&amp;y")));
        assert_eq!(text(&testing::event("s").json(json!([1])).build()), Ok(json!("*s*: an event")));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        assert_eq!(text(&testing::event("s").body("payload=1").build()).unwrap_err().kind(), "invalid-input");
    }

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", slack_message);
    }
}

//! Reads from a response's body whether a delivery arrived, for APIs that answer 200 to
//! everything: `{"ok": false, "error": "ratelimited"}`.
//!
//! ```toml
//! [destinations.chat]
//! url = "https://slack.com/api/chat.postMessage"
//! classify = { plugin = "ok-in-body", config = { again = ["ratelimited", "service_unavailable"] } }
//! ```
//!
//! `again` are the errors that are worth another try, after `Retry-After` where the response
//! has it; any other error is final. A status other than 2xx, or a body without `ok`, is
//! for the gateway to judge.

use std::time::Duration;

use hookloom_sdk::serde_json::Value;
use hookloom_sdk::*;

#[config]
struct Config {
    again: Vec<String>,
}

#[classify]
fn ok_in_body(response: &Response, config: &Config) -> Decision {
    let Ok(body) = response.json::<Value>() else { return as_usual() };
    match body["ok"].as_bool() {
        Some(ok) if (200..300).contains(&response.status) => {
            if ok {
                done()
            } else {
                failed(body["error"].as_str().unwrap_or("no reason"), response, config)
            }
        }
        _ => as_usual(),
    }
}

fn failed(error: &str, response: &Response, config: &Config) -> Decision {
    if !config.again.iter().any(|again| again == error) {
        return dead(format!("answered {error}"));
    }
    let seconds = response.header("retry-after").and_then(|value| value.parse().ok());
    seconds.map_or(retry(), |seconds| retry_after(Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use hookloom_sdk::serde_json::json;

    use super::*;

    #[test]
    fn the_body_decides_what_a_200_means() {
        let config = Config { again: vec!["ratelimited".into()] };
        let of = |body: Value| {
            let response = testing::response(200).header("retry-after", "3").json(body);
            ok_in_body(&response.build(), &config)
        };
        assert_eq!(of(json!({ "ok": true })), done());
        assert_eq!(of(json!({ "ok": false, "error": "ratelimited" })), retry_after(Duration::from_secs(3)));
        assert_eq!(of(json!({ "ok": false, "error": "not_in_channel" })), dead("answered not_in_channel"));
        assert_eq!(of(json!({})), as_usual());
        let unavailable = testing::response(503).json(json!({ "ok": true })).build();
        assert_eq!(ok_in_body(&unavailable, &config), as_usual());
        assert_eq!(ok_in_body(&testing::response(200).body("ok").build(), &config), as_usual());
    }
}

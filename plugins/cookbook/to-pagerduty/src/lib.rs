//! Opens and resolves an incident of `PagerDuty` (Events API v2) from an alert of Prometheus'
//! Alertmanager.
//!
//! ```toml
//! [plugin.to-pagerduty]
//! grants = ["reveal:PAGERDUTY_KEY"]
//! [secrets]
//! PAGERDUTY_KEY = "env:PAGERDUTY_KEY"
//! [destinations.pagerduty]
//! url = "https://events.pagerduty.com/v2/enqueue"
//! ```
//!
//! The key belongs into the body, so that it has to be revealed, and what is sent is stored
//! with it. Alerts of one group are one incident. A body of another shape is `invalid-input`.

use hookloom_sdk::serde_json::{Value, json};
use hookloom_sdk::*;

/// The API's, in characters.
const SUMMARY: usize = 1024;

#[transform]
fn to_pagerduty(event: &Event) -> Result<Outcome> {
    let body: Value = event.json()?;
    let group = body["groupKey"].as_str().ok_or_else(|| Error::invalid_input("no groupKey"))?;
    let (labels, annotations) = (&body["commonLabels"], &body["commonAnnotations"]);
    let summary = annotations["summary"].as_str().or(labels["alertname"].as_str()).unwrap_or(group);
    let known = ["critical", "error", "warning", "info"];
    let severity = known.into_iter().find(|known| labels["severity"] == *known).unwrap_or("error");
    let incident = json!({
        "routing_key": secrets::reveal("PAGERDUTY_KEY")?,
        "event_action": if body["status"] == "resolved" { "resolve" } else { "trigger" },
        "dedup_key": group.chars().take(255).collect::<String>(),
        "payload": {
            "summary": summary.chars().take(SUMMARY).collect::<String>(),
            "source": labels["instance"].as_str().unwrap_or(&event.source),
            "severity": severity,
        },
    });
    Ok(replace(Message::json(&incident)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", to_pagerduty);
    }
}

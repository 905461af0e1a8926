//! Events and deliveries as text, one at a time and whole.

use std::fmt::Write;

use serde_json::Value;

use super::style::Style;
use super::table::{age, cell, plain};
use crate::model::Millis;

/// Characters of a body that are shown.
const EXCERPT: usize = 400;

pub(super) fn event(event: &Value, now: Millis) -> String {
    let mut text = heading(event);
    let of = |key: &str| plain(&cell(&event[key]));
    line(&mut text, "source", &of("source"));
    line(&mut text, "type", &of("type"));
    line(&mut text, "received", &instant(&event["received_at"], now));
    line(&mut text, "request", &format!("{} {}", of("method"), of("path")));
    line(&mut text, "repeats", &of("repeats"));
    for (name, value) in event["attributes"].as_object().into_iter().flatten() {
        line(&mut text, "attribute", &plain(&format!("{name}: {}", cell(value))));
    }
    // What came compressed is shown as a step sees it.
    let (read, how) = event.get("decoded").map_or((event, ""), |decoded| (decoded, " (decompressed)"));
    let bodies = ["body", "body_text", "body_base64"];
    if let Some(key) = bodies.into_iter().find(|key| read.get(*key).is_some()) {
        line(&mut text, &format!("{}{how}", key.replace('_', " ")), &excerpt(&cell(&read[key])));
    }
    for run in items(event, "runs") {
        let steps: Vec<_> = items(run, "steps").map(step).collect();
        let steps = if steps.is_empty() { String::new() } else { format!(" ({})", steps.join(", ")) };
        let generation = generation(run);
        let status =
            if run["held"] == Value::Bool(true) { "held" } else { run["status"].as_str().unwrap_or("-") };
        let what =
            format!("{}{generation}: {}{steps}{}", cell(&run["route"]), status_word(status), reason(run));
        line(&mut text, "run", &what);
    }
    for delivery in items(event, "deliveries") {
        let to = format!("{} to {}", cell(&delivery["id"]), cell(&delivery["destination"]));
        let status = status_word(delivery["status"].as_str().unwrap_or("-"));
        let attempts = &delivery["attempt_count"];
        let what = format!("{to}: {status} after {attempts} attempt(s){}", reason(delivery));
        line(&mut text, "delivery", &what);
    }
    text
}

pub(super) fn delivery(delivery: &Value, now: Millis) -> String {
    let mut text = heading(delivery);
    for key in ["event", "route", "destination", "line", "replay_of"] {
        if !delivery[key].is_null() {
            line(&mut text, &key.replace('_', " "), &plain(&cell(&delivery[key])));
        }
    }
    if delivery["generation"] != 0 {
        line(&mut text, "generation", &cell(&delivery["generation"]));
    }
    line(&mut text, "created", &instant(&delivery["created_at"], now));
    if delivery["status"] == "pending" {
        line(&mut text, "due", &due(delivery, now));
    } else {
        line(&mut text, "ended", &instant(&delivery["ended_at"], now));
    }
    line(&mut text, "reason", &plain(&cell(&delivery["reason"])));
    for attempt in items(delivery, "attempts") {
        line(&mut text, &format!("attempt {}", attempt["number"]), &self::attempt(attempt, now));
    }
    text
}

fn attempt(attempt: &Value, now: Millis) -> String {
    let outcome = match attempt["status"].as_u64() {
        Some(status) => status.to_string(),
        None => format!("{}: {}", cell(&attempt["error"]), cell(&attempt["detail"])),
    };
    let body = attempt["response_body"].as_str().filter(|body| !body.is_empty());
    let body = body.map(|body| format!(", it said: {}", excerpt(body))).unwrap_or_default();
    let next = attempt["next_due"].is_string().then(|| format!(", next {}", age(&attempt["next_due"], now)));
    let next = next.unwrap_or_default();
    let took = &attempt["duration_ms"];
    format!("{}, {} in {took} ms{next}{body}", age(&attempt["started_at"], now), plain(&outcome))
}

/// When a pending one is due; it may wait in line for those before it.
pub(super) fn due(delivery: &Value, now: Millis) -> String {
    match (delivery["status"] == "pending", delivery["due"].is_null()) {
        (false, _) => "-".into(),
        (true, true) => "in line".into(),
        (true, false) => age(&delivery["due"], now),
    }
}

fn heading(record: &Value) -> String {
    format!("{}  {}\n", cell(&record["id"]), status_word(record["status"].as_str().unwrap_or("-")))
}

fn status_word(word: &str) -> String {
    Style::of_stdout().state(word)
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a `String` does not fail.
    let _ = writeln!(text, "  {name:<12}{value}");
}

fn items<'a>(record: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    record[key].as_array().into_iter().flatten()
}

fn step(step: &Value) -> String {
    let why = step["reason"].as_str().map(|why| format!(": {}", plain(why))).unwrap_or_default();
    format!("{} says {}{why}", cell(&step["plugin"]), cell(&step["verdict"]))
}

fn generation(run: &Value) -> String {
    if run["generation"] == 0 { String::new() } else { format!(", replay {}", run["generation"]) }
}

fn reason(record: &Value) -> String {
    record["reason"].as_str().map(|why| format!(" — {}", plain(why))).unwrap_or_default()
}

fn instant(value: &Value, now: Millis) -> String {
    match value.as_str() {
        Some(at) => format!("{at} ({})", age(value, now)),
        None => "-".into(),
    }
}

fn excerpt(text: &str) -> String {
    let text = plain(text);
    if text.chars().count() <= EXCERPT { text } else { text.chars().take(EXCERPT).chain(['…']).collect() }
}

//! Which fixture becomes of an event.

use super::*;

fn step(plugin: &str, verdict: &str, reason: &Value) -> Value {
    json!({ "plugin": plugin, "digest": "d", "verdict": verdict, "reason": reason, "micros": 1 })
}

fn event(runs: &Value) -> Value {
    json!({
        "source": "s", "type": null, "method": "POST", "path": "/in/s", "query": null,
        "headers": { "content-type": "application/json", "authorization": "***" },
        "body": { "b": 1, "a": 2 },
        "id": "evt_1", "received_at": "2026-01-01T00:00:00.000Z", "status": "failed", "repeats": 0,
        "runs": runs, "deliveries": [],
    })
}

fn run(route: &str, generation: u32, steps: &Value) -> Value {
    json!({ "route": route, "generation": generation, "steps": steps })
}

fn known() -> Known {
    let steps = json!([{ "plugin": "a", "config": null }, { "plugin": "b", "config": { "n": 1 } }]);
    Known {
        routes: vec![json!({ "name": "r", "steps": steps })],
        plugins: vec![json!({ "name": "b", "serving": { "exports": ["filter", "transform"] } })],
    }
}

#[test]
fn the_failed_step_is_exported_with_its_config_and_what_it_said() {
    let steps = json!([step("a", "pass", &Value::Null), step("b", "error", &json!("why"))]);
    let exported = export(&event(&json!([run("r", 0, &steps)])), &known(), None);
    let expected = json!({
        "event": {
            "id": "evt_1", "source": "s", "received_at": "2026-01-01T00:00:00.000Z", "method": "POST",
            "path": "/in/s", "headers": { "content-type": "application/json", "authorization": "***" },
            "body": { "b": 1, "a": 2 },
        },
        "config": { "n": 1 },
        "expect": { "error": "other", "reason": "why" },
    });
    assert_eq!(exported.fixture, expected);
    assert_eq!(exported.step.as_deref(), Some("b: error"));
    assert_eq!(exported.warnings, ["masked, as plugins see it too: authorization"]);
}

#[test]
fn a_step_can_be_named_and_the_newest_run_counts() {
    let failed = json!([step("a", "drop", &json!("first")), step("b", "trap", &json!("x"))]);
    let later = json!([step("a", "drop", &json!("second"))]);
    let event = event(&json!([run("r", 0, &failed), run("r", 1, &later)]));
    let expect = |plugin| export(&event, &known(), plugin).fixture["expect"].clone();
    assert_eq!(expect(Some("a")), json!({ "verdict": "drop", "reason": "second" }));
    assert_eq!(expect(None), json!({ "error": "trap", "reason": "x" }));
}

#[test]
fn a_transforms_drop_is_its_outcome() {
    let event = event(&json!([run("r", 0, &json!([step("b", "drop", &json!("why"))]))]));
    let expect = export(&event, &known(), None).fixture["expect"].clone();
    assert_eq!(expect, json!({ "outcome": "drop", "reason": "why" }));
}

#[test]
fn what_a_file_cannot_say_is_said_beside_it() {
    let steps = json!([step("a", "replace", &Value::Null), step("c", "trap", &json!("x"))]);
    let exported = export(&event(&json!([run("gone", 0, &steps)])), &known(), None);
    assert_eq!(
        exported.warnings[1..],
        [
            "no route \"gone\" with a step c any more: its config is not known",
            "steps before c changed the event; the file has it as it was received",
        ]
    );
    let held = event(&json!([run("r", 0, &json!([step("b", "missing", &json!("not there"))]))]));
    let exported = export(&held, &known(), None);
    assert_eq!((exported.step, exported.fixture.get("expect")), (None, None));
    assert!(exported.warnings[1].contains("no step whose plugin was there"), "{:?}", exported.warnings);
}

#[test]
fn what_is_masked_is_named() {
    let mut event = event(&json!([]));
    event["query"] = json!("a=1&token=***&b");
    assert_eq!(
        masked(&event).as_deref(),
        Some("masked, as plugins see it too: authorization, token of the query")
    );
    event["headers"] = json!({});
    event["query"] = json!("a=1");
    assert_eq!(masked(&event), None);
}

#[test]
fn a_reason_that_was_cut_is_expected_as_far_as_it_goes() {
    let steps = json!([step("a", "drop", &json!("so long…"))]);
    let expect = export(&event(&json!([run("r", 0, &steps)])), &known(), None).fixture["expect"].clone();
    assert_eq!(expect, json!({ "verdict": "drop", "reason": "so long" }));
}

#[test]
fn what_came_compressed_is_exported_as_a_step_sees_it() {
    let mut event = event(&json!([]));
    event["headers"] = json!({ "content-type": "application/json", "content-encoding": "gzip" });
    event["body_base64"] = json!("H4sI");
    event["decoded"] = json!({ "body": { "a": 1 } });
    let file = event_file(&event);
    assert_eq!(
        (&file["body"], file.get("body_base64"), file.get("decoded")),
        (&json!({ "a": 1 }), None, None)
    );
    assert_eq!(file["headers"], json!({ "content-type": "application/json" }));
}

#[test]
fn json_without_a_content_type_stays_without() {
    let mut event = event(&json!([]));
    event["headers"] = json!({});
    let file = event_file(&event);
    assert_eq!((file.get("body"), &file["body_text"]), (None, &json!(r#"{"b":1,"a":2}"#)));
}

//! Sends each element of an array on its own, for providers that deliver in batches and
//! receivers that want one thing at a time.

use std::collections::BTreeSet;

use hookloom_sdk::serde_json::Value;
use hookloom_sdk::*;

/// The contract's limit on the messages of a split.
const MAX_MESSAGES: usize = 1000;

#[config]
struct Config {
    /// JSON Pointer to the array; the document itself by default.
    #[serde(default)]
    items: String,
    /// JSON Pointer to an id inside of each element. It makes the id of each delivery
    /// independent of the element's place in the batch.
    id: Option<String>,
    /// JSON Pointer to the event type inside of each element.
    r#type: Option<String>,
}

#[transform]
fn split_batch(event: &Event, config: &Config) -> Result<Outcome> {
    let body: Value = event.json()?;
    let items = body
        .pointer(&config.items)
        .and_then(Value::as_array)
        .ok_or_else(|| Error::invalid_input(format!("no array at `{}`", config.items)))?;
    if items.is_empty() {
        return Ok(drop("an empty batch"));
    }
    if items.len() > MAX_MESSAGES {
        return Err(Error::invalid_input(format!(
            "{} elements; at most {MAX_MESSAGES} are split",
            items.len()
        )));
    }
    let mut taken = BTreeSet::new();
    let messages: Result<Vec<_>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let mut message = Message::json(item)?.suffix(suffix(item, index, config, &mut taken));
            message.event_type = config.r#type.as_ref().and_then(|at| text_at(item, at));
            Ok(message)
        })
        .collect();
    Ok(split(messages?))
}

/// The element's id, where it has one that is valid and not taken; else its index.
fn suffix(item: &Value, index: usize, config: &Config, taken: &mut BTreeSet<String>) -> String {
    let id = config.id.as_ref().and_then(|at| text_at(item, at)).filter(|id| is_valid_suffix(id));
    if let Some(id) = id
        && taken.insert(id.clone())
    {
        return id;
    }
    let mut suffix = format!("item-{index}");
    while !taken.insert(suffix.clone()) {
        suffix.push('_');
    }
    suffix
}

fn text_at(item: &Value, pointer: &str) -> Option<String> {
    match item.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hookloom_sdk::serde_json::json;

    use super::*;

    fn outcome(config: &Value, body: Value) -> Result<Outcome> {
        split_batch(&testing::event("s").json(body).build(), &testing::parse_config(config).unwrap())
    }

    fn suffixes(body: Value) -> Vec<String> {
        let Ok(Outcome::Split(messages)) = outcome(&json!({"id": "/id"}), body) else { panic!("no split") };
        messages.into_iter().filter_map(|message| message.idempotency_suffix).collect()
    }

    #[test]
    fn ids_are_suffixes_where_they_can_be() {
        assert_eq!(
            suffixes(json!([{"id": "a"}, {"id": 7}, {"id": "b.c"}, {}])),
            ["a", "7", "item-2", "item-3"]
        );
    }

    #[test]
    fn suffixes_are_unique() {
        assert_eq!(suffixes(json!([{"id": "item-1"}, {"id": "item-1"}])), ["item-1", "item-1_"]);
    }

    #[test]
    fn an_array_has_to_be_there_and_of_a_size_that_can_be_sent() {
        assert_eq!(outcome(&json!({}), json!([])), Ok(drop("an empty batch")));
        let error = |config: Value, body| outcome(&config, body).unwrap_err().to_string();
        assert_eq!(error(json!({"items": "/a"}), json!({"b": []})), "invalid-input: no array at `/a`");
        let many = vec![0; MAX_MESSAGES + 1];
        assert_eq!(error(json!({}), json!(many)), "invalid-input: 1001 elements; at most 1000 are split");
    }

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", split_batch);
    }
}

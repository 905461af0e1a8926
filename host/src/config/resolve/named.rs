//! A plugin with its configuration, wherever one is named.

use std::ops::Range;

use super::Context;
use crate::model::NamedPlugin;
use crate::plugin::normalize;

/// The plugin as it is called, with its configuration as JSON text.
pub(super) fn plugin(
    context: &mut Context<'_>,
    span: Range<usize>,
    name: &str,
    config: Option<&toml::Table>,
) -> Option<NamedPlugin> {
    if name.is_empty() {
        context.error(span, "no plugin is named", "write the stem of its file in the plugins folder");
        return None;
    }
    let config = match config {
        None => "null".to_owned(),
        Some(table) => match json(&toml::Value::Table(table.clone())) {
            Some(value) => value.to_string(),
            None => {
                context.error(span, "the plugin's config has a number that JSON cannot write", "");
                return None;
            }
        },
    };
    Some(NamedPlugin { plugin: normalize(name), config })
}

/// TOML as JSON; dates become text. `None`: a number that JSON does not have.
fn json(value: &toml::Value) -> Option<serde_json::Value> {
    use serde_json::Value;
    Some(match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::Number(serde_json::Number::from_f64(*number)?),
        toml::Value::Boolean(truth) => Value::from(*truth),
        toml::Value::Datetime(date) => Value::from(date.to_string()),
        toml::Value::Array(items) => Value::Array(items.iter().map(json).collect::<Option<_>>()?),
        toml::Value::Table(table) => {
            let pairs = table.iter().map(|(key, value)| Some((key.clone(), json(value)?)));
            Value::Object(pairs.collect::<Option<_>>()?)
        }
    })
}

//! Reads a step's configuration into the plugin's own type.

use serde::de::DeserializeOwned;

use crate::json;

/// A step without a configuration (`null`) is one with an empty one, so that a plugin
/// whose settings all have defaults needs none; a type that only takes `null` gets it.
pub(crate) fn parse<Config: DeserializeOwned>(text: &str) -> Result<Config, String> {
    if is_null(text) {
        return serde_json::from_str("{}")
            .or_else(|error| serde_json::from_str("null").map_err(|_| without_position(&error)));
    }
    serde_json::from_str(text).map_err(|error| json::explain(text.as_bytes(), &error))
}

/// A plugin that has no settings refuses some, rather than silently ignore them.
pub(crate) fn expect_none(text: &str) -> Result<(), String> {
    if is_null(text)
        || matches!(serde_json::from_str(text), Ok(serde_json::Value::Object(map)) if map.is_empty())
    {
        return Ok(());
    }
    Err("this plugin takes no config".to_owned())
}

fn is_null(text: &str) -> bool {
    text.trim().is_empty() || text.trim() == "null"
}

/// The text that the position is in is not the user's.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Config {
        paths: Vec<String>,
    }

    #[test]
    fn a_refusal_names_the_field() {
        let parse = |text| parse::<Config>(text).unwrap_err();
        assert!(parse(r#"{"pahts": []}"#).contains("unknown field `pahts`, expected `paths`"));
        assert!(parse(r#"{"paths": "x"}"#).starts_with("/paths: invalid type: string \"x\""));
        assert!(parse(r#"{"paths": ["a", 3]}"#).starts_with("/paths/1: invalid type: integer `3`"));
        assert_eq!(parse("null"), "missing field `paths`");
    }

    #[test]
    fn no_config_is_an_empty_one() {
        #[derive(serde::Deserialize, Debug, PartialEq)]
        struct Defaults {
            #[serde(default)]
            paths: Vec<String>,
        }
        assert_eq!(parse::<Defaults>("null"), Ok(Defaults { paths: vec![] }));
        assert_eq!(parse::<Option<Config>>("null"), Ok(None));
    }

    #[test]
    fn a_plugin_without_settings_takes_none() {
        assert_eq!(expect_none("null"), Ok(()));
        assert_eq!(expect_none("{}"), Ok(()));
        assert!(expect_none(r#"{"a": 1}"#).is_err());
    }
}

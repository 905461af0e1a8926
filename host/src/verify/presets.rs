//! The presets, by name.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::SchemeError;
use super::config::VerifyConfig;

static PRESETS: LazyLock<BTreeMap<String, VerifyConfig>> =
    LazyLock::new(|| toml::from_str(include_str!("presets.toml")).expect("presets.toml is tested to parse"));

/// The names of all presets, in alphabetical order.
pub fn preset_names() -> impl Iterator<Item = &'static str> {
    PRESETS.keys().map(String::as_str)
}

/// The preset of that name.
pub(super) fn find(name: &str) -> Result<&'static VerifyConfig, SchemeError> {
    PRESETS.get(name).ok_or_else(|| SchemeError::Unknown { name: name.to_owned() })
}

//! What a plugin says of itself.

/// What a plugin says of itself. The attributes' arguments are its methods:
/// `#[filter(description = "…", body = false)]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// For people; the gateway's name for a plugin is its file's stem.
    pub name: String,
    /// The plugin's own version.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// `false`: events come with an empty body.
    pub needs_body: bool,
    /// The headers that events come with, lower case; `None`: all.
    pub header_names: Option<Vec<String>>,
    /// JSON Schema of the configuration.
    pub config_schema: Option<String>,
}

impl Metadata {
    /// What the plugin's `Cargo.toml` says.
    #[doc(hidden)]
    pub fn of_package(name: &str, version: &str, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            description: description.to_owned(),
            needs_body: true,
            header_names: None,
            config_schema: None,
        }
    }

    /// Instead of the package's name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Instead of the package's version.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Instead of the package's description.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// The headers the plugin reads: events then come with these alone, which is
    /// cheaper.
    #[must_use]
    pub fn headers<Name: Into<String>>(mut self, names: impl IntoIterator<Item = Name>) -> Self {
        self.header_names = Some(names.into_iter().map(|name| name.into().to_ascii_lowercase()).collect());
        self
    }

    /// Whether the plugin reads the body: events come without it otherwise, which is
    /// cheaper.
    #[must_use]
    pub fn body(mut self, needed: bool) -> Self {
        self.needs_body = needed;
        self
    }

    /// JSON Schema of the configuration.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.config_schema = Some(schema.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_needed_unless_said_otherwise() {
        let metadata = Metadata::of_package("a", "1.0.0", "b");
        assert!(metadata.needs_body);
        assert_eq!(metadata.header_names, None);
    }

    #[test]
    fn header_names_are_lower_case() {
        let metadata = Metadata::of_package("a", "1.0.0", "b").headers(["X-GitHub-Event"]).body(false);
        assert_eq!(metadata.header_names, Some(vec!["x-github-event".to_owned()]));
        assert!(!metadata.needs_body);
    }
}

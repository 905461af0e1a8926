//! Why a call has no result.

use std::fmt;

/// `std`'s, with the SDK's error unless another is named.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why a call has no result. What the gateway does then is the step's `on_error`,
/// except for [`Misconfigured`](Self::Misconfigured), which holds the run until the
/// plugin or its configuration changes.
///
/// `?` makes one of a `serde_json::Error` or a failed UTF-8 conversion (the event is
/// not what the plugin understands), and of a string ([`Other`](Self::Other)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The event is not what this plugin understands.
    InvalidInput(String),
    /// The plugin cannot work as it is configured.
    Misconfigured(String),
    /// Something that may be otherwise on a later try.
    Retry(String),
    /// Anything else.
    Other(String),
}

impl Error {
    /// The event is not what this plugin understands.
    pub fn invalid_input(message: impl fmt::Display) -> Self {
        Self::InvalidInput(message.to_string())
    }

    /// The plugin cannot work as it is configured.
    pub fn misconfigured(message: impl fmt::Display) -> Self {
        Self::Misconfigured(message.to_string())
    }

    /// Something that may be otherwise on a later try.
    pub fn retry(message: impl fmt::Display) -> Self {
        Self::Retry(message.to_string())
    }

    /// Anything else.
    pub fn other(message: impl fmt::Display) -> Self {
        Self::Other(message.to_string())
    }

    /// The contract's name of the case: `invalid-input`, `misconfigured`, `retry` or
    /// `other`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::InvalidInput(_) => "invalid-input",
            Self::Misconfigured(_) => "misconfigured",
            Self::Retry(_) => "retry",
            Self::Other(_) => "other",
        }
    }

    /// The text, without the case.
    pub fn message(&self) -> &str {
        match self {
            Self::InvalidInput(text) | Self::Misconfigured(text) | Self::Retry(text) | Self::Other(text) => {
                text
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind(), self.message())
    }
}

impl std::error::Error for Error {}

/// With line and column; [`Event::json`](crate::Event::json) adds the place in the
/// document.
impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::invalid_input(error)
    }
}

impl From<std::str::Utf8Error> for Error {
    fn from(error: std::str::Utf8Error) -> Self {
        Self::invalid_input(error)
    }
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Self::Other(message)
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Self::Other(message.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_error_is_the_events_fault_and_keeps_its_position() {
        let error = Error::from(serde_json::from_str::<u8>("\n 300").unwrap_err());
        assert_eq!(
            error.to_string(),
            "invalid-input: invalid value: integer `300`, expected u8 at line 2 column 4"
        );
    }

    #[test]
    fn a_bare_string_is_other() {
        assert_eq!(Error::from("no"), Error::Other("no".to_owned()));
    }
}

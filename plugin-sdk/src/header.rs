//! Named values of a request, a response or an event.

/// One HTTP header. A name that occurs several times is several headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Lower case.
    pub name: String,
    /// Bytes of a received value that are not UTF-8 read as U+FFFD.
    pub value: String,
}

impl Header {
    /// With its name in lower case.
    pub(crate) fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        let mut name = name.into();
        name.make_ascii_lowercase();
        Self { name, value: value.into() }
    }
}

/// A named fact about an event that is not part of the request itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Unique within its event.
    pub name: String,
    /// Free text.
    pub value: String,
}

/// Every value of a header, in order, whatever the case of `name`.
pub(crate) fn values<'a>(headers: &'a [Header], name: &str) -> impl Iterator<Item = &'a str> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value.as_str())
}

//! Passes only events with one of some values in a header.
//!
//! ```toml
//! steps = [{ plugin = "by-header", config = { header = "x-shopify-shop-domain", values = ["acme.myshopify.com"] } }]
//! ```
//!
//! Values are compared in any case; a header that occurs several times passes with any of
//! them. Everything else is dropped. The body is never read, so that events come without it.

use hookloom_sdk::*;

#[config]
struct Config {
    header: String,
    values: Vec<String>,
}

#[filter(body = false)]
fn by_header(event: &Event, config: &Config) -> Result<Verdict> {
    if config.values.is_empty() {
        return Err(Error::misconfigured("`values` is empty: nothing would pass"));
    }
    let wanted = |found: &str| config.values.iter().any(|value| value.eq_ignore_ascii_case(found));
    if event.headers(&config.header).any(wanted) {
        return Ok(pass());
    }
    let found = event.header(&config.header).unwrap_or("missing");
    Ok(drop(format!("{} is {found}", config.header)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", by_header);
    }
}

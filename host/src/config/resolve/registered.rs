//! The URLs that providers know.

use super::Context;
use crate::config::file::Text;

/// Whether that is a URL that requests come below. It is signed as it is written, so it is
/// judged and not normalised.
pub(super) fn check(context: &mut Context<'_>, written: &Text) -> bool {
    let text = written.get_ref();
    if text.contains(['?', '#']) {
        let remedy = "leave the query out: that of the request is used";
        context.error(written.span(), "`public_url` is a URL without query and fragment", remedy);
        return false;
    }
    let is_http = url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !is_http {
        let remedy = "write it as the provider shows it, like \"https://hooks.example.com\"";
        context.error(written.span(), format!("`{text}` is not the URL of a receiver"), remedy);
    }
    is_http
}

/// Where a source is below the URL of the whole gateway.
pub(super) fn of_source(base: &str, name: &str) -> String {
    format!("{}/in/{name}", base.trim_end_matches('/'))
}

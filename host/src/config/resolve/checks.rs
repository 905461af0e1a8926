//! The secrets of the checks in `verify.all` and `verify.any`.

use std::collections::BTreeMap;

use toml::Spanned;

use super::Context;
use crate::config::secret::Secret;
use crate::verify::VerifyConfig;

/// What the references in them stand for. `None` where one cannot be read, which is said.
pub(super) fn secrets(
    context: &mut Context<'_>,
    source: &str,
    verify: Option<&VerifyConfig>,
) -> Option<BTreeMap<String, Secret>> {
    let mut references = Vec::new();
    if let Some(verify) = verify {
        collect(verify, "verify", &mut references);
    }
    let mut known = BTreeMap::new();
    let mut is_whole = true;
    for (path, reference) in references {
        // Said of an empty one: which check it is in.
        if reference.is_empty() {
            continue;
        }
        let place = context.report.locate(&["sources", source, &path]).unwrap_or_default();
        match context.secret(&Spanned::new(place, reference.to_owned()), true) {
            Some(secret) => {
                known.insert(reference.to_owned(), secret);
            }
            None => is_whole = false,
        }
    }
    is_whole.then_some(known)
}

/// Every reference with its path in the source's table.
fn collect<'v>(verify: &'v VerifyConfig, path: &str, references: &mut Vec<(String, &'v str)>) {
    let own = verify.secrets.iter().flatten().enumerate();
    references.extend(own.map(|(at, reference)| (format!("{path}.secrets[{at}]"), reference.as_str())));
    for (word, checks) in [("all", &verify.all), ("any", &verify.any)] {
        for (at, check) in checks.iter().flatten().enumerate() {
            collect(check, &format!("{path}.{word}[{at}]"), references);
        }
    }
}

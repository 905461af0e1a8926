//! Schemas of a source: read, compiled, and what becomes of bodies that do not match.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::Context;
use crate::config::file;
use crate::ingest::{OnInvalid, Schema, Schemas};
use crate::model::EventTypePattern;

/// Bytes of a schema's file: a slip, not a schema, is larger.
const MAX_FILE: u64 = 4 << 20;

pub(super) fn schemas(context: &mut Context<'_>, written: &file::Source) -> Option<Schemas> {
    let on_invalid = on_invalid(context, written);
    let files = written.schema.as_ref()?;
    let mut rules = Vec::new();
    for (pattern, file) in &files.get_ref().0 {
        let schema = schema(context, file, files.span())?;
        rules.push((EventTypePattern::new(pattern.as_str()), Arc::new(schema)));
    }
    Some(Schemas::new(rules, on_invalid))
}

fn on_invalid(context: &mut Context<'_>, written: &file::Source) -> OnInvalid {
    let Some(word) = &written.on_invalid else { return OnInvalid::default() };
    if written.schema.is_none() {
        context.error(word.span(), "without a `schema` nothing is invalid", "set `schema` to a file");
    }
    match word.get_ref().as_str() {
        "reject" => OnInvalid::Reject,
        "dead" => OnInvalid::Dead,
        "pass" => OnInvalid::Pass,
        other => {
            let message = format!("`{other}` does not say what becomes of an invalid body");
            context.error(word.span(), message, "write \"reject\", \"dead\" or \"pass\"");
            OnInvalid::default()
        }
    }
}

fn schema(context: &mut Context<'_>, name: &str, span: Range<usize>) -> Option<Schema> {
    let file = context.base.join(Path::new(name));
    let shown = file.display();
    let refused = match read(&file) {
        Err(error) => format!("{shown} cannot be read: {error}"),
        Ok(text) => match serde_json::from_slice(&text) {
            // Its line and column are in the error.
            Err(error) => format!("{shown} is not JSON: {error}"),
            Ok(value) => match Schema::compile(&value) {
                Ok(schema) => return Some(schema),
                Err(fault) => format!("{shown} is not a schema: {fault}"),
            },
        },
    };
    context.error(span, refused, "");
    None
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let size = std::fs::metadata(file)?.len();
    if size > MAX_FILE {
        return Err(std::io::Error::other(format!("it has {size} bytes, and {MAX_FILE} are enough")));
    }
    std::fs::read(file)
}

//! Whether saying why a body does not match a schema can take long. Pure.
//!
//! Whether it matches is found out once for each part of the body. But what is said of
//! alternatives is collected for each of them, and where a schema refers to itself they
//! multiply with every level of the body: a small body could keep a processor for years.

use serde_json::Value;

/// Paths through references that are followed to explain.
const PATHS: usize = 100_000;

/// What matters of a schema's references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum References {
    /// None leads back: what there is to say is bounded by the schema.
    End,
    /// There are so many, and some may lead back.
    LeadBack(usize),
}

struct Reference {
    /// Where it stands.
    place: String,
    /// What it leads to; `None`: not a pointer into the schema.
    target: Option<String>,
}

impl References {
    pub(super) fn of(schema: &Value) -> Self {
        let mut all = Vec::new();
        collect(schema, &mut String::new(), &mut all);
        if leads_back(&all) { Self::LeadBack(all.len()) } else { Self::End }
    }

    /// Whether a body can be explained in time.
    pub(super) fn allow(self, body: &Value) -> bool {
        match self {
            Self::End => true,
            Self::LeadBack(count) => (0..depth(body))
                .try_fold(1, |paths: usize, _| paths.checked_mul(count).filter(|paths| *paths <= PATHS))
                .is_some(),
        }
    }
}

/// Levels of a body, at most as many as the parser allows.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn collect(value: &Value, place: &mut String, all: &mut Vec<Reference>) {
    let mut below = |name: &str, value: &Value| {
        let length = place.len();
        place.push('/');
        place.push_str(&name.replace('~', "~0").replace('/', "~1"));
        if let (true, Value::String(target)) = (is_reference(name), value) {
            let pointer = target.strip_prefix('#').filter(|rest| rest.is_empty() || rest.starts_with('/'));
            let target = pointer.filter(|_| name == "$ref").map(str::to_owned);
            all.push(Reference { place: place.clone(), target });
        }
        collect(value, place, all);
        place.truncate(length);
    };
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| below(&at.to_string(), item)),
        Value::Object(object) => object.iter().for_each(|(name, value)| below(name, value)),
        _ => {}
    }
}

fn is_reference(name: &str) -> bool {
    ["$ref", "$dynamicRef", "$recursiveRef"].contains(&name)
}

/// Whether a walk from reference to reference comes to one twice. Each goes on to those
/// that stand below what it leads to; one that is no pointer may lead anywhere.
fn leads_back(all: &[Reference]) -> bool {
    if all.iter().any(|reference| reference.target.is_none()) {
        return true;
    }
    let follows = |from: usize, to: usize| {
        let target = all[from].target.as_deref().unwrap_or_default();
        all[to].place.strip_prefix(target).is_some_and(|rest| rest.starts_with('/'))
    };
    // References that nothing left leads to are taken away, until only circles are left.
    let mut left: Vec<usize> = (0..all.len()).collect();
    loop {
        let before = left.len();
        let kept = left.iter().copied().filter(|to| left.iter().any(|from| follows(*from, *to)));
        left = kept.collect();
        if left.len() == before {
            return before > 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn circles_are_found() {
        let end = |schema: &Value| References::of(schema) == References::End;
        assert!(end(&json!({ "properties": { "a": { "type": "string" } } })));
        assert!(end(&json!({
            "properties": { "a": { "$ref": "#/$defs/a" }, "b": { "$ref": "#/$defs/a" } },
            "$defs": { "a": { "items": { "$ref": "#/$defs/b" } }, "b": { "type": "string" } }
        })));
        // A property may be called like one.
        assert!(end(&json!({ "properties": { "$ref": { "type": "string" } } })));
        for schema in [
            json!({ "items": { "$ref": "#" } }),
            json!({ "$ref": "#/$defs/a", "$defs": { "a": { "items": { "$ref": "#/$defs/a" } } } }),
            json!({ "$defs": { "a": { "not": { "$ref": "#/$defs/b" } }, "b": { "not": { "$ref": "#/$defs/a" } } } }),
            json!({ "$defs": { "a": { "$anchor": "x" } }, "$ref": "#x" }),
            json!({ "items": { "$dynamicRef": "#node" } }),
        ] {
            assert!(!end(&schema), "{schema}");
        }
    }

    #[test]
    fn what_multiplies_is_explained_as_far_as_it_is_small() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner, { "a": 1 }]));
        assert!(References::End.allow(&nested(100)));
        assert!(References::LeadBack(1).allow(&nested(100)));
        assert!(References::LeadBack(2).allow(&nested(15)));
        assert!(!References::LeadBack(2).allow(&nested(16)));
        assert!(!References::LeadBack(usize::MAX).allow(&nested(2)));
    }
}

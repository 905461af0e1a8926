//! Where in a file a key is, by its path: for what is only checked once it is understood.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The place of the key, or of the list's element, that the path leads to; where the path
/// leads further than the file does, that of the last step. `["sources", "a",
/// "verify.all[1].secrets[0]"]` has the steps of all its parts.
pub(super) fn locate(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let root = DeTable::parse(text).ok()?;
    let mut at: Option<&DeValue<'_>> = None;
    let mut place = None;
    for step in path.iter().flat_map(|part| part.split(['.', '['])) {
        let (span, next) = match (at, step.strip_suffix(']')) {
            (Some(value), Some(index)) => element(value, index),
            (None, _) => member(root.get_ref(), step),
            (Some(value), None) => value.as_table().and_then(|table| member(table, step)),
        }
        .map_or((None, None), |(span, next)| (Some(span), Some(next)));
        if next.is_none() {
            break;
        }
        (place, at) = (span, next);
    }
    place
}

type Found<'t, 'i> = Option<(Range<usize>, &'t DeValue<'i>)>;

fn member<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Found<'t, 'i> {
    let (key, value) = table.iter().find(|(key, _)| *key.get_ref() == name)?;
    Some((key.span(), value.get_ref()))
}

fn element<'t, 'i>(value: &'t DeValue<'i>, index: &str) -> Found<'t, 'i> {
    let element: &Spanned<_> = value.as_array()?.get(index.parse::<usize>().ok()?)?;
    Some((element.span(), element.get_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        const TEXT: &str = "[sources.a]\nsecrets = [\"x\", \"y\"]\n[sources.a.verify]\nid.json = \"/id\"\n\
                            all = [\n  { preset = \"p\" },\n  { secrets = [\n    \"z\"] },\n]\n";
        for (path, line) in [
            (&["sources", "a", "secrets"][..], Some(2)),
            (&["sources", "a", "secrets[1]"], Some(2)),
            (&["sources", "a", "verify"], Some(3)),
            (&["sources", "a", "verify.signature"], Some(3)),
            (&["sources", "a", "verify.id.json"], Some(4)),
            (&["sources", "a", "verify.all[1]"], Some(7)),
            (&["sources", "a", "verify.all[1].secrets[0]"], Some(8)),
            (&["sources", "a", "verify.all[0].preset"], Some(6)),
            (&["sources", "a", "verify.all[7].preset"], Some(5)),
            (&["sources", "b"], Some(1)),
            (&["other"], None),
        ] {
            let found = locate(TEXT, path).map(|place| TEXT[..place.start].matches('\n').count() + 1);
            assert_eq!(found, line, "{path:?}");
        }
        assert_eq!(locate("not toml", &["a"]), None);
    }
}

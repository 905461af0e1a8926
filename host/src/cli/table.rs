//! Aligned columns for people: ages instead of instants, colours on a terminal.

use serde_json::Value;

use super::style::Style;
use crate::model::{Millis, parse_rfc3339};

/// Between two columns.
const GAP: &str = "  ";

/// Rows under their headings.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    style: Style,
}

impl Table {
    pub(super) fn new(headings: &[&str]) -> Self {
        let headings = headings.iter().map(|&heading| heading.to_owned()).collect();
        Self { rows: vec![headings], style: Style::of_stdout() }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| plain(&cell)).into());
    }

    pub(super) fn render(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells: Vec<_> =
                row.iter().zip(&widths).map(|(cell, width)| self.cell(cell, *width)).collect();
            text.push_str(cells.join(GAP).trim_end());
            text.push('\n');
        }
        text
    }

    fn cell(&self, cell: &str, width: usize) -> String {
        let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
        format!("{}{padding}", self.style.state(cell))
    }
}

/// What senders wrote, without what a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A JSON value as a cell.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// An instant of the API as an age.
pub(super) fn age(value: &Value, now: Millis) -> String {
    let Some(at) = value.as_str().and_then(parse_rfc3339) else { return "-".into() };
    if at > now {
        format!("in {}", span(now.until(at).as_secs()))
    } else {
        format!("{} ago", span(at.until(now).as_secs()))
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

/// Bytes, with the unit that leaves few digits.
pub(super) fn size(value: &Value) -> String {
    value.as_u64().map_or_else(|| "-".into(), |bytes| bytesize::ByteSize(bytes).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_by_characters() {
        let mut table = Table { style: Style::PLAIN, ..Table::new(&["NAME", "STATUS", "X"]) };
        table.row(["grüße".into(), "dead".into(), String::new()]);
        table.row(["a".into(), "pending".into(), "y\u{1b}[31m\n".into()]);
        assert_eq!(
            table.render(),
            "NAME   STATUS   X\ngrüße  dead\na      pending  y\u{fffd}[31m\u{fffd}\n",
            "and nothing in them is obeyed"
        );
        table.style = Style::COLOURED;
        let coloured = table.render();
        for cell in ["grüße  \u{1b}[31mdead\u{1b}[0m\n", "a      \u{1b}[33mpending\u{1b}[0m  y"] {
            assert!(coloured.contains(cell), "padding is counted without colours: {coloured:?}");
        }
    }

    #[test]
    fn ages_have_one_unit() {
        let now = parse_rfc3339("2026-01-31T12:00:00Z").unwrap();
        let table = [
            ("2026-01-31T12:00:00Z", "0s ago"),
            ("2026-01-31T11:59:01Z", "59s ago"),
            ("2026-01-31T11:56:30Z", "3m ago"),
            ("2026-01-31T10:00:01Z", "1h ago"),
            ("2026-01-28T12:00:00Z", "3d ago"),
            ("2026-01-31T12:05:00Z", "in 5m"),
        ];
        for (at, expected) in table {
            assert_eq!(age(&json!(at), now), expected);
        }
        assert_eq!(age(&Value::Null, now), "-");
    }
}

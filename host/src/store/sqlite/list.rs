//! The list of events: walked by number, newest first, a bounded part at a time.

use rusqlite::{Connection, Row};

use super::encoding::{to_i64, to_u64};
use super::standing;
use crate::model::{EventId, Millis};
use crate::store::{EventFilter, EventSummary, Page, PageOf, StoreError};

/// Events that a page looks at: a filter that hardly anything passes must not read the
/// whole table on one connection.
pub(super) const LOOK_AT: usize = 5_000;

/// The columns before the large ones; `length` reads a row's header and not the body.
const SELECT: &str = "SELECT e.seq, e.id, e.source, e.type, e.received_at, e.repeats, length(e.body) \
                      FROM events e WHERE e.seq < ?1 ORDER BY e.seq DESC LIMIT ?2";

/// A page of the events that pass `filter`, from among `look_at` events at most.
pub(super) fn events(
    conn: &Connection,
    filter: &EventFilter,
    page: &Page,
    look_at: usize,
) -> Result<PageOf<EventSummary>, StoreError> {
    let before: i64 = match &page.cursor {
        None => i64::MAX,
        Some(cursor) => cursor.parse().map_err(|_| StoreError::BadCursor)?,
    };
    let limit = page.limit.max(1);
    let mut items = Vec::new();
    let (mut looked_at, mut last) = (0, before);
    let mut select = conn.prepare_cached(SELECT)?;
    // One more than is looked at tells whether there is a next page.
    let mut rows = select.query([before, to_i64(look_at).saturating_add(1)])?;
    while let Some(row) = rows.next()? {
        if items.len() == limit || looked_at == look_at {
            return Ok(PageOf { items, next: Some(last.to_string()) });
        }
        looked_at += 1;
        last = row.get(0)?;
        items.extend(summary(conn, filter, last, row)?);
    }
    Ok(PageOf { items, next: None })
}

/// The event, if it passes. Its status costs two more look-ups, so it comes last.
fn summary(
    conn: &Connection,
    filter: &EventFilter,
    seq: i64,
    row: &Row<'_>,
) -> Result<Option<EventSummary>, StoreError> {
    let EventFilter { source, event_type: pattern, state, since, until } = filter;
    let received_at = Millis(row.get(4)?);
    if since.is_some_and(|since| received_at < since) || until.is_some_and(|until| received_at >= until) {
        return Ok(None);
    }
    if let Some(source) = source
        && row.get_ref(2)?.as_str()? != source
    {
        return Ok(None);
    }
    if let Some(pattern) = pattern
        && !row.get_ref(3)?.as_str_or_null()?.is_some_and(|name| pattern.matches(name))
    {
        return Ok(None);
    }
    let found = standing::of(conn, seq)?.state();
    if state.is_some_and(|state| state != found) {
        return Ok(None);
    }
    Ok(Some(EventSummary {
        id: EventId::from_text(row.get::<_, String>(1)?),
        source: row.get(2)?,
        event_type: row.get(3)?,
        received_at,
        state: found,
        repeats: to_u64(row.get(5)?),
        size: to_u64(row.get(6)?),
    }))
}

//! What is shown of events and deliveries.

use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, Row};

use super::codes::{delivery_state, to_delivery_state, to_run_state};
use super::encoding::{ATTEMPT, EVENT, attempt, event as to_event, to_i64, to_u64};
use crate::model::{Attempt, DeliveryId, DeliveryState, EventId, Millis};
use crate::store::{DeliveryFilter, DeliveryRecord, EventRecord, Page, PageOf, RunRecord, StoreError};

/// The columns of [`to_delivery`].
const DELIVERY: &str = "d.n, d.id, e.id, d.route, d.destination, d.generation, d.state, d.attempts, d.due, \
                        d.created_at, d.ended_at, d.line, d.replay_of, d.reason";

pub(super) fn event(conn: &Connection, id: &EventId) -> Result<Option<EventRecord>, StoreError> {
    let mut select =
        conn.prepare_cached(&format!("SELECT e.seq, e.repeats, {EVENT} FROM events e WHERE e.id = ?1"))?;
    let mut rows = select.query([id.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let seq = row.get(0)?;
    Ok(Some(EventRecord {
        event: to_event(row, 2)?,
        runs: runs(conn, seq)?,
        deliveries: deliveries_of(conn, seq)?,
        repeats: to_u64(row.get(1)?),
    }))
}

fn runs(conn: &Connection, seq: i64) -> Result<Vec<RunRecord>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT route, generation, state, reason, attempts, due, steps FROM runs \
         WHERE event = ?1 ORDER BY route, generation",
    )?;
    select.query_and_then([seq], to_run)?.collect()
}

fn to_run(row: &Row<'_>) -> Result<RunRecord, StoreError> {
    let (state, held) = to_run_state(row.get(2)?)?;
    let steps: Option<String> = row.get(6)?;
    Ok(RunRecord {
        route: row.get(0)?,
        generation: row.get(1)?,
        state,
        held,
        reason: row.get(3)?,
        attempts: row.get(4)?,
        due: row.get::<_, Option<i64>>(5)?.map(Millis),
        steps: steps.as_deref().map_or(Ok(Vec::new()), serde_json::from_str)?,
    })
}

/// Found by the ranges of numbers that the event's runs keep.
fn deliveries_of(conn: &Connection, seq: i64) -> Result<Vec<DeliveryRecord>, StoreError> {
    let mut select = conn.prepare_cached(&format!(
        "SELECT {DELIVERY} FROM runs r \
         CROSS JOIN deliveries d ON d.n BETWEEN r.first_delivery AND r.last_delivery \
         AND d.event = r.event AND d.route = r.route AND d.generation = r.generation \
         CROSS JOIN events e ON e.seq = d.event \
         WHERE r.event = ?1 ORDER BY d.n"
    ))?;
    select.query_and_then([seq], to_delivery)?.collect()
}

fn to_delivery(row: &Row<'_>) -> Result<DeliveryRecord, StoreError> {
    Ok(DeliveryRecord {
        id: DeliveryId::from_text(row.get::<_, String>(1)?),
        event: EventId::from_text(row.get::<_, String>(2)?),
        route: row.get(3)?,
        destination: row.get(4)?,
        generation: row.get(5)?,
        state: to_delivery_state(row.get(6)?)?,
        attempts: row.get(7)?,
        due: row.get::<_, Option<i64>>(8)?.map(Millis),
        created_at: Millis(row.get(9)?),
        ended_at: row.get::<_, Option<i64>>(10)?.map(Millis),
        line: row.get(11)?,
        replay_of: row.get::<_, Option<String>>(12)?.map(DeliveryId::from_text),
        reason: row.get(13)?,
    })
}

pub(super) fn delivery(
    conn: &Connection,
    id: &DeliveryId,
) -> Result<Option<(DeliveryRecord, Vec<Attempt>)>, StoreError> {
    let found = conn
        .prepare_cached(&format!(
            "SELECT {DELIVERY} FROM deliveries d JOIN events e ON e.seq = d.event WHERE d.id = ?1"
        ))?
        .query_row([id.as_str()], |row| Ok((row.get::<_, i64>(0)?, to_delivery(row))))
        .optional()?;
    let Some((number, record)) = found else { return Ok(None) };
    let mut select =
        conn.prepare_cached(&format!("SELECT {ATTEMPT} FROM attempts WHERE delivery = ?1 ORDER BY ordinal"))?;
    let attempts = select.query_and_then([number], attempt)?.collect::<Result<_, _>>()?;
    Ok(Some((record?, attempts)))
}

pub(super) fn deliveries(
    conn: &Connection,
    filter: &DeliveryFilter,
    page: &Page,
) -> Result<PageOf<DeliveryRecord>, StoreError> {
    let before = match &page.cursor {
        None => i64::MAX,
        Some(cursor) => cursor.parse().map_err(|_| StoreError::BadCursor)?,
    };
    let limit = page.limit.max(1);
    // One more than is shown tells whether there is a next page.
    let fetch = to_i64(limit).saturating_add(1);
    let span = Span::of(conn, filter)?;
    let before = before.min(span.before);
    let mut params: Vec<(&str, &dyn ToSql)> =
        vec![(":from", &span.from), (":before", &before), (":limit", &fetch)];
    let (since, until) = (filter.since.map(|at| at.0), filter.until.map(|at| at.0));
    if let Some(destination) = &filter.destination {
        params.push((":destination", destination));
    }
    if let Some(since) = &since {
        params.push((":since", since));
    }
    if let Some(until) = &until {
        params.push((":until", until));
    }
    let mut select = conn.prepare_cached(&list(filter))?;
    let mut items = Vec::new();
    let mut last = 0;
    let mut rows = select.query(&params[..])?;
    while let Some(row) = rows.next()? {
        if items.len() == limit {
            return Ok(PageOf { items, next: Some(format!("{last}")) });
        }
        last = row.get::<_, i64>(0)?;
        items.push(to_delivery(row)?);
    }
    Ok(PageOf { items, next: None })
}

/// Numbers of deliveries, from the first to before the last.
struct Span {
    from: i64,
    before: i64,
}

impl Span {
    /// Numbers grow with the time of creation, so those of a span of time are found by
    /// halving, however many there are. (What was created while the wall clock stood
    /// wrong by hours is found by its number only.)
    fn of(conn: &Connection, filter: &DeliveryFilter) -> Result<Self, StoreError> {
        let first = |at: Option<Millis>| at.map(|at| first_since(conn, at)).transpose();
        Ok(Self {
            from: first(filter.since)?.unwrap_or(i64::MIN),
            before: first(filter.until)?.unwrap_or(i64::MAX),
        })
    }
}

/// The number from which on deliveries were created at `at` or later.
fn first_since(conn: &Connection, at: Millis) -> Result<i64, StoreError> {
    let (mut low, mut high) = conn
        .prepare_cached("SELECT (SELECT min(n) FROM deliveries), max(n) + 1 FROM deliveries")?
        .query_row([], |row| {
            Ok((row.get::<_, Option<i64>>(0)?.unwrap_or(0), row.get::<_, Option<i64>>(1)?.unwrap_or(0)))
        })?;
    let mut probe =
        conn.prepare_cached("SELECT n, created_at FROM deliveries WHERE n >= ?1 ORDER BY n LIMIT 1")?;
    while low < high {
        let middle = low + (high - low) / 2;
        let (number, created): (i64, i64) =
            probe.query_row([middle], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if created < at.0 {
            low = number + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// The numbers are found in the narrowest index; only then rows are read.
pub(super) fn list(filter: &DeliveryFilter) -> String {
    let index = match (filter.state, &filter.destination) {
        (Some(DeliveryState::Pending), _) => "INDEXED BY deliveries_due",
        (Some(DeliveryState::Dead | DeliveryState::Cancelled), _) => "INDEXED BY deliveries_given_up",
        (_, Some(_)) => "INDEXED BY deliveries_destination",
        (_, None) => "NOT INDEXED",
    };
    let state = match filter.state {
        None => String::new(),
        // A partial index is used where its own condition is repeated.
        Some(state @ (DeliveryState::Dead | DeliveryState::Cancelled)) => {
            format!(" AND state >= 2 AND state = {}", delivery_state(state))
        }
        Some(state) => format!(" AND state = {}", delivery_state(state)),
    };
    let destination = if filter.destination.is_some() { " AND destination = :destination" } else { "" };
    let since = if filter.since.is_some() { " AND created_at >= :since" } else { "" };
    let until = if filter.until.is_some() { " AND created_at < :until" } else { "" };
    format!(
        "SELECT {DELIVERY} FROM \
         (SELECT n FROM deliveries {index} \
          WHERE n >= :from AND n < :before{state}{destination}{since}{until} ORDER BY n DESC LIMIT :limit) AS found \
         CROSS JOIN deliveries d ON d.n = found.n CROSS JOIN events e ON e.seq = d.event ORDER BY d.n DESC"
    )
}

//! What questions have in common: instants, statuses, pages and bodies, as people and
//! scripts write them.

use axum::body::Bytes;
use axum::extract::Query;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::model::{DeliveryState, EventState, EventTypePattern, Millis, parse_rfc3339};
use crate::store::{DeliveryFilter, EventFilter, Page};

/// Items on a page where none is asked for.
const PAGE: usize = 50;
/// Items on a page at most.
pub(super) const MAX_PAGE: usize = 500;

/// An event filter as it is written.
#[derive(Debug, Default)]
pub(super) struct EventWords {
    pub(super) source: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) status: Option<String>,
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
}

impl EventWords {
    pub(super) fn filter(self, now: Millis) -> Result<EventFilter, Problem> {
        let words = "pending, delivered, dropped, failed";
        Ok(EventFilter {
            source: self.source,
            event_type: self.event_type.map(EventTypePattern::new),
            state: self.status.map(|word| status(&word, EventState::from_word, words)).transpose()?,
            since: self.since.map(|text| instant(&text, now)).transpose()?,
            until: self.until.map(|text| instant(&text, now)).transpose()?,
        })
    }
}

/// A delivery filter as it is written.
#[derive(Debug, Default)]
pub(super) struct DeliveryWords {
    pub(super) destination: Option<String>,
    pub(super) status: Option<String>,
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
}

impl DeliveryWords {
    pub(super) fn filter(self, now: Millis) -> Result<DeliveryFilter, Problem> {
        let words = "pending, delivered, dead, cancelled";
        Ok(DeliveryFilter {
            destination: self.destination,
            state: self.status.map(|word| status(&word, DeliveryState::from_word, words)).transpose()?,
            since: self.since.map(|text| instant(&text, now)).transpose()?,
            until: self.until.map(|text| instant(&text, now)).transpose()?,
        })
    }
}

fn status<T>(word: &str, parse: fn(&str) -> Option<T>, words: &str) -> Result<T, Problem> {
    parse(word).ok_or_else(|| Problem::BadRequest(format!("`{word}` is not one of {words}")))
}

/// An instant, or how long ago one was.
fn instant(text: &str, now: Millis) -> Result<Millis, Problem> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(now.before(ago));
    }
    parse_rfc3339(text).ok_or_else(|| {
        Problem::BadRequest(format!(
            "`{text}` is neither an instant like 2026-01-31T12:00:00Z nor an age like 2h"
        ))
    })
}

pub(super) fn page(cursor: Option<String>, limit: Option<usize>) -> Page {
    Page { cursor, limit: limit.unwrap_or(PAGE).clamp(1, MAX_PAGE) }
}

pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    query.map(|Query(query)| query).map_err(|error| Problem::BadRequest(error.body_text()))
}

/// A JSON body; none stands for one without fields.
pub(super) fn body<T: DeserializeOwned + Default>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    let body = body.map_err(|error| Problem::BadRequest(error.body_text()))?;
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&body).map_err(|error| Problem::BadRequest(format!("the body: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_ages_or_rfc_3339() {
        let now = Millis(1_700_000_000_000);
        let table = [
            ("2h", Some(1_699_992_800_000)),
            ("1h 30m", Some(1_699_994_600_000)),
            ("0s", Some(1_700_000_000_000)),
            ("2023-11-14T22:13:20Z", Some(1_700_000_000_000)),
            ("2023-11-14T23:13:20.5+01:00", Some(1_700_000_000_500)),
            ("yesterday", None),
            ("", None),
            ("-2h", None),
            ("1700000000", None),
        ];
        for (text, expected) in table {
            assert_eq!(instant(text, now).ok(), expected.map(Millis), "{text}");
        }
    }
}

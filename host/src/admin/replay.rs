//! `POST /api/v1/events/{id}/replay` and `POST /api/v1/replay`: events sent through their
//! routes again, as the routes are now.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Parts;
use super::problem::Problem;
use super::question::{self, EventWords, MAX_PAGE};
use crate::model::EventId;
use crate::store::{EventFilter, NewRun, Replay, Replayed};

/// Events in one transaction of the store.
const AT_ONCE: usize = 100;

/// What to replay of one event.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    /// Without: all that take it.
    routes: Option<Vec<String>>,
}

pub(super) async fn one(
    State(parts): State<Parts>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Path(id) = id.map_err(|_| NOT_FOUND)?;
    let One { routes: wanted } = question::body(body)?;
    let id = EventId::from_text(id);
    let event = parts.store.event(&id).await?.ok_or(NOT_FOUND)?.event;
    let takes = (parts.runs_for)(&event.source, event.event_type.as_deref());
    let routes = choose(takes, wanted.as_deref())?;
    let names: Vec<_> = routes.iter().map(|run| run.route.clone()).collect();
    let replays = vec![Replay { event: id.clone(), routes }];
    match parts.store.replay(replays).await?.first() {
        Some(Replayed::Done { generation }) => {
            (parts.ring_runs)();
            let answer = json!({ "event": id, "generation": generation, "routes": names });
            Ok((StatusCode::ACCEPTED, Json(answer)))
        }
        Some(Replayed::NoRoute) => Err(no_route()),
        Some(Replayed::NotFound) | None => Err(NOT_FOUND),
    }
}

const NOT_FOUND: Problem = Problem::NotFound("no such event");

fn no_route() -> Problem {
    Problem::Conflict("no route takes this event".into())
}

/// Of the routes that take the event, those that are wanted.
fn choose(takes: Vec<NewRun>, wanted: Option<&[String]>) -> Result<Vec<NewRun>, Problem> {
    let Some(wanted) = wanted else {
        return if takes.is_empty() { Err(no_route()) } else { Ok(takes) };
    };
    if wanted.is_empty() {
        return Err(Problem::BadRequest(
            "`routes` names none; leave it out for all that take the event".into(),
        ));
    }
    if let Some(other) = wanted.iter().find(|name| !takes.iter().any(|run| run.route == **name)) {
        return Err(Problem::Conflict(format!("the route \"{other}\" does not take this event")));
    }
    Ok(among(takes, Some(wanted)))
}

fn among(mut takes: Vec<NewRun>, wanted: Option<&[String]>) -> Vec<NewRun> {
    takes.retain(|run| wanted.is_none_or(|wanted| wanted.contains(&run.route)));
    takes
}

/// Which events to replay: these, or those that pass a filter.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    /// In this order; it is the order in which ordered lines get them.
    events: Option<Vec<String>>,
    source: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    status: Option<String>,
    since: Option<String>,
    until: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
    /// Of the routes that take an event, only these.
    routes: Option<Vec<String>>,
    /// Only count.
    #[serde(default)]
    dry_run: bool,
}

/// What came of it.
#[derive(Debug, Default)]
struct Counts {
    found: usize,
    replayed: usize,
    no_route: usize,
    not_found: usize,
}

pub(super) async fn many(
    State(parts): State<Parts>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let many: Many = question::body(body)?;
    let dry_run = many.dry_run;
    let (replays, mut counts, next) = match many.events {
        Some(_) => named(&parts, many).await?,
        None => filtered(&parts, many).await?,
    };
    if !dry_run {
        replay(&parts, replays, &mut counts).await?;
    }
    let Counts { found, replayed, no_route, not_found } = counts;
    Ok(Json(json!({
        "found": found,
        "replayed": replayed,
        "no_route": no_route,
        "not_found": not_found,
        "next": next,
    })))
}

type Chosen = (Vec<Replay>, Counts, Option<String>);

/// The events of a list.
async fn named(parts: &Parts, many: Many) -> Result<Chosen, Problem> {
    let Many { events, source, event_type, status, since, until, cursor, limit, routes, dry_run: _ } = many;
    let others = [source, event_type, status, since, until, cursor];
    if others.iter().any(Option::is_some) || limit.is_some() {
        return Err(Problem::BadRequest("`events` stands alone: give ids or a filter, not both".into()));
    }
    let ids = events.unwrap_or_default();
    if ids.is_empty() || ids.len() > MAX_PAGE {
        return Err(Problem::BadRequest(format!("`events` takes 1 to {MAX_PAGE} ids")));
    }
    let mut replays = Vec::with_capacity(ids.len());
    let mut counts = Counts::default();
    for id in ids.into_iter().map(EventId::from_text) {
        match parts.store.event(&id).await? {
            None => counts.not_found += 1,
            Some(found) => {
                counts.found += 1;
                let event = found.event;
                let takes = (parts.runs_for)(&event.source, event.event_type.as_deref());
                replays.push(Replay { event: id, routes: among(takes, routes.as_deref()) });
            }
        }
    }
    Ok((replays, counts, None))
}

/// A page of what passes the filter, the oldest of the page first. Pages come newest first:
/// whoever wants all in order lists them first and sends `events`, as the command line does.
async fn filtered(parts: &Parts, many: Many) -> Result<Chosen, Problem> {
    let Many { events: _, source, event_type, status, since, until, cursor, limit, routes, dry_run: _ } =
        many;
    let filter = EventWords { source, event_type, status, since, until }.filter(parts.clock.now())?;
    if filter == EventFilter::default() {
        let why =
            "say which events: `events`, or at least one of `source`, `type`, `status`, `since`, `until`";
        return Err(Problem::BadRequest(why.into()));
    }
    let page = question::page(cursor, limit.or(Some(MAX_PAGE)));
    let found = parts.store.events(filter, page).await?;
    let counts = Counts { found: found.items.len(), ..Counts::default() };
    let replay = |event: crate::store::EventSummary| Replay {
        routes: among((parts.runs_for)(&event.source, event.event_type.as_deref()), routes.as_deref()),
        event: event.id,
    };
    Ok((found.items.into_iter().rev().map(replay).collect(), counts, found.next))
}

async fn replay(parts: &Parts, replays: Vec<Replay>, counts: &mut Counts) -> Result<(), Problem> {
    for part in replays.chunks(AT_ONCE) {
        for replayed in parts.store.replay(part.to_vec()).await? {
            match replayed {
                Replayed::Done { .. } => counts.replayed += 1,
                Replayed::NoRoute => counts.no_route += 1,
                // Retention may have been quicker.
                Replayed::NotFound => counts.not_found += 1,
            }
        }
        (parts.ring_runs)();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_routes_that_take_an_event_can_be_chosen() {
        let run = |name: &str| NewRun { route: name.into(), ordered: false, dead: None };
        let names = |wanted: Option<&[&str]>, takes: &[&str]| {
            let wanted: Option<Vec<String>> = wanted.map(|w| w.iter().map(|&name| name.into()).collect());
            choose(takes.iter().map(|&name| run(name)).collect(), wanted.as_deref())
                .map(|runs| runs.into_iter().map(|run| run.route).collect::<Vec<_>>())
                .map_err(|problem| matches!(problem, Problem::Conflict(_)))
        };
        assert_eq!(names(None, &["a", "b"]), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(names(Some(&["b"]), &["a", "b"]), Ok(vec!["b".into()]));
        assert_eq!(names(Some(&["b", "b"]), &["a", "b"]), Ok(vec!["b".into()]));
        assert_eq!(names(None, &[]), Err(true));
        assert_eq!(names(Some(&["c"]), &["a", "b"]), Err(true));
        assert_eq!(names(Some(&[]), &["a"]), Err(false));
    }
}

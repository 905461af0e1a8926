//! What is in force, as operators may see it: names and settings, never a secret.

use serde_json::{Value, json};
use url::Url;

use crate::admin::Configured;
use crate::deliver::{Destination, Targets};
use crate::ingest::{DedupeBy, FrontDoor, Source};
use crate::model::{Order, Route, Step};

pub(super) fn configured(door: &FrontDoor, targets: &Targets) -> Configured {
    let mut sources: Vec<_> = door.sources.values().collect();
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    let mut destinations: Vec<_> = targets.iter().collect();
    destinations.sort_by(|a, b| a.name.cmp(&b.name));
    Configured {
        sources: sources.into_iter().map(|source| self::source(source, &door.routes)).collect(),
        destinations: destinations.into_iter().map(|one| destination(one, &door.routes)).collect(),
        routes: door.routes.iter().map(route).collect(),
    }
}

fn source(source: &Source, routes: &[Route]) -> Value {
    let dedupe = (!source.dedupe.window.is_zero()).then(|| {
        let by = match &source.dedupe.key {
            DedupeBy::Id => "id".to_owned(),
            DedupeBy::Header(name) => format!("header:{name}"),
            DedupeBy::Json(pointer) => format!("json:{pointer}"),
            DedupeBy::Content => "content".to_owned(),
        };
        json!({ "key": by, "window_seconds": source.dedupe.window.as_secs() })
    });
    let from = |route: &&Route| route.from.contains(&source.name);
    json!({
        "name": source.name,
        "path": format!("/in/{}", source.name),
        "scheme": source.scheme.name(),
        "methods": source.methods.iter().map(http::Method::as_str).collect::<Vec<_>>(),
        "learns": source.scheme.own().is_some_and(|own| own.learns()),
        "plugin": source.scheme.plugin().map(|named| &named.plugin),
        "dedupe": dedupe,
        "routes": routes.iter().filter(from).map(|route| &route.name).collect::<Vec<_>>(),
    })
}

fn destination(destination: &Destination, routes: &[Route]) -> Value {
    let to = |route: &&Route| route.target(&destination.name).is_some();
    let target = routes.iter().find_map(|route| route.target(&destination.name));
    json!({
        "name": destination.name,
        "url": without_secrets(&destination.url),
        "signed": !destination.keys.is_empty(),
        "timeout_ms": u64::try_from(destination.timeout.as_millis()).unwrap_or(u64::MAX),
        "concurrency": destination.concurrency,
        "classify": destination.classify.as_ref().map(|named| &named.plugin),
        "order": target.map(|target| order(&target.order)),
        "routes": routes.iter().filter(to).map(|route| &route.name).collect::<Vec<_>>(),
    })
}

/// Queries hold tokens as often as not.
fn without_secrets(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    // They are refused in a destination; where they cannot be set there are none.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.into()
}

fn route(route: &Route) -> Value {
    json!({
        "name": route.name,
        "from": route.from,
        "types": route.types.iter().map(crate::model::EventTypePattern::as_str).collect::<Vec<_>>(),
        "steps": route.steps.iter().map(step).collect::<Vec<_>>(),
        "to": route.to.iter().map(|target| &target.destination).collect::<Vec<_>>(),
    })
}

/// With its configuration as a plugin gets it, so that an event can be tried again away
/// from here. There are no secrets in it: a plugin's are granted.
fn step(step: &Step) -> Value {
    let config: Value = serde_json::from_str(&step.config).unwrap_or_default();
    json!({ "plugin": step.plugin, "config": config })
}

fn order(order: &Order) -> String {
    match order {
        Order::None => "none".into(),
        Order::Source => "source".into(),
        Order::Json(pointer) => format!("json:{pointer}"),
        Order::Header(name) => format!("header:{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        let url = "https://user:word@example.com:8443/hooks/a?token=t#f".parse().unwrap();
        assert_eq!(without_secrets(&url), "https://example.com:8443/hooks/a");
    }
}

//! `[[routes]]`.

use std::collections::HashSet;

use toml::Spanned;

use super::{Context, destinations, named};
use crate::alerts;
use crate::config::file::{self, File, Text};
use crate::model::{EventTypePattern, OnError, Route, Step};

pub(super) fn routes(context: &mut Context<'_>, file: &File) -> Vec<Route> {
    let mut names = HashSet::new();
    let mut routes = Vec::with_capacity(file.routes.len());
    for written in &file.routes {
        let route = written.get_ref();
        let name = route.name.get_ref();
        if context.checked_name("route", &route.name) && !names.insert(name.clone()) {
            context.error(
                route.name.span(),
                format!("there are two routes \"{name}\""),
                "give each its own name",
            );
        }
        let known = |source: &Text| file.sources.contains_key(source) || source.get_ref() == alerts::SOURCE;
        for source in route.from.iter().filter(|source| !known(source)) {
            context.unknown("source", source, file.sources.keys().map(|key| key.get_ref().as_str()));
        }
        let mut to = HashSet::new();
        for destination in &route.to {
            if !file.destinations.contains_key(destination) {
                let known = file.destinations.keys().map(|key| key.get_ref().as_str());
                context.unknown("destination", destination, known);
            }
            if !to.insert(destination.get_ref()) {
                let message = format!("\"{}\" is named twice", destination.get_ref());
                context.error(
                    destination.span(),
                    message,
                    "a route sends each message once to a destination",
                );
            }
        }
        empty_is_wrong(context, route);
        routes.push(Route {
            name: name.clone(),
            from: texts(&route.from),
            types: route.types.iter().map(|pattern| EventTypePattern::new(pattern.get_ref())).collect(),
            steps: route.steps.iter().filter_map(|written| step(context, written)).collect(),
            to: route.to.iter().map(|name| destinations::route_target(file, name)).collect(),
        });
    }
    routes
}

fn empty_is_wrong(context: &mut Context<'_>, route: &file::Route) {
    if route.from.is_empty() {
        context.error(route.name.span(), "the route takes from no source", "name at least one in `from`");
    }
    if route.to.is_empty() {
        context.error(route.name.span(), "the route goes to no destination", "name at least one in `to`");
    }
}

fn texts(texts: &[Text]) -> Vec<String> {
    texts.iter().map(|text| text.get_ref().clone()).collect()
}

fn step(context: &mut Context<'_>, written: &Spanned<file::Step>) -> Option<Step> {
    let step = written.get_ref();
    let named = named::plugin(context, written.span(), &step.plugin, step.config.as_ref())?;
    let on_error = match &step.on_error {
        None => OnError::Dead,
        Some(policy) => on_error(context, written, policy)?,
    };
    Some(Step { plugin: named.plugin, config: named.config, on_error })
}

fn on_error(
    context: &mut Context<'_>,
    step: &Spanned<file::Step>,
    policy: &file::OnError,
) -> Option<OnError> {
    let mut word = |word: &str| match word {
        "dead" => Some(OnError::Dead),
        "drop" => Some(OnError::Drop),
        "pass" => Some(OnError::Pass),
        other => {
            let remedy = "write \"dead\", \"drop\", \"pass\", or { retry = [\"1s\"], then = \"dead\" }";
            context.error(step.span(), format!("`{other}` is not what can follow an error"), remedy);
            None
        }
    };
    match policy {
        file::OnError::Word(text) => word(text),
        file::OnError::Retry { delays, then } => {
            let then = then.as_deref().map_or(Some(OnError::Dead), word)?;
            Some(OnError::Retry { delays: delays.iter().map(|span| span.0).collect(), then: Box::new(then) })
        }
    }
}

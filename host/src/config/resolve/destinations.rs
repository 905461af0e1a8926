//! `[destinations.*]`.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use toml::Spanned;
use url::Url;

use super::{Context, egress, named, transport};
use crate::config::file::{self, File, Retry, Text};
use crate::deliver::{BreakerPolicy, Destination, Egress, RetryPolicy, SigningKey};
use crate::model::{OnDead, Order, RouteTarget};
use crate::rate::Rate;

/// The share by which delays are moved where nothing is said.
const JITTER: f64 = 0.2;

pub(super) fn destinations(context: &mut Context<'_>, file: &File, egress: &Egress) -> Vec<Destination> {
    let mut destinations = Vec::with_capacity(file.destinations.len());
    for (name, written) in &file.destinations {
        let Some(destination) = destination(context, name, written) else { continue };
        egress::judge(context, written, &destination, egress);
        destinations.push(destination);
    }
    destinations
}

fn destination(context: &mut Context<'_>, name: &Text, written: &file::Destination) -> Option<Destination> {
    context.checked_name("destination", name);
    let url = match Url::parse(written.url.get_ref()) {
        Ok(url) => url,
        Err(error) => {
            // Not repeated: its query may hold a token.
            let message = format!("this is not a URL: {error}");
            context.error(written.url.span(), message, "write it like \"https://crm.example.com/hooks\"");
            return None;
        }
    };
    let mut destination = Destination::new(name.get_ref(), url);
    destination.keys = keys(context, &written.secrets);
    if let Some(timeout) = &written.timeout {
        destination.timeout = timeout.get_ref().0;
    }
    if let Some(concurrency) = &written.concurrency {
        destination.concurrency = *concurrency.get_ref();
    }
    destination.headers =
        written.headers.iter().filter_map(|(name, value)| header(context, name, value)).collect();
    destination.forward_headers =
        written.forward_headers.iter().filter_map(|n| header_name(context, n)).collect();
    if let Some(retry) = &written.retry {
        destination.retry = retry_policy(context, retry)?;
    }
    destination.on_dead = line_settings(context, written);
    destination.breaker = breaker(context, written.breaker.as_ref())?;
    destination.rate_limit = written.rate_limit.as_ref().map(|rate| Rate::per_second(rate.get_ref().0));
    if let Some(classify) = &written.classify {
        let file::Classify { plugin, config } = classify.get_ref();
        destination.classify =
            Some(Arc::new(named::plugin(context, classify.span(), plugin, config.as_ref())?));
    }
    destination.headers.extend(transport::authorization(context, written));
    destination.reach = transport::reach(context, written);
    if let Err(error) = destination.check() {
        context.error(name.span(), format!("destination \"{}\": {error}", name.get_ref()), "");
        return None;
    }
    Some(destination)
}

/// What a route has to know of the destination that it names. What is wrong with it is
/// said where destinations are resolved.
pub(super) fn route_target(file: &File, name: &Text) -> RouteTarget {
    let destination = name.get_ref().clone();
    let Some(written) = file.destinations.get(name) else {
        return RouteTarget { destination, ..RouteTarget::default() };
    };
    RouteTarget {
        destination,
        order: written.order.as_ref().and_then(|order| parse_order(order.get_ref())).unwrap_or_default(),
        on_dead: written.on_dead.as_ref().and_then(|word| parse_on_dead(word.get_ref())).unwrap_or_default(),
        max_pending: written.max_pending.as_ref().map(|max| *max.get_ref()),
    }
}

fn parse_order(text: &str) -> Option<Order> {
    match text.split_once(':') {
        None if text == "none" => Some(Order::None),
        None if text == "source" => Some(Order::Source),
        Some(("json", pointer)) if pointer.starts_with('/') => Some(Order::Json(pointer.to_owned())),
        Some(("header", name)) => {
            HeaderName::from_bytes(name.as_bytes()).ok().map(|name| Order::Header(name.as_str().to_owned()))
        }
        _ => None,
    }
}

fn parse_on_dead(word: &str) -> Option<OnDead> {
    match word {
        "hold" => Some(OnDead::Hold),
        "skip" => Some(OnDead::Skip),
        _ => None,
    }
}

/// Says what is wrong with `order`, `on_dead` and `max_pending`; what a dead delivery
/// means for those behind it.
fn line_settings(context: &mut Context<'_>, written: &file::Destination) -> OnDead {
    if let Some(order) = &written.order
        && parse_order(order.get_ref()).is_none()
    {
        let message = format!("`{}` is not an order", order.get_ref());
        let remedy = "write \"none\", \"source\", \"json:/customer/id\" or \"header:x-customer\"";
        context.error(order.span(), message, remedy);
    }
    if let Some(max) = &written.max_pending
        && *max.get_ref() == 0
    {
        context.error(
            max.span(),
            "with `max_pending = 0` every delivery is born dead",
            "leave it out for none",
        );
    }
    let Some(word) = &written.on_dead else { return OnDead::default() };
    let ordered = written.order.as_ref().is_some_and(|order| order.get_ref() != "none");
    if !ordered {
        context.warning(word.span(), "`on_dead` has no effect without `order`", "");
    }
    parse_on_dead(word.get_ref()).unwrap_or_else(|| {
        let message = format!("`{}` does not say what a dead delivery means", word.get_ref());
        context.error(word.span(), message, "write \"hold\" or \"skip\"");
        OnDead::default()
    })
}

fn breaker(context: &mut Context<'_>, written: Option<&Spanned<file::Breaker>>) -> Option<BreakerPolicy> {
    let default = BreakerPolicy::default();
    let Some(written) = written else { return Some(default) };
    let file::Breaker { failures, pause } = written.get_ref();
    let pause = pause.map_or(default.pause(), |span| span.0);
    match BreakerPolicy::new(failures.unwrap_or(default.failures()), pause) {
        Ok(policy) => Some(policy),
        Err(error) => {
            context.error(written.span(), format!("{error}"), "`failures = 0` switches a breaker off");
            None
        }
    }
}

fn keys(context: &mut Context<'_>, secrets: &[Text]) -> Vec<SigningKey> {
    let mut keys = Vec::with_capacity(secrets.len());
    for reference in secrets {
        let Some(secret) = context.secret(reference, true) else { continue };
        match SigningKey::parse(secret.expose()) {
            Ok(key) => {
                if !key.has_advised_length() {
                    let message = "the secret is shorter or longer than the 24 to 64 bytes that Standard Webhooks asks for";
                    context.warning(reference.span(), message, "");
                }
                keys.push(key);
            }
            Err(error) => context.error(reference.span(), format!("{error}"), ""),
        }
    }
    keys
}

fn header_name(context: &mut Context<'_>, name: &Text) -> Option<HeaderName> {
    let parsed = HeaderName::from_bytes(name.get_ref().as_bytes()).ok();
    if parsed.is_none() {
        context.error(name.span(), format!("`{}` is not a header name", name.get_ref()), "");
    }
    parsed
}

fn header(context: &mut Context<'_>, name: &Text, value: &Text) -> Option<(HeaderName, HeaderValue)> {
    let parsed = header_name(context, name)?;
    // Most values are no secrets; those that are come by reference all the same.
    let secret = context.secret(value, false)?;
    if let Ok(mut value) = HeaderValue::from_str(secret.expose()) {
        value.set_sensitive(true);
        Some((parsed, value))
    } else {
        context.error(value.span(), format!("the value of `{parsed}` is not one that HTTP allows"), "");
        None
    }
}

fn retry_policy(context: &mut Context<'_>, written: &Spanned<Retry>) -> Option<RetryPolicy> {
    let Retry { schedule, max_attempts, base, factor, cap, jitter, max_retry_after } = written.get_ref();
    let jitter = jitter.unwrap_or(JITTER);
    let growing = max_attempts.is_some() || base.is_some() || factor.is_some() || cap.is_some();
    let policy = match schedule {
        Some(_) if growing => {
            let message = "`schedule` and `max_attempts`, `base`, `factor`, `cap` are two forms of the same";
            context.error(written.span(), message, "use one of them");
            return None;
        }
        Some(delays) => RetryPolicy::schedule(delays.iter().map(|span| span.0).collect(), jitter),
        None if growing => RetryPolicy::exponential(
            max_attempts.map_or(8, |n| n as usize),
            base.map_or(Duration::from_secs(5), |span| span.0),
            factor.unwrap_or(2.0),
            cap.map_or(Duration::from_hours(12), |span| span.0),
            jitter,
        ),
        None => RetryPolicy::schedule(RetryPolicy::default().delays().to_vec(), jitter),
    };
    match policy {
        Ok(policy) => Some(match max_retry_after {
            Some(cap) => policy.with_retry_after_cap(cap.0),
            None => policy,
        }),
        Err(error) => {
            context.error(written.span(), format!("{error}"), "");
            None
        }
    }
}

//! `[destinations.*]` and `[egress]`.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use toml::Spanned;
use url::Url;

use super::Context;
use crate::config::file::{self, File, Retry, Text};
use crate::deliver::{Destination, EgressPolicy, RetryPolicy, SigningKey};

/// The share by which delays are moved where nothing is said.
const JITTER: f64 = 0.2;

pub(super) fn egress(context: &mut Context<'_>, file: &File) -> EgressPolicy {
    let mut networks = |texts: &[Text]| {
        let mut networks = Vec::with_capacity(texts.len());
        for text in texts {
            match text.get_ref().parse() {
                Ok(network) => networks.push(network),
                Err(error) => context.error(text.span(), format!("{error}"), ""),
            }
        }
        networks
    };
    EgressPolicy { allow: networks(&file.egress.allow), deny: networks(&file.egress.deny) }
}

pub(super) fn destinations(context: &mut Context<'_>, file: &File) -> Vec<Destination> {
    file.destinations.iter().filter_map(|(name, written)| destination(context, name, written)).collect()
}

fn destination(context: &mut Context<'_>, name: &Text, written: &file::Destination) -> Option<Destination> {
    context.checked_name("destination", name);
    let url = match Url::parse(written.url.get_ref()) {
        Ok(url) => url,
        Err(error) => {
            let message = format!("`{}` is not a URL: {error}", written.url.get_ref());
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
    if let Err(error) = destination.check() {
        context.error(name.span(), format!("destination \"{}\": {error}", name.get_ref()), "");
        return None;
    }
    Some(destination)
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

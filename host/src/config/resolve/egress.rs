//! `[egress]`: what may be dialled, whom names are asked of, and the way out.

use std::net::{IpAddr, SocketAddr};

use toml::Spanned;

use super::Context;
use crate::config::file::{self, Text};
use crate::config::secret::Secret;
use crate::deliver::{Destination, Egress, EgressOverride, EgressPolicy, Proxy, ProxyConfigError};
use crate::model::Cidr;

/// Where a DNS server listens if nothing is said.
const DNS_PORT: u16 = 53;

pub(super) fn egress(context: &mut Context<'_>, written: &file::Egress) -> Egress {
    let policy = EgressPolicy {
        allow: networks(context, &written.allow),
        deny: networks(context, &written.deny),
        ports: ports(context, &written.ports),
        https_only: written.https_only,
    };
    let resolvers = written.resolvers.iter().filter_map(|text| resolver(context, text)).collect();
    let proxy = match (&written.proxy, &written.proxy_auth) {
        (None, Some(auth)) => {
            context.error(auth.span(), "`proxy_auth` without `proxy`", "set egress.proxy as well");
            None
        }
        (None, None) => None,
        (Some(url), auth) => proxy(context, url, auth.as_ref()),
    };
    Egress { policy, resolvers, proxy }
}

/// What a destination says for itself.
pub(super) fn own(context: &mut Context<'_>, written: &file::Destination) -> EgressOverride {
    EgressOverride {
        allow: networks(context, &written.egress.allow),
        deny: networks(context, &written.egress.deny),
        ports: ports(context, &written.egress.ports),
        https_only: written.https_only,
    }
}

/// Whether a destination can be dialled at all, as far as its URL tells.
pub(super) fn judge(
    context: &mut Context<'_>,
    written: &file::Destination,
    destination: &Destination,
    egress: &Egress,
) {
    let policy = egress.policy.with(&destination.reach.egress);
    let span = written.url.span();
    if let Err(refusal) = policy.judge_shape(&destination.url) {
        let remedy = "write another url, or let the destination have its own `egress` or `https_only`";
        context.error(span, refusal.to_string(), remedy);
    } else if let Err(refusal) = policy.judge_url(&destination.url) {
        // A warning: a network that is closed in a hurry is closed at once, and does not
        // keep the whole file from being put in force.
        let remedy = "open it with egress.allow, or its deliveries are dead";
        context.warning(span, format!("the guard refuses this destination: {refusal}"), remedy);
    }
}

pub(super) fn proxy(context: &mut Context<'_>, url: &Text, auth: Option<&Text>) -> Option<Proxy> {
    let credentials = match auth {
        None => None,
        Some(reference) => Some(context.secret(reference, true)?),
    };
    match Proxy::new(url.get_ref(), credentials.as_ref().map(Secret::expose)) {
        Ok(proxy) => Some(proxy),
        Err(error) => {
            let (span, remedy) = match (&error, auth) {
                (ProxyConfigError::Credentials, Some(auth)) => (auth.span(), ""),
                (ProxyConfigError::Userinfo, _) => (url.span(), "put them into `proxy_auth`"),
                _ => (url.span(), "write it like \"http://proxy.internal:3128\""),
            };
            context.error(span, error.to_string(), remedy);
            None
        }
    }
}

pub(super) fn networks(context: &mut Context<'_>, texts: &[Text]) -> Vec<Cidr> {
    let mut networks = Vec::with_capacity(texts.len());
    for text in texts {
        match text.get_ref().parse() {
            Ok(network) => networks.push(network),
            Err(error) => context.error(text.span(), format!("{error}"), ""),
        }
    }
    networks
}

fn ports(context: &mut Context<'_>, written: &[Spanned<u16>]) -> Vec<u16> {
    for port in written.iter().filter(|port| *port.get_ref() == 0) {
        context.error(port.span(), "there is no port 0", "");
    }
    written.iter().map(|port| *port.get_ref()).collect()
}

fn resolver(context: &mut Context<'_>, text: &Text) -> Option<SocketAddr> {
    let written = text.get_ref();
    let alone = || written.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS_PORT));
    match written.parse::<SocketAddr>().or_else(|_| alone()) {
        Ok(address) if address.port() != 0 => Some(address),
        _ => {
            let message = format!("`{written}` is not the address of a DNS server");
            context.error(text.span(), message, "write it like \"10.0.0.2\" or \"127.0.0.1:5353\"");
            None
        }
    }
}

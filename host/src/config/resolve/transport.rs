//! How a destination is reached: its guard, its way out, whom it trusts, who it is.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};

use super::{Context, egress};
use crate::config::file::{self, Auth, Text};
use crate::deliver::{ProxyChoice, Reach, TlsSettings};

pub(super) fn reach(context: &mut Context<'_>, written: &file::Destination) -> Reach {
    Reach {
        egress: egress::own(context, written),
        proxy: proxy(context, written),
        tls: tls(context, written),
    }
}

fn proxy(context: &mut Context<'_>, written: &file::Destination) -> ProxyChoice {
    let auth = written.proxy_auth.as_ref();
    match &written.proxy {
        Some(url) if url.get_ref() != "none" => {
            egress::proxy(context, url, auth).map_or(ProxyChoice::Inherited, ProxyChoice::Through)
        }
        without => {
            if let Some(auth) = auth {
                let message = "`proxy_auth` belongs to a `proxy` of the destination's own";
                context.error(auth.span(), message, "set it beside the proxy that asks for it");
            }
            if without.is_some() { ProxyChoice::Direct } else { ProxyChoice::Inherited }
        }
    }
}

fn tls(context: &mut Context<'_>, written: &file::Destination) -> TlsSettings {
    let mut tls = TlsSettings::default();
    let settings = [&written.ca, &written.client_cert, &written.client_key];
    if let Some(span) = settings.into_iter().flatten().map(toml::Spanned::span).next()
        && written.url.get_ref().starts_with("http:")
    {
        context.error(span, "the url begins with http://, where there are no certificates", "use https://");
    }
    if let Some(ca) = &written.ca
        && let Some(pem) = pem_file(context, ca)
        && let Err(error) = tls.trust_only(&pem)
    {
        context.error(ca.span(), format!("`{}` cannot be trusted: {error}", ca.get_ref()), "");
    }
    match (&written.client_cert, &written.client_key) {
        (Some(cert), Some(key)) => {
            let chain = pem_file(context, cert);
            let secret = context.secret(key, true);
            if let (Some(chain), Some(secret)) = (chain, secret)
                && let Err((place, error)) = identify(&mut tls, &chain, secret.expose(), cert, key)
            {
                context.error(place.span(), error, "");
            }
        }
        (Some(cert), None) => {
            context.error(cert.span(), "a client certificate needs its key", "set `client_key`");
        }
        (None, Some(key)) => {
            context.error(key.span(), "a key needs its client certificate", "set `client_cert`");
        }
        (None, None) => {}
    }
    tls
}

/// Which of the two is wrong, and why.
fn identify<'a>(
    tls: &mut TlsSettings,
    chain: &[u8],
    secret: &str,
    cert: &'a Text,
    key: &'a Text,
) -> Result<(), (&'a Text, String)> {
    use crate::deliver::TlsSettingsError::{Certificate, Key, Missing};
    tls.identify(chain, secret.as_bytes()).map_err(|error| match error {
        Certificate(_) | Missing("certificate") => {
            (cert, format!("`{}` cannot be shown: {error}", cert.get_ref()))
        }
        // What the key's reference says may be the key itself.
        Key(_) | Missing(_) => (key, format!("`client_key` cannot be used: {error}")),
    })
}

/// A file of certificates, which are no secret.
fn pem_file(context: &mut Context<'_>, path: &Text) -> Option<Vec<u8>> {
    let file = context.base.join(Path::new(path.get_ref()));
    match std::fs::read(&file) {
        Ok(pem) => Some(pem),
        Err(error) => {
            context.error(path.span(), format!("{} cannot be read: {error}", file.display()), "");
            None
        }
    }
}

/// The header that `auth` stands for.
pub(super) fn authorization(
    context: &mut Context<'_>,
    written: &file::Destination,
) -> Option<(HeaderName, HeaderValue)> {
    let auth = written.auth.as_ref()?;
    if let Some(name) =
        written.headers.keys().find(|name| name.get_ref().eq_ignore_ascii_case("authorization"))
    {
        context.error(
            name.span(),
            "`headers.authorization` and `auth` both say who this is",
            "use one of them",
        );
        return None;
    }
    let Auth { bearer, basic } = auth.get_ref();
    let (text, span) = match (bearer, basic) {
        (Some(token), None) => (format!("Bearer {}", context.secret(token, true)?.expose()), token.span()),
        (None, Some(basic)) => {
            let (user, password) = (basic.user.get_ref(), context.secret(&basic.password, true)?);
            if user.contains(':') {
                context.error(basic.user.span(), "a user's name has no colon in it", "");
                return None;
            }
            let pair = format!("{user}:{}", password.expose());
            (format!("Basic {}", BASE64_STANDARD.encode(pair)), basic.password.span())
        }
        _ => {
            let remedy =
                "write { bearer = \"env:TOKEN\" } or { basic = { user = \"u\", password = \"env:P\" } }";
            context.error(auth.span(), "`auth` is either a bearer token or a user with a password", remedy);
            return None;
        }
    };
    let Ok(mut value) = HeaderValue::from_str(&text) else {
        context.error(span, "the token is not one that HTTP allows", "");
        return None;
    };
    value.set_sensitive(true);
    Some((AUTHORIZATION, value))
}

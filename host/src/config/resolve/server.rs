//! `[server]`, `[store]`, `[log]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Context, serving};
use crate::config::file::{self, Text};
use crate::config::{Log, Server, Store};
use crate::store::{Retention, Synchronous};

const LISTEN: &str = "127.0.0.1:8080";
const ADMIN_LISTEN: &str = "127.0.0.1:8081";
const MAX_BODY_BYTES: usize = 1 << 20;
const READ_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);
const STORE_PATH: &str = "data/hookloom.db";
const MAX_BACKLOG: u64 = 1_000_000;
const MIN_FREE_DISK_BYTES: u64 = 256 << 20;
const RETENTION: Duration = Duration::from_hours(7 * 24);
const DEAD_RETENTION: Duration = Duration::from_hours(30 * 24);

pub(super) fn server(context: &mut Context<'_>, file: &file::Server) -> Server {
    let listen = address(context, file.listen.as_ref(), LISTEN);
    let admin_listen = address(context, file.admin_listen.as_ref(), ADMIN_LISTEN);
    let admin_token = file.admin_token.as_ref().and_then(|token| context.secret(token, true));
    if let Some(written) = &file.admin_listen
        && !admin_listen.ip().is_loopback()
        && file.admin_token.is_none()
    {
        let message = "the admin side listens beyond this machine and has no token";
        context.error(written.span(), message, "set server.admin_token, or listen on a loopback address");
    }
    Server {
        listen,
        admin_listen,
        admin_token,
        max_body: file.max_body.map_or(MAX_BODY_BYTES, crate::config::units::Size::bytes),
        read_timeout: file.read_timeout.map_or(READ_TIMEOUT, |span| span.0),
        max_connections: serving::max_connections(context, file.max_connections.as_ref()),
        header_timeout: serving::timeout(context, file.header_timeout.as_ref(), HEADER_TIMEOUT),
        idle_timeout: serving::timeout(context, file.idle_timeout.as_ref(), IDLE_TIMEOUT),
        tls: serving::tls(context, file),
        shutdown_grace: file.shutdown_grace.map_or(SHUTDOWN_GRACE, |span| span.0),
    }
}

fn address(context: &mut Context<'_>, written: Option<&Text>, default: &str) -> SocketAddr {
    let parse = |text: &str| text.parse().ok();
    let text = written.map_or(default, |text| text.get_ref().as_str());
    // `localhost` is what people write.
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    parse(numeric.as_deref().unwrap_or(text)).unwrap_or_else(|| {
        if let Some(written) = written {
            let message = format!("`{text}` is not an address to listen on");
            context.error(written.span(), message, "write it like \"127.0.0.1:8080\" or \"0.0.0.0:8080\"");
        }
        SocketAddr::from(([127, 0, 0, 1], 0))
    })
}

pub(super) fn store(context: &mut Context<'_>, file: &file::Store) -> Store {
    let path = match &file.url {
        None => context.base.join(STORE_PATH),
        Some(url) => match url.get_ref().strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => context.base.join(path),
            _ => {
                let message = format!("`{}` is not a store", url.get_ref());
                context.error(url.span(), message, "write it like \"sqlite:data/hookloom.db\"");
                PathBuf::new()
            }
        },
    };
    let synchronous = match file.synchronous.as_ref().map(|text| (text.get_ref().as_str(), text.span())) {
        None | Some(("full", _)) => Synchronous::Full,
        Some(("off", span)) => {
            let message =
                "with `synchronous = \"off\"` a power failure loses events that were answered with 2xx";
            context.warning(span, message, "only measure with it");
            Synchronous::Off
        }
        Some((other, span)) => {
            context.error(
                span,
                format!("`{other}` is not a way to synchronise"),
                "write \"full\" or \"off\"",
            );
            Synchronous::Full
        }
    };
    Store {
        path,
        synchronous,
        max_backlog: file.max_backlog.unwrap_or(MAX_BACKLOG),
        min_free_disk: file.min_free_disk.map_or(MIN_FREE_DISK_BYTES, |size| size.0),
        retention: retention(context, file),
    }
}

fn retention(context: &mut Context<'_>, file: &file::Store) -> Retention {
    let finished = file.retention.as_ref().map_or(RETENTION, |span| span.get_ref().0);
    let dead = file.dead_retention.as_ref().map_or(DEAD_RETENTION, |span| span.get_ref().0);
    if let Some(written) = file.dead_retention.as_ref().filter(|_| dead < finished) {
        let message = "dead deliveries are kept for a shorter time than delivered ones";
        context.warning(written.span(), message, "they are what somebody may still want to retry");
    }
    Retention { finished, dead }
}

pub(super) fn log(context: &mut Context<'_>, file: &file::Log) -> Log {
    let json = match file.format.as_ref().map(|text| (text.get_ref().as_str(), text.span())) {
        None | Some(("text", _)) => false,
        Some(("json", _)) => true,
        Some((other, span)) => {
            context.error(span, format!("`{other}` is not a log format"), "write \"text\" or \"json\"");
            false
        }
    };
    let level = file.level.as_ref().map_or("info", |text| text.get_ref());
    if let Some(written) = &file.level
        && let Err(error) = level.parse::<tracing_subscriber::filter::Targets>()
    {
        context.error(
            written.span(),
            format!("`{level}` is not a log level: {error}"),
            "write it like \"info\"",
        );
    }
    Log { level: level.to_owned(), json }
}

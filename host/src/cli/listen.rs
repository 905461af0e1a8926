//! `hookloom listen`: a receiver that verifies and prints deliveries, and fails on
//! purpose where it is asked to.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{block_on, print, say};
use crate::clock::{Clock, Random};
use crate::config::resolve_secret;
use crate::verify::{self, Documents, Scheme, Setup, Verdict};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(short, long, default_value_t = 9000)]
    port: u16,
    /// Verify with this secret (`whsec_…`, `env:NAME` or `file:PATH`); a delivery that fails
    /// is answered 401
    #[arg(long)]
    secret: Option<String>,
    /// Fail so many of the deliveries, such as 30%
    #[arg(long, value_parser = percentage)]
    fail: Option<f64>,
    /// What a failed one is answered with
    #[arg(long, default_value = "503", value_parser = final_status)]
    status: StatusCode,
    /// Wait so long before answering, such as 2s
    #[arg(long, value_parser = humantime::parse_duration)]
    delay: Option<Duration>,
    /// One JSON object a delivery
    #[arg(long)]
    json: bool,
}

fn percentage(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    match number.parse::<f64>() {
        Ok(share) if (0.0..=100.0).contains(&share) => Ok(share / 100.0),
        _ => Err("write it like 30%".to_owned()),
    }
}

fn final_status(text: &str) -> Result<StatusCode, String> {
    let status = text.parse().ok().filter(|status: &StatusCode| (200..600).contains(&status.as_u16()));
    status.ok_or_else(|| "a status lies between 200 and 599".to_owned())
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let scheme = match &options.secret {
        None => None,
        Some(reference) => {
            let (secret, _) = resolve_secret(reference, Path::new("")).map_err(anyhow::Error::msg)?;
            Some(Scheme::compile(&Setup::preset("standard-webhooks", &[secret.expose()]))?)
        }
    };
    let receiver = Receiver {
        scheme,
        fail: options.fail.unwrap_or(0.0),
        failing: options.status,
        delay: options.delay.unwrap_or_default(),
        json: options.json,
        clock: Clock::system(),
        random: Random::system(),
    };
    block_on(listen(options.port, Arc::new(receiver)))??;
    Ok(ExitCode::SUCCESS)
}

async fn listen(port: u16, receiver: Arc<Receiver>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    say(&format!("listening on http://{}; Ctrl-C ends it", listener.local_addr()?));
    if receiver.scheme.is_none() {
        say("signatures are not verified: give --secret whsec_… to do so");
    }
    loop {
        let (stream, _) = listener.accept().await?;
        let receiver = receiver.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let receiver = receiver.clone();
                async move { receiver.receive(request).await }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            // How a connection ends is the sender's affair.
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

struct Receiver {
    scheme: Option<Scheme>,
    fail: f64,
    failing: StatusCode,
    delay: Duration,
    json: bool,
    clock: Clock,
    random: Random,
}

impl Receiver {
    async fn receive(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            return Ok(answer(StatusCode::BAD_REQUEST));
        };
        let body = body.to_bytes();
        let signature = self.judge(&head, &body);
        let status = match signature {
            Signature::Wrong(_) => StatusCode::UNAUTHORIZED,
            _ if self.random.unit() < self.fail => self.failing,
            _ => StatusCode::OK,
        };
        tokio::time::sleep(self.delay).await;
        let line = if self.json {
            as_json(&head, &body, &signature, status)
        } else {
            as_text(&head, &body, &signature, status)
        };
        print(&line);
        Ok(answer(status))
    }

    fn judge(&self, head: &http::request::Parts, body: &[u8]) -> Signature {
        let Some(scheme) = &self.scheme else { return Signature::NotVerified };
        let request = verify::Request {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query(),
            headers: &head.headers,
            body,
            public_url: None,
        };
        match scheme.verify(&request, self.clock.now(), &Documents::default()) {
            Verdict::Accepted(_) | Verdict::Handshake(_) => Signature::Verified,
            Verdict::Malformed(reason) | Verdict::Unauthorized(reason) => Signature::Wrong(reason),
            other => Signature::Wrong(other.to_string()),
        }
    }
}

enum Signature {
    Verified,
    NotVerified,
    Wrong(String),
}

fn answer(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn header<'a>(head: &'a http::request::Parts, name: &str) -> &'a str {
    head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-")
}

fn as_text(head: &http::request::Parts, body: &[u8], signature: &Signature, status: StatusCode) -> String {
    let signature = match signature {
        Signature::Verified => "verified".to_owned(),
        Signature::NotVerified => "not verified".to_owned(),
        Signature::Wrong(reason) => format!("WRONG SIGNATURE ({reason})"),
    };
    let body = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap_or_default(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    format!(
        "{} {} from {}, attempt {}: {signature}, answered {}\n{body}\n",
        header(head, "webhook-id"),
        header(head, "hookloom-event-type"),
        header(head, "hookloom-source"),
        header(head, "hookloom-attempt"),
        status.as_u16(),
    )
}

fn as_json(head: &http::request::Parts, body: &[u8], signature: &Signature, status: StatusCode) -> String {
    let headers: serde_json::Map<_, _> = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    let (verified, reason) = match signature {
        Signature::Verified => (Some(true), None),
        Signature::NotVerified => (None, None),
        Signature::Wrong(reason) => (Some(false), Some(reason)),
    };
    let line = serde_json::json!({
        "path": head.uri.path(),
        "headers": headers,
        "verified": verified,
        "reason": reason,
        "status": status.as_u16(),
        "body": String::from_utf8_lossy(body),
    });
    line.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages() {
        assert_eq!(percentage("30%"), Ok(0.3));
        assert_eq!(percentage("100"), Ok(1.0));
        assert!(percentage("130%").is_err());
        assert!(percentage("often").is_err());
    }

    #[test]
    fn statuses_that_end_a_request() {
        assert_eq!(final_status("500"), Ok(StatusCode::INTERNAL_SERVER_ERROR));
        for wrong in ["100", "600", "999", "42", "ok"] {
            assert!(final_status(wrong).is_err(), "{wrong}");
        }
    }
}

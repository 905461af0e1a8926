//! A destination of the demo: verifies what comes, as a consumer would, and answers the
//! first few with 503.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::verify::{self, Documents, Scheme, Setup, Verdict};

/// A running receiver.
pub(super) struct Receiver {
    pub(super) name: &'static str,
    pub(super) url: String,
    pub(super) secret: String,
    inbox: Arc<Inbox>,
}

struct Inbox {
    scheme: Scheme,
    received: Mutex<Vec<Received>>,
    /// Further deliveries that are answered 503.
    refusals: Mutex<u32>,
}

/// One delivery that came in.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) id: String,
    pub(super) event: String,
    /// Whether its signature is right.
    pub(super) verified: bool,
    pub(super) answered: u16,
    pub(super) body: Value,
}

impl Receiver {
    /// Listens on a free port; the first `refusals` deliveries are answered 503.
    pub(super) async fn start(name: &'static str, secret: String, refusals: u32) -> anyhow::Result<Self> {
        let scheme = Scheme::compile(&Setup::preset("standard-webhooks", &[&secret]))?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let inbox = Arc::new(Inbox { scheme, received: Mutex::default(), refusals: Mutex::new(refusals) });
        tokio::spawn(serve(listener, inbox.clone()));
        Ok(Self { name, url, secret, inbox })
    }

    /// What came for that event, in order.
    pub(super) fn received(&self, event: &str) -> Vec<Received> {
        let received = self.inbox.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.iter().filter(|r| r.event == event).cloned().collect()
    }
}

async fn serve(listener: TcpListener, inbox: Arc<Inbox>) {
    while let Ok((stream, _)) = listener.accept().await {
        let inbox = inbox.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let inbox = inbox.clone();
                async move { inbox.receive(request).await }
            });
            // How a connection ends is the sender's affair.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

impl Inbox {
    async fn receive(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let request = verify::Request {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: None,
            headers: &head.headers,
            body: &body,
            public_url: None,
        };
        let verified = matches!(
            self.scheme.verify(&request, Clock::system().now(), &Documents::default()),
            Verdict::Accepted(_)
        );
        let answered = if verified { self.answer() } else { 401 };
        let header =
            |name: &str| head.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        self.received.lock().unwrap_or_else(PoisonError::into_inner).push(Received {
            id: header("webhook-id"),
            event: header("hookloom-event-id"),
            verified,
            answered,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        });
        let mut response = Response::new(Full::default());
        *response.status_mut() = http::StatusCode::from_u16(answered).unwrap_or_default();
        Ok(response)
    }

    fn answer(&self) -> u16 {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        match refusals.checked_sub(1) {
            Some(left) => {
                *refusals = left;
                503
            }
            None => 200,
        }
    }
}

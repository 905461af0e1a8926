//! The peer: what one would write without a gateway. It receives, posts on and answers;
//! nothing is verified, kept, transformed, signed or tried again.

use std::io::Write;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use reqwest::Client;

use crate::Error;

/// Makes the benchmark's own binary the forwarder.
pub(crate) const ARGUMENT: &str = "--forward-to";

#[derive(Clone)]
struct Forwarder {
    client: Client,
    url: String,
}

/// Forwards to `url` until it is killed.
pub(crate) fn run(url: &str) -> Result<(), Error> {
    // Whoever comes first installs the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().tls_certs_only([]).build()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        writeln!(std::io::stderr(), "forwarding at http://{}", listener.local_addr()?)?;
        let forwarder = Forwarder { client, url: url.to_owned() };
        let router = Router::new().route("/in/github", post(forward)).with_state(forwarder);
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        Ok(axum::serve(listener, router).await?)
    })
}

async fn forward(State(forwarder): State<Forwarder>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut request = forwarder.client.post(&forwarder.url).body(body);
    if let Some(content_type) = headers.get(CONTENT_TYPE) {
        request = request.header(CONTENT_TYPE, content_type);
    }
    match request.send().await {
        Ok(answer) => {
            let status = answer.status();
            if answer.bytes().await.is_ok() { status } else { StatusCode::BAD_GATEWAY }
        }
        Err(_) => StatusCode::BAD_GATEWAY,
    }
}

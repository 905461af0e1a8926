//! Requests of the operator's own tools: no guard, because they choose where to.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::Client;

use crate::model::Header;

/// For the whole exchange.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// A header that HTTP does not allow.
    #[error("the header {0} cannot be sent")]
    Header(String),
    /// No answer.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

/// A client of the command line; several requests share its connections.
#[derive(Clone, Debug)]
pub struct Poster(Client);

impl Poster {
    /// Ready to post.
    pub fn new() -> Result<Self, PostError> {
        // Whoever comes first installs the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client =
            Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT);
        Ok(Self(client.build()?))
    }

    /// Posts `body` and reads the answer.
    pub async fn post(&self, url: &str, headers: &[Header], body: Bytes) -> Result<Answer, PostError> {
        self.send(Method::POST, url, headers, body).await
    }

    /// Sends any request and reads the answer.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[Header],
        body: Bytes,
    ) -> Result<Answer, PostError> {
        let mut map = HeaderMap::with_capacity(headers.len());
        for Header { name, value } in headers {
            let pair = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
            let (key, mut value) = pair.ok_or_else(|| PostError::Header(name.clone()))?;
            value.set_sensitive(key == http::header::AUTHORIZATION);
            map.append(key, value);
        }
        let response = self.0.request(method, url).headers(map).body(body).send().await?;
        Ok(Answer { status: response.status().as_u16(), body: response.bytes().await? })
    }

    /// Reads a page.
    pub async fn get(&self, url: &str) -> Result<Answer, PostError> {
        self.send(Method::GET, url, &[], Bytes::new()).await
    }
}

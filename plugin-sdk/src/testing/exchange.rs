//! Makes requests for verifiers, and responses for classifiers.

use serde::Serialize;

use super::host;
use crate::header::Header;
use crate::{Request, Response};

/// A `POST` to `/in/test` without headers or body.
pub fn request() -> RequestBuilder {
    RequestBuilder(Request {
        method: "POST".to_owned(),
        path: "/in/test".to_owned(),
        query: None,
        headers: Vec::new(),
        body: Vec::new(),
        public_url: "https://hooks.example.com/in/test".to_owned(),
        now_ms: host::now_ms(),
    })
}

/// Makes a request step by step.
#[derive(Clone, Debug)]
pub struct RequestBuilder(Request);

impl RequestBuilder {
    /// Its method; otherwise `POST`.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.0.method = method.into();
        self
    }

    /// Its path; otherwise `/in/test`.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.0.path = path.into();
        self
    }

    /// The part behind `?`.
    #[must_use]
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.0.query = Some(query.into());
        self
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.headers.push(Header::new(name, value));
        self
    }

    /// A JSON body, with its content type.
    #[must_use]
    pub fn json(self, body: impl Serialize) -> Self {
        self.body(serde_json::to_vec(&body).expect("a test's body serialises"))
            .header("content-type", "application/json")
    }

    /// These bytes as they are.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.0.body = body.into();
        self
    }

    /// The URL that the provider was given; otherwise `https://hooks.example.com/in/test`.
    #[must_use]
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.0.public_url = url.into();
        self
    }

    /// When the gateway asks; otherwise now.
    #[must_use]
    pub fn now_ms(mut self, now_ms: u64) -> Self {
        self.0.now_ms = now_ms;
        self
    }

    /// The request.
    pub fn build(self) -> Request {
        self.0
    }
}

/// A response of this status to the first attempt, without headers or body.
pub fn response(status: u16) -> ResponseBuilder {
    ResponseBuilder(Response { status, headers: Vec::new(), body: Vec::new(), attempt: 1 })
}

/// Makes a response step by step.
#[derive(Clone, Debug)]
pub struct ResponseBuilder(Response);

impl ResponseBuilder {
    /// One more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.headers.push(Header::new(name, value));
        self
    }

    /// A JSON body, with its content type.
    #[must_use]
    pub fn json(self, body: impl Serialize) -> Self {
        self.body(serde_json::to_vec(&body).expect("a test's body serialises"))
            .header("content-type", "application/json")
    }

    /// These bytes as they are; the gateway hands over the first 4 KiB.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.0.body = body.into();
        self
    }

    /// Which attempt it answers; otherwise the first, which is 1.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.0.attempt = attempt;
        self
    }

    /// The response.
    pub fn build(self) -> Response {
        self.0
    }
}

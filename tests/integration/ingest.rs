//! The front door over real sockets: what it refuses, keeps, masks and recognises.

mod addresses;
mod crowd;
mod dedupe;
mod encoding;
mod gate;
mod handshakes;
mod keys;
mod learning;
mod masking;
mod plugin_scheme;
mod refusals;
mod schemas;
mod schemes;
mod smuggling;
mod tls;
mod wire;

use hookloom_testkit::gateway::{Answer, Gateway};
use hookloom_testkit::raw::RawAnswer;
use hookloom_testkit::sender::{SECRET, borrowed, github};

/// A GitHub source; `more` is what else its table has.
fn github_source(more: &str) -> String {
    format!("[sources.github]\nscheme = \"github\"\nsecrets = [\"{SECRET}\"]\n{more}\n")
}

/// A source that takes what anybody posts.
fn open_source(more: &str) -> String {
    format!("[sources.open]\nscheme = \"none\"\n{more}\n")
}

/// A refusal is JSON that says why and nothing else.
fn assert_refused(answer: &Answer, status: u16, why: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.json(), serde_json::json!({ "error": why }));
}

/// The same of an answer that was read by hand.
fn assert_raw_refused(answer: &RawAnswer, status: u16, why: &str) {
    assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), serde_json::json!({ "error": why }));
}

/// The head and body of a GitHub webhook as they go over the wire.
fn wire_request(body: &[u8]) -> Vec<u8> {
    let lines = github("push", body);
    let headers: String = lines.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
    let head = format!(
        "POST /in/github HTTP/1.1\r\nhost: gateway\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Posts a webhook that GitHub could have sent.
async fn post_signed(gateway: &Gateway, body: &str) -> Answer {
    gateway.post("github", &borrowed(&github("push", body.as_bytes())), body).await
}

/// How many requests to a source had that outcome.
async fn counted(gateway: &Gateway, source: &str, outcome: &str) -> String {
    let name = format!("hookloom_requests_total{{source=\"{source}\",outcome=\"{outcome}\"}}");
    gateway.metric(&name).await.to_string()
}

/// Rows of a table of a gateway that was stopped.
fn rows(gateway: &Gateway, table: &str) -> i64 {
    let store = rusqlite::Connection::open(gateway.path("data/hookloom.db")).unwrap();
    store.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

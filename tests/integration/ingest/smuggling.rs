//! Requests that two readers could read in two ways, and others that no client sends: each
//! is answered with a true status or with the end of its connection, and what is accepted
//! is what was verified, byte for byte.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::raw::Raw;
use hookloom_testkit::sender::github;

use super::{github_source, post_signed, rows};

const BODY: &str = "{\"n\": 1}";
const CHUNKED: &str = "8\r\n{\"n\": 1}\r\n0\r\n\r\n";

/// A signed request with that line and framing, on a connection that ends with it.
fn signed(line: &str, framing: &str, body: &[u8]) -> Vec<u8> {
    let lines = github("push", BODY.as_bytes());
    let headers: String = lines.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
    let head = format!("{line}\r\nhost: gateway\r\nconnection: close\r\n{headers}{framing}\r\n");
    [head.as_bytes(), body].concat()
}

fn framed(framing: &str, body: &str) -> Vec<u8> {
    signed("POST /in/github HTTP/1.1", framing, body.as_bytes())
}

fn line(line: &str) -> Vec<u8> {
    signed(line, "content-length: 8\r\n", BODY.as_bytes())
}

fn with(header: &[u8]) -> Vec<u8> {
    let request = framed("content-length: 8\r\n", BODY);
    let at = request.windows(5).position(|window| window == b"host:").unwrap();
    [&request[..at], header, b"\r\n", &request[at..]].concat()
}

/// The statuses of the answers on one connection.
fn statuses(said: &[u8]) -> Vec<u16> {
    let said = String::from_utf8_lossy(said);
    said.split("HTTP/1.").skip(1).map(|answer| answer[2..5].parse().unwrap()).collect()
}

/// Sends each; then others are served, and only what was answered with 200 is an event.
async fn assert_answers(cases: Vec<(&str, Vec<u8>, &[u16])>) {
    let mut gateway = Gateway::start(&github_source("")).await;
    let mut accepted = 0_i64;
    for (name, bytes, expected) in cases {
        let mut raw = Raw::connect(gateway.listen()).await;
        // It may have had enough before the end.
        let _ = raw.try_send(&bytes).await;
        let found = statuses(&raw.closed().await);
        assert_eq!(found, expected, "{name}");
        accepted += found.iter().map(|status| i64::from(*status == 200)).sum::<i64>();
    }
    assert_eq!(post_signed(&gateway, BODY).await.status, 200);
    gateway.stop().await;
    let store = rusqlite::Connection::open(gateway.path("data/hookloom.db")).unwrap();
    let as_signed = "SELECT count(*) FROM events WHERE CAST(body AS TEXT) = ?1";
    let as_signed: i64 = store.query_row(as_signed, [BODY], |row| row.get(0)).unwrap();
    assert_eq!((rows(&gateway, "events"), as_signed), (accepted + 1, accepted + 1));
}

#[tokio::test]
async fn a_length_is_one_number() {
    let lies = |value: &str| framed(&format!("content-length: {value}\r\n"), BODY);
    assert_answers(vec![
        ("the truth", lies("8"), &[200]),
        ("said twice", framed("content-length: 8\r\ncontent-length: 8\r\n", BODY), &[200]),
        ("two of them", framed("content-length: 8\r\ncontent-length: 3\r\n", BODY), &[400]),
        ("a list", lies("8, 8"), &[400]),
        ("negative", lies("-8"), &[400]),
        ("with a sign", lies("+8"), &[400]),
        ("hexadecimal", lies("0x8"), &[400]),
        ("nothing", lies(""), &[400]),
        ("beyond all numbers", lies("99999999999999999999"), &[400]),
        ("beyond the limit", lies("18446744073709551613"), &[413]),
        ("too short", lies("3"), &[401]),
        ("none", framed("", BODY), &[401]),
        ("a space before the colon", framed("content-length : 8\r\n", BODY), &[400]),
    ])
    .await;
}

#[tokio::test]
async fn chunks_are_what_they_say() {
    let chunked = |body: &str| framed("transfer-encoding: chunked\r\n", body);
    let extensions = "8;a=b;c=\"d\"\r\n{\"n\": 1}\r\n0;last\r\nx-trailer: 1\r\n\r\n";
    assert_answers(vec![
        ("plain", chunked(CHUNKED), &[200]),
        ("in any case", framed("transfer-encoding: Chunked\r\n", CHUNKED), &[200]),
        ("extensions and trailers", chunked(extensions), &[200]),
        (
            "a trailer that would be a length",
            chunked("8\r\n{\"n\": 1}\r\n0\r\ncontent-length: 3\r\n\r\n"),
            &[200],
        ),
        ("a size that overflows", chunked("fffffffffffffffff\r\n{\"n\": 1}\r\n0\r\n\r\n"), &[400]),
        ("a size that wraps around", chunked("10000000000000008\r\n{\"n\": 1}\r\n0\r\n\r\n"), &[400]),
        ("a size with a sign", chunked("-8\r\n{\"n\": 1}\r\n0\r\n\r\n"), &[400]),
        ("a size with 0x", chunked("0x8\r\n{\"n\": 1}\r\n0\r\n\r\n"), &[400]),
        ("a chunk longer than its size", chunked("3\r\n{\"n\": 1}\r\n0\r\n\r\n"), &[400]),
        ("no size", chunked("\r\n{\"n\": 1}\r\n0\r\n\r\n"), &[400]),
    ])
    .await;
}

#[tokio::test]
async fn of_two_framings_chunks_count_and_nothing_follows() {
    // RFC 9112 §6.3: chunks override a length, and the connection ends with them.
    let both = "content-length: 8\r\ntransfer-encoding: chunked\r\n";
    assert_answers(vec![
        ("both", framed(both, CHUNKED), &[200]),
        (
            "both, the other way round",
            framed("transfer-encoding: chunked\r\ncontent-length: 8\r\n", BODY),
            &[400],
        ),
        ("no known coding", framed("transfer-encoding: xchunked\r\n", CHUNKED), &[400]),
        ("not the last coding", framed("transfer-encoding: chunked, identity\r\n", CHUNKED), &[400]),
        ("twice", framed("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", CHUNKED), &[400]),
        ("a space before the colon", framed("transfer-encoding : chunked\r\n", CHUNKED), &[400]),
        ("a folded line", framed("transfer-encoding:\r\n chunked\r\n", CHUNKED), &[400]),
        (
            "HTTP/1.0",
            signed("POST /in/github HTTP/1.0", "transfer-encoding: chunked\r\n", CHUNKED.as_bytes()),
            &[400],
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_follows_a_body_is_another_request() {
    let hidden =
        "POST /in/github HTTP/1.1\r\nhost: gateway\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    let kept = |framing: &str, body: &str| {
        let request = String::from_utf8(framed(framing, body)).unwrap();
        (request.replace("connection: close\r\n", "") + hidden).into_bytes()
    };
    assert_answers(vec![
        ("behind a length", kept("content-length: 8\r\n", BODY), &[200, 401]),
        ("behind chunks", kept("transfer-encoding: chunked\r\n", CHUNKED), &[200, 401]),
        ("behind nothing", kept("content-length: 0\r\n", ""), &[401, 401]),
        ("behind two framings", kept("content-length: 4\r\ntransfer-encoding: chunked\r\n", CHUNKED), &[200]),
    ])
    .await;
}

#[tokio::test]
async fn a_target_is_taken_as_it_is_written() {
    let mut long = String::from("POST /in/github?");
    long.extend(std::iter::repeat_n('x', 65_600));
    assert_answers(vec![
        ("the source", line("POST /in/github HTTP/1.1"), &[200]),
        ("below it", line("POST /in/github/../other HTTP/1.1"), &[200]),
        ("beside it", line("POST /in/other/../github HTTP/1.1"), &[404]),
        ("a whole URL", line("POST http://elsewhere/in/github HTTP/1.1"), &[200]),
        ("two slashes", line("POST //in/github HTTP/1.1"), &[404]),
        ("two slashes inside", line("POST /in//github HTTP/1.1"), &[404]),
        ("an encoded letter", line("POST /in/%67ithub HTTP/1.1"), &[404]),
        ("an encoded slash", line("POST /in%2fgithub HTTP/1.1"), &[404]),
        ("an encoded slash behind", line("POST /in/github%2f HTTP/1.1"), &[404]),
        ("another case", line("POST /IN/github HTTP/1.1"), &[404]),
        ("none", line("POST * HTTP/1.1"), &[404]),
        ("a tunnel", line("CONNECT gateway:80 HTTP/1.1"), &[404]),
        ("a space in it", line("POST /in/git hub HTTP/1.1"), &[400]),
        ("too long", line(&format!("{long} HTTP/1.1")), &[414]),
        ("HTTP/1.0", line("POST /in/github HTTP/1.0"), &[200]),
        ("HTTP/2", line("PRI * HTTP/2.0"), &[400]),
        ("HTTP/1.9", line("POST /in/github HTTP/1.9"), &[400]),
        ("no version", line("POST /in/github"), &[400]),
    ])
    .await;
}

#[tokio::test]
async fn headers_are_lines_of_their_own() {
    let many =
        |count: usize| (0..count).map(|n| format!("x-{n}: 1")).collect::<Vec<_>>().join("\r\n").into_bytes();
    let long = |bytes: usize| format!("x-long: {}", "x".repeat(bytes)).into_bytes();
    assert_answers(vec![
        ("bytes above 127", with(b"x-name: caf\xc3\xa9 \xff"), &[200]),
        ("the same name again", with(b"x-github-event: ping"), &[200]),
        ("an empty value", with(b"x-empty:"), &[200]),
        ("a folded line", with(b"x-folded: a\r\n b"), &[400]),
        ("a null byte", with(b"x-null: a\0b"), &[400]),
        ("a bare carriage return", with(b"x-return: a\rb"), &[400]),
        ("a null byte in a name", with(b"x\0null: a"), &[400]),
        ("no name", with(b": a"), &[400]),
        ("no colon", with(b"nonsense"), &[400]),
        ("many", with(&many(80)), &[200]),
        ("too many", with(&many(100)), &[431]),
        ("long", with(&long(60 << 10)), &[200]),
        ("too long", with(&long(200 << 10)), &[431]),
    ])
    .await;
}

#[tokio::test]
async fn who_asks_before_sending_is_told_to_go_on_or_not_to() {
    let mut gateway = Gateway::start(&github_source("")).await;
    let expects = |length: usize| {
        let request = framed(&format!("expect: 100-continue\r\ncontent-length: {length}\r\n"), "");
        String::from_utf8(request).unwrap()
    };
    let mut raw = Raw::connect(gateway.listen()).await;
    raw.send(expects(BODY.len())).await;
    assert_eq!(raw.answer().await.status, 100);
    raw.send(BODY).await;
    assert_eq!(raw.answer().await.status, 200);

    for (request, status) in [(expects(2 << 20), 413), (expects(8).replace("/in/github", "/in/unknown"), 404)]
    {
        let mut raw = Raw::connect(gateway.listen()).await;
        raw.send(request).await;
        assert_eq!(statuses(&raw.closed().await), [status]);
    }
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 1);
}

#[tokio::test]
async fn a_body_that_ends_early_is_no_event() {
    let mut gateway = Gateway::start(&github_source("")).await;
    for request in [
        framed("content-length: 9\r\n", BODY),
        framed("transfer-encoding: chunked\r\n", "8\r\n{\"n\": 1}\r\n"),
        framed("transfer-encoding: chunked\r\n", "8\r\n{\"n\": 1}\r\n0\r\n"),
        framed("transfer-encoding: chunked\r\n", "9\r\n{\"n\": 1}"),
    ] {
        let mut raw = Raw::connect(gateway.listen()).await;
        raw.send(&request).await;
        raw.finish().await;
        let found = statuses(&raw.closed().await);
        assert!(found.is_empty() || found == [400], "{found:?} to {}", String::from_utf8_lossy(&request));
    }
    assert_eq!(post_signed(&gateway, BODY).await.status, 200);
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 1);
}

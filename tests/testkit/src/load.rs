//! The reference load: signed once, sent often, each time under another delivery id.
//! It runs on one thread, inside a `LocalSet`, so that the machine's time is the subject's.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::sender::{SECRET, signed};
use crate::wire::Messages;

/// Bytes of an event's body.
const BODY: usize = 1024;
/// Stands where each request has its own id; GitHub's have this length.
const PLACEHOLDER: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

/// The header with the time of sending, where requests carry it.
pub const SENT: &str = "x-sent-nanos";
/// Stands where it goes.
const NO_TIME: &str = "00000000000000000000";

/// What is sent. Cloning shares the numbers, so that no two requests have one id.
#[derive(Clone, Debug)]
pub struct Requests {
    bytes: Vec<u8>,
    /// Where the id is in `bytes`.
    id_at: usize,
    /// Where the time goes, and what it is counted from.
    time_at: Option<(usize, Instant)>,
    numbers: Rc<Cell<u64>>,
}

impl Requests {
    /// Webhooks of GitHub's for that source, 1 KiB each.
    pub fn to(source: &str) -> Self {
        let bytes = request(source, None);
        let id_at = position(&bytes, PLACEHOLDER).expect("the request carries an id");
        Self { bytes, id_at, time_at: None, numbers: Rc::default() }
    }

    /// The same, each with [`SENT`]: when it was due, in nanoseconds since `origin`.
    #[must_use]
    pub fn timed(source: &str, origin: Instant) -> Self {
        let bytes = request(source, Some(NO_TIME));
        let time_at = position(&bytes, NO_TIME).expect("the request carries a time");
        let id_at = position(&bytes, PLACEHOLDER).expect("the request carries an id");
        Self { bytes, id_at, time_at: Some((time_at, origin)), numbers: Rc::default() }
    }

    /// The bytes of the next one, due at `due`.
    fn next(&mut self, due: Instant) -> &[u8] {
        let number = self.numbers.get();
        self.numbers.set(number + 1);
        // Scattered as real ids are, so that indexes are as cold as they would be.
        let id = format!("{:016x}", scatter(number));
        self.bytes[self.id_at..][..8].copy_from_slice(&id.as_bytes()[..8]);
        self.bytes[self.id_at + PLACEHOLDER.len() - 8..][..8].copy_from_slice(&id.as_bytes()[8..]);
        if let Some((at, origin)) = self.time_at {
            let nanos = format!("{:020}", due.duration_since(origin).as_nanos());
            self.bytes[at..][..NO_TIME.len()].copy_from_slice(nanos.as_bytes());
        }
        &self.bytes
    }
}

/// Open connections to a subject.
#[derive(Debug)]
pub struct Load {
    connections: Vec<Rc<Mutex<Connection>>>,
}

#[derive(Debug)]
struct Connection {
    write: OwnedWriteHalf,
    answers: Messages<OwnedReadHalf>,
    requests: Requests,
}

impl Load {
    /// So many connections, which send such requests.
    pub async fn connect(address: SocketAddr, connections: usize, requests: &Requests) -> io::Result<Self> {
        let mut open = Vec::with_capacity(connections);
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (read, write) = stream.into_split();
            let connection = Connection { write, answers: Messages::new(read), requests: requests.clone() };
            open.push(Rc::new(Mutex::new(connection)));
        }
        Ok(Self { connections: open })
    }

    /// Each connection sends its next request when the last was answered. Returns how
    /// many were.
    pub async fn closed(&self, length: Duration) -> io::Result<u32> {
        let end = Instant::now() + length;
        let answered = self.each(|connection, _| async move {
            let mut connection = connection.lock().await;
            let mut answered = 0;
            while Instant::now() < end {
                connection.exchange(Instant::now()).await?;
                answered += 1;
            }
            Ok(answered)
        });
        Ok(answered.await?.into_iter().sum())
    }

    /// So many requests a second, whether or not earlier ones were answered in time.
    /// Returns how long each answer took, counted from when its request was due: a
    /// subject that stalls is charged for everyone who had to wait.
    pub async fn paced(&self, rate: f64, length: Duration) -> io::Result<Vec<Duration>> {
        let begin = Instant::now() + Duration::from_millis(20);
        let count = self.connections.len();
        let latencies = self.each(|connection, first| async move {
            let mut connection = connection.lock().await;
            let mut latencies = Vec::new();
            for turn in (first..).step_by(count) {
                let due = begin + Duration::from_secs_f64(f64::from(turn) / rate);
                if due >= begin + length {
                    break;
                }
                // The timer's own lateness is not the subject's.
                let from = if due > Instant::now() {
                    tokio::time::sleep_until(due).await;
                    Instant::now()
                } else {
                    due
                };
                connection.exchange(from).await?;
                latencies.push(from.elapsed());
            }
            Ok(latencies)
        });
        let mut latencies: Vec<_> = latencies.await?.into_iter().flatten().collect();
        latencies.sort_unstable();
        Ok(latencies)
    }

    async fn each<T: 'static, F>(&self, work: impl Fn(Rc<Mutex<Connection>>, u32) -> F) -> io::Result<Vec<T>>
    where
        F: Future<Output = io::Result<T>> + 'static,
    {
        let mut tasks = JoinSet::new();
        for (index, connection) in (0..).zip(&self.connections) {
            tasks.spawn_local(work(Rc::clone(connection), index));
        }
        let mut all = Vec::with_capacity(self.connections.len());
        while let Some(ended) = tasks.join_next().await {
            all.push(ended??);
        }
        Ok(all)
    }
}

impl Connection {
    async fn exchange(&mut self, due: Instant) -> io::Result<()> {
        self.write.write_all(self.requests.next(due)).await?;
        let answer = self.answers.next().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if answer.head.starts_with(b"HTTP/1.1 200 ") {
            return Ok(());
        }
        Err(io::Error::other(format!("refused: {}", String::from_utf8_lossy(answer.head))))
    }
}

/// A bijection (`SplitMix64`'s finalizer): numbers that differ stay different.
fn scatter(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn position(bytes: &[u8], part: &str) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part.as_bytes())
}

fn request(source: &str, time: Option<&str>) -> Vec<u8> {
    let body = body();
    let mut head =
        format!("POST /in/{source} HTTP/1.1\r\nhost: localhost\r\nuser-agent: GitHub-Hookshot/044aadd\r\n");
    head.extend(time.map(|time| format!("{SENT}: {time}\r\n")));
    for (name, value) in signed("github", SECRET, PLACEHOLDER, Some("issues"), &body) {
        head.extend([&name, ": ", &value, "\r\n"]);
    }
    if !head.contains("content-type") {
        head += "content-type: application/json\r\n";
    }
    let length = format!("content-length: {}\r\n\r\n", body.len());
    [head.into_bytes(), length.into_bytes(), body].concat()
}

/// Shaped like an event of GitHub's, [`BODY`] bytes long.
fn body() -> Vec<u8> {
    let mut event = json!({
        "action": "opened",
        "issue": {
            "url": "https://api.github.com/repos/octocat/hello-world/issues/1347",
            "number": 1347,
            "title": "Found a bug",
            "user": { "login": "octocat", "id": 1, "type": "User", "site_admin": false },
            "labels": [{ "id": 208_045_946, "name": "bug", "color": "f29513", "default": true }],
            "state": "open",
            "comments": 0,
            "created_at": "2026-04-22T13:33:48Z",
            "body": "",
        },
        "repository": { "id": 1_296_269, "name": "hello-world", "full_name": "octocat/hello-world", "private": false },
        "sender": { "login": "octocat", "id": 1, "email": "octocat@example.com", "type": "User" },
    });
    let missing = BODY.saturating_sub(event.to_string().len());
    event["issue"]["body"] =
        "I'm having a problem with this. ".chars().cycle().take(missing).collect::<String>().into();
    event.to_string().into_bytes()
}

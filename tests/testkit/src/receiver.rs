//! A receiver that answers as scripted and remembers what it was sent: plain HTTP/1.1 on
//! sockets, so that it can also misbehave in ways that no server library allows.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How long a test waits for a state before it fails.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Between two bytes of a head that drips.
const DRIP: Duration = Duration::from_millis(10);

/// How a client that speaks TLS begins.
const TLS_HANDSHAKE: u8 = 22;

/// What the receiver does with a request that it has read in full.
#[derive(Clone, Debug)]
pub enum Answer {
    /// This status, without a body.
    Status(u16),
    /// This status with headers and a body.
    Full(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The answer, once [`Receiver::open`] was called.
    Held(Box<Answer>),
    /// 200 and its headers at once; the body, one byte of ten, and then nothing more.
    StalledBody,
    /// 200 and a body without end.
    EndlessBody,
    /// 200 and half of the body that was announced; the connection ends.
    CutBody,
    /// No answer; the connection is reset.
    Reset,
    /// No answer, and the connection stays.
    Silence,
    /// Bytes that are not HTTP.
    Garbage,
    /// 200 with a header of so many bytes.
    HugeHead(usize),
    /// 200 with so many headers.
    ManyHeaders(usize),
    /// 200 and headers that come a byte at a time, without end.
    DrippingHead,
    /// 200 and half of a header; the connection is reset.
    CutHead,
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `POST /path HTTP/1.1`.
    pub line: String,
    /// Lower-case names, in order.
    pub headers: Vec<(String, String)>,
    /// The exact bytes.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// A receiver on a port of its own. Dropping it ends its connections.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    script: Mutex<Script>,
    seen: watch::Sender<Seen>,
    open: watch::Sender<bool>,
}

#[derive(Debug)]
struct Script {
    next: VecDeque<Answer>,
    after: Answer,
}

/// What the receiver has seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Requests that were read in full, in the order of their arrival.
    pub requests: Vec<Request>,
    /// Connections that were opened.
    pub connections: usize,
    /// Of these, those that have ended.
    pub ended: usize,
    /// Requests that are not answered yet, and the most there were at once.
    pub waiting: usize,
    /// The most requests that waited at once.
    pub most_waiting: usize,
}

impl Receiver {
    /// Answers in the order of `script`, and 200 after that.
    pub async fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        Self::start_with(script, Answer::Status(200)).await
    }

    /// Answers in the order of `script`, and `after` after that.
    pub async fn start_with(script: impl IntoIterator<Item = Answer>, after: Answer) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), script, after).await
    }

    /// The same at an address that the test chooses.
    pub async fn start_at(
        address: SocketAddr,
        script: impl IntoIterator<Item = Answer>,
        after: Answer,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            script: Mutex::new(Script { next: script.into_iter().collect(), after }),
            seen: watch::Sender::default(),
            open: watch::Sender::default(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, task }
    }

    /// `http://127.0.0.1:PORT/hooks`.
    pub fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets every held answer go, also later ones.
    pub fn open(&self) {
        self.shared.open.send_replace(true);
    }

    /// What it has seen so far.
    pub fn seen(&self) -> Seen {
        self.shared.seen.borrow().clone()
    }

    /// Waits until that many requests were read, and returns all there are.
    pub async fn requests(&self, count: usize) -> Vec<Request> {
        self.until(&format!("{count} requests"), |seen| seen.requests.len() >= count).await.requests
    }

    /// Waits until `reached` holds; fails the test after [`DEADLINE`].
    pub async fn until(&self, what: &str, reached: impl FnMut(&Seen) -> bool) -> Seen {
        let mut seen = self.shared.seen.subscribe();
        let result = tokio::time::timeout(DEADLINE, seen.wait_for(reached)).await;
        match result {
            Ok(Ok(seen)) => seen.clone(),
            _ => panic!("the receiver never saw {what}; it saw {:?}", self.seen()),
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        shared.seen.send_modify(|seen| seen.connections += 1);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // How a connection ends is the other side's business.
            let _ = serve(stream, &shared).await;
            shared.seen.send_modify(|seen| seen.ended += 1);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await? {
        shared.seen.send_modify(|seen| {
            seen.requests.push(request);
            seen.waiting += 1;
            seen.most_waiting = seen.most_waiting.max(seen.waiting);
        });
        let answer = shared.next_answer();
        let result = shared.answer(&mut stream, answer).await;
        shared.seen.send_modify(|seen| seen.waiting -= 1);
        result?;
    }
    Ok(())
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_answer(&self) -> Answer {
        let mut script = self.script();
        script.next.pop_front().unwrap_or_else(|| script.after.clone())
    }

    async fn answer(&self, stream: &mut TcpStream, mut answer: Answer) -> io::Result<()> {
        while let Answer::Held(then) = answer {
            let opened = async { self.open.subscribe().wait_for(|open| *open).await.is_ok() };
            tokio::select! {
                _ = opened => {}
                () = closed(stream) => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
            answer = *then;
        }
        match answer {
            Answer::Held(_) => unreachable!("held answers were let go above"),
            Answer::Status(status) => stream.write_all(&response(status, &[], b"")).await,
            Answer::Full(status, headers, body) => stream.write_all(&response(status, &headers, &body)).await,
            Answer::StalledBody => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n.").await?;
                closed(stream).await;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Answer::EndlessBody => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n").await?;
                loop {
                    stream.write_all(&[b'x'; 16 * 1024]).await?;
                }
            }
            Answer::CutBody => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello").await?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Answer::Reset => {
                stream.set_zero_linger()?;
                Err(io::ErrorKind::ConnectionReset.into())
            }
            Answer::Silence => {
                closed(stream).await;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Answer::HugeHead(bytes) => {
                let value = "x".repeat(bytes);
                stream.write_all(&response(200, &[("x-big", value)], b"")).await
            }
            Answer::ManyHeaders(count) => {
                let headers: Vec<_> = (0..count).map(|n| ("x-many", n.to_string())).collect();
                stream.write_all(&response(200, &headers, b"")).await
            }
            Answer::DrippingHead => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nx-drip: ").await?;
                loop {
                    stream.write_all(b".").await?;
                    tokio::time::sleep(DRIP).await;
                }
            }
            Answer::CutHead => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nx-half: ").await?;
                stream.set_zero_linger()?;
                Err(io::ErrorKind::ConnectionReset.into())
            }
            Answer::Garbage => {
                stream.write_all(b"EHLO not.http\r\n\r\n").await?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
        }
    }
}

/// Until the other side has closed.
async fn closed(stream: &mut TcpStream) {
    let mut sink = [0; 1024];
    while matches!(stream.read(&mut sink).await, Ok(1..)) {}
}

fn response(status: u16, headers: &[(&str, String)], body: &[u8]) -> Vec<u8> {
    let lines: String = headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
    let head = format!("HTTP/1.1 {status} scripted\r\ncontent-length: {}\r\n{lines}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The next request on a connection; `None` when there is none.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
        if buffer[0] == TLS_HANDSHAKE {
            stream.write_all(&response(400, &[], b"this is plain HTTP")).await?;
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    buffer.drain(..head_end + 4);
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    let body = buffer.drain(..length).collect();
    Ok(Some(Request { line, headers, body }))
}

//! The destination of the reference load: answers 200 to everything and counts. It runs
//! on one thread, inside a `LocalSet`.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::load::SENT;
use crate::wire::{Message, Messages};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
/// Without a further arrival for so long, something is lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// Dropping it takes no further connections.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    seen: Rc<Seen>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Seen {
    count: Cell<u32>,
    first: Cell<Option<Instant>>,
    last: RefCell<Vec<u8>>,
    /// What the times of sending are counted from.
    origin: Instant,
    latencies: RefCell<Vec<Duration>>,
}

impl Seen {
    fn note(&self, request: &Message<'_>) {
        let now = Instant::now();
        let mut last = self.last.borrow_mut();
        last.clear();
        last.extend_from_slice(request.body);
        self.count.set(self.count.get() + 1);
        self.first.set(self.first.get().or(Some(now)));
        if let Some(sent) = request.header(SENT).and_then(|sent| sent.parse().ok()) {
            let since = now.duration_since(self.origin).saturating_sub(Duration::from_nanos(sent));
            self.latencies.borrow_mut().push(since);
        }
    }
}

impl Sink {
    /// Requests that carry the time of sending count it from `origin`.
    pub async fn start(origin: Instant) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Rc::new(Seen {
            count: Cell::default(),
            first: Cell::default(),
            last: RefCell::default(),
            origin,
            latencies: RefCell::default(),
        });
        let shared = Rc::clone(&seen);
        let accepting = tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(serve(stream, Rc::clone(&shared)));
            }
        });
        Ok(Self { address, seen, accepting })
    }

    /// Where deliveries go.
    pub fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// How many requests have come.
    pub fn count(&self) -> u32 {
        self.seen.count.get()
    }

    /// When the first one came.
    pub fn first(&self) -> Option<Instant> {
        self.seen.first.get()
    }

    /// The body of the last one.
    pub fn last(&self) -> Vec<u8> {
        self.seen.last.borrow().clone()
    }

    /// From being sent to being here, for each request that said when it was sent and
    /// came since the last call; sorted.
    pub fn take_latencies(&self) -> Vec<Duration> {
        let mut latencies = self.seen.latencies.take();
        latencies.sort_unstable();
        latencies
    }

    /// Returns once so many requests have come.
    ///
    /// # Errors
    /// When there are more, or the rest does not come.
    pub async fn wait_for(&self, count: u32) -> io::Result<()> {
        let mut before = self.count();
        let mut moved = Instant::now();
        loop {
            let now = self.count();
            match now {
                _ if now == count => return Ok(()),
                _ if now > count => {
                    return Err(io::Error::other(format!("{now} deliveries of {count} events")));
                }
                _ if now > before => (before, moved) = (now, Instant::now()),
                _ if moved.elapsed() > PATIENCE => {
                    return Err(io::Error::other(format!("{now} of {count} events arrived, and no more")));
                }
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(stream: TcpStream, seen: Rc<Seen>) {
    // Nobody's fault at the end of a measurement.
    let _ = stream.set_nodelay(true);
    let (read, mut write) = stream.into_split();
    let mut requests = Messages::new(read);
    while let Ok(Some(request)) = requests.next().await {
        seen.note(&request);
        if write.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}

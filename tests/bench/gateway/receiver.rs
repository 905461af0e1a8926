//! The destination: answers 200 to everything and counts.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::Error;
use crate::wire::Messages;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
/// Without a further arrival for so long, something is lost.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Receiver {
    address: SocketAddr,
    seen: Rc<Seen>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    count: Cell<u32>,
    last: RefCell<Vec<u8>>,
}

impl Seen {
    fn note(&self, body: &[u8]) {
        let mut last = self.last.borrow_mut();
        last.clear();
        last.extend_from_slice(body);
        self.count.set(self.count.get() + 1);
    }
}

impl Receiver {
    /// Must be called inside a `LocalSet` or on a thread with one runtime of its own.
    pub(crate) async fn start() -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Rc::new(Seen::default());
        let shared = Rc::clone(&seen);
        let accepting = tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(serve(stream, Rc::clone(&shared)));
            }
        });
        Ok(Self { address, seen, accepting })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// Returns once so many requests have come.
    pub(crate) async fn wait_for(&self, count: u32) -> Result<(), Error> {
        let mut before = self.seen.count.get();
        let mut moved = tokio::time::Instant::now();
        loop {
            let now = self.seen.count.get();
            match now {
                _ if now == count => return Ok(()),
                _ if now > count => return Err(format!("{now} deliveries of {count} events").into()),
                _ if now > before => (before, moved) = (now, tokio::time::Instant::now()),
                _ if moved.elapsed() > PATIENCE => {
                    return Err(format!("{now} of {count} events arrived, and no more").into());
                }
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }

    /// The transform was at work.
    pub(crate) fn expect_redacted(&self) -> Result<(), Error> {
        let last = self.seen.last.borrow();
        let text = str::from_utf8(&last)?;
        if text.contains("[redacted]") { Ok(()) } else { Err(format!("not transformed: {text}").into()) }
    }
}

impl Drop for Receiver {
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
        seen.note(request.body);
        if write.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}

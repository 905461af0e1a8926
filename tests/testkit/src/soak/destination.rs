//! A destination of the soak: it answers after a while, or says 503, and
//! remembers each attempt with its beginning and its end.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::history::{Arrival, Arrivals, Ids, Name};
use crate::wait::DEADLINE;
use crate::wire::{Message, Messages};

/// How it behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manners {
    pub(super) name: &'static str,
    /// The gateway is asked to keep each key's order.
    pub(super) ordered: bool,
    /// Every so manieth attempt is answered with 503. A gateway that slows down for that
    /// must get through all the same.
    pub(super) fails_every: Option<u64>,
    /// Before the answer.
    pub(super) takes: Duration,
}

/// What all destinations write to, and the ticks that order what they saw.
#[derive(Debug, Default)]
pub(super) struct Book {
    ticks: u64,
    ids: Ids,
    pages: Vec<Page>,
}

#[derive(Debug, Default)]
struct Page {
    arrivals: Arrivals,
    /// Bodies that are none of the soak's.
    strange: Vec<String>,
}

/// Cloning shares.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared(Arc<Mutex<Book>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_page(&self, manners: Manners) -> usize {
        let arrivals =
            Arrivals { destination: manners.name.into(), ordered: manners.ordered, attempts: Vec::new() };
        let mut book = self.lock();
        book.pages.push(Page { arrivals, strange: Vec::new() });
        book.pages.len() - 1
    }

    /// Its place on the page, and the number of the attempt, from 1.
    fn began(&self, page: usize, request: &Message<'_>) -> Option<(usize, u64)> {
        let mut book = self.lock();
        book.ticks += 1;
        let began = book.ticks;
        let id = request.header("webhook-id").map(|id| book.ids.number(id));
        let (Some(event), Some(id)) = (Name::of(request.body), id) else {
            let strange = String::from_utf8_lossy(request.body).into_owned();
            book.pages[page].strange.push(strange);
            return None;
        };
        let mut hasher = DefaultHasher::new();
        request.body.hash(&mut hasher);
        let attempts = &mut book.pages[page].arrivals.attempts;
        attempts.push(Arrival { event, id, body: hasher.finish(), began, ended: u64::MAX, taken: false });
        Some((attempts.len() - 1, attempts.len() as u64))
    }

    /// Before the answer is written: the gateway cannot know of the end earlier.
    fn ended(&self, page: usize, place: usize, taken: bool) {
        let mut book = self.lock();
        book.ticks += 1;
        let ended = book.ticks;
        let attempt = &mut book.pages[page].arrivals.attempts[place];
        (attempt.ended, attempt.taken) = (ended, taken);
    }

    /// What arrived so far, and the ids.
    pub(super) fn so_far(&self) -> (Vec<Arrivals>, Ids) {
        let book = self.lock();
        (book.pages.iter().map(|page| page.arrivals.clone()).collect(), book.ids.clone())
    }

    /// What arrived and is none of the soak's.
    pub(super) fn strange(&self) -> Vec<String> {
        self.lock().pages.iter().flat_map(|page| page.strange.clone()).collect()
    }
}

/// Dropping it ends its connections.
#[derive(Debug)]
pub(super) struct Destination {
    address: SocketAddr,
    /// The peers of the connections that are open.
    open: watch::Receiver<BTreeSet<SocketAddr>>,
    task: JoinHandle<()>,
}

impl Destination {
    pub(super) async fn start(manners: Manners, book: &Shared) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let page = book.open_page(manners);
        let (open, seen) = watch::channel(BTreeSet::new());
        let task = tokio::spawn(accept(listener, manners, book.clone(), page, open));
        Ok(Self { address, open: seen, task })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// Returns once everything that a killed gateway had sent was read and its
    /// connections have ended: what comes later is from the next one.
    ///
    /// Connections are taken in the order in which they were made, so when one that is
    /// made now is open and no other is, there is nothing left of before.
    pub(super) async fn quiet(&self) -> anyhow::Result<()> {
        let last = TcpStream::connect(self.address).await?;
        let alone = BTreeSet::from([last.local_addr()?]);
        let mut open = self.open.clone();
        let waited = tokio::time::timeout(DEADLINE, open.wait_for(|open| *open == alone)).await;
        anyhow::ensure!(matches!(waited, Ok(Ok(_))), "connections of a killed process do not end");
        Ok(())
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    manners: Manners,
    book: Shared,
    page: usize,
    open: watch::Sender<BTreeSet<SocketAddr>>,
) {
    let open = Arc::new(open);
    while let Ok((stream, peer)) = listener.accept().await {
        open.send_if_modified(|open| open.insert(peer));
        let (book, open) = (book.clone(), Arc::clone(&open));
        tokio::spawn(async move {
            // How a connection ends is the other side's business.
            let _ = serve(stream, manners, &book, page).await;
            open.send_if_modified(|open| open.remove(&peer));
        });
    }
}

async fn serve(stream: TcpStream, manners: Manners, book: &Shared, page: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut requests = Messages::new(read);
    while let Some(request) = requests.next().await? {
        let Some((place, number)) = book.began(page, &request) else { return Ok(()) };
        let fails = manners.fails_every.is_some_and(|every| number.is_multiple_of(every));
        // The end of the connection ends the attempt; nothing else comes before the answer.
        let gone = tokio::select! {
            () = tokio::time::sleep(manners.takes) => false,
            _ = requests.next() => true,
        };
        book.ended(page, place, !gone && !fails);
        if gone {
            return Ok(());
        }
        let status = if fails { "503 now and then" } else { "200 OK" };
        write.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await?;
    }
    Ok(())
}

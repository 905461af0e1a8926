//! Read connections. Reads see what is committed and never wait for the writer.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connect;
use super::encoding::to_i64;
use crate::store::StoreError;

/// The idle connections, and a place for each.
#[derive(Debug)]
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    places: Arc<Semaphore>,
    count: u32,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize) -> Result<Self, StoreError> {
        let idle = (0..count).map(|_| connect::reader(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            idle: Arc::new(Mutex::new(idle)),
            places: Arc::new(Semaphore::new(count)),
            count: u32::try_from(to_i64(count)).unwrap_or(u32::MAX),
        })
    }

    /// Whether reads are still answered.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.places.is_closed() { Err(StoreError::Closed) } else { Ok(()) }
    }

    /// Runs `read` on one of the connections, off the async threads, on one snapshot.
    pub(super) async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let idle = Arc::clone(&self.idle);
        let work = move || snapshot(Borrowed::take(idle, place).conn()?, read);
        let joined = tokio::task::spawn_blocking(work).await;
        joined.map_err(|e| StoreError::Other(format!("a read did not finish: {e}")))?
    }

    /// Lets reads under way finish, then closes the connections.
    pub(super) async fn close(&self) {
        // An error: it is closed already.
        if let Ok(places) = self.places.acquire_many(self.count).await {
            self.places.close();
            drop(places);
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

/// A connection at work. It comes back however the read ends, and before its place does.
struct Borrowed {
    conn: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
    _place: OwnedSemaphorePermit,
}

impl Borrowed {
    fn take(idle: Arc<Mutex<Vec<Connection>>>, place: OwnedSemaphorePermit) -> Self {
        let conn = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self { conn, idle, _place: place }
    }

    /// It is there: there is one for each place.
    fn conn(&mut self) -> Result<&mut Connection, StoreError> {
        self.conn.as_mut().ok_or_else(|| StoreError::Other("a read connection was lost".into()))
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(self.conn.take());
    }
}

fn snapshot<T>(
    conn: &mut Connection,
    read: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let tx = conn.transaction()?;
    read(&tx)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_read_that_panics_gives_its_connection_back() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        let readers = Readers::open(&path, 1).unwrap();
        let count = |conn: &Connection| -> Result<i64, StoreError> {
            Ok(conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?)
        };
        let panicked = readers.read(move |conn| -> Result<(), _> { panic!("at {:?}", count(conn)) }).await;
        assert!(matches!(panicked, Err(StoreError::Other(why)) if why.contains("did not finish")));
        assert_eq!(readers.read(count).await, Ok(0));
    }
}

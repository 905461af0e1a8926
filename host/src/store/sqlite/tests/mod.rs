//! The conformance suite on `SQLite`, and what only this store promises.

mod backup;
mod child;
mod disk;
mod gates;
mod group_commit;
mod ledger;
mod migration;
mod opening;
mod properties;
mod scale;
mod tidy;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::TempDir;

use super::{SqliteOptions, SqliteStore};
use crate::clock::{Clock, Random};
use crate::metrics::Metrics;
use crate::model::{Event, EventId, Millis};
use crate::store::conformance::{Subject, conformance};
use crate::store::{NewEvent, NewRun, Store, StoreError};

const MINUTE: Duration = Duration::from_mins(1);

/// A private folder with a store in it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("data/hookloom.db")
    }

    fn open(&self) -> SqliteStore {
        self.open_with(&SqliteOptions::default(), &Arc::default()).unwrap()
    }

    fn open_with(&self, options: &SqliteOptions, metrics: &Arc<Metrics>) -> Result<SqliteStore, StoreError> {
        SqliteStore::open(&self.path(), options, Clock::system(), &Random::system(), Arc::clone(metrics))
    }
}

#[async_trait]
impl Subject for Place {
    async fn open(&self, clock: &Clock) -> Box<dyn Store> {
        let (options, random) = (SqliteOptions::default(), Random::system());
        Box::new(SqliteStore::open(&self.path(), &options, clock.clone(), &random, Arc::default()).unwrap())
    }
}

conformance!(Place::new());

/// A small event on one route.
fn new(id: &str) -> NewEvent {
    let event = Event {
        id: EventId::from_text(id),
        source: "s".into(),
        event_type: None,
        received_at: Millis(0),
        method: "POST".into(),
        path: "/in/s".into(),
        query: None,
        headers: Vec::new(),
        body: Bytes::from(vec![b'x'; 1024]),
        attributes: Vec::new(),
    };
    NewEvent { event, routes: vec![NewRun { route: "r".into(), ordered: false, dead: None }], dedupe: None }
}

/// The value of a counter without labels.
fn counted(metrics: &Metrics, name: &str) -> u64 {
    let text = metrics.render();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    line.parse().unwrap()
}

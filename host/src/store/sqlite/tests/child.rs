//! Deaths of a real process: killed under load, and a disk that refuses its writes.
//!
//! Each test starts this very test binary again with only itself selected; the
//! environment tells the child that it is one.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::{Place, new};
use crate::model::EventId;
use crate::store::{Store, StoreError};

const CHILD: &str = "HOOKLOOM_TEST_STORE";

/// Where the parent keeps the store, in a child.
fn as_child() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

fn open(path: &std::path::Path) -> super::SqliteStore {
    use crate::clock::{Clock, Random};
    super::SqliteStore::open(
        path,
        &super::SqliteOptions::default(),
        Clock::system(),
        &Random::system(),
        Arc::default(),
    )
    .unwrap()
}

/// This test, alone, in a process of its own.
fn arguments(test: &str) -> [String; 3] {
    [
        format!("{}::{test}", module_path!().split_once("::").unwrap().1),
        "--exact".into(),
        "--nocapture".into(),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_survives_a_kill() {
    if let Some(path) = as_child() {
        accept_until_killed(&path).await;
    }
    let place = Place::new();
    for round in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(arguments("what_was_accepted_survives_a_kill"))
            .env(CHILD, place.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let enough = 40 + 111 * round;
        let mut told = Vec::new();
        while told.len() < enough {
            told.extend(accepted(&lines.next().unwrap().unwrap()));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // The pipe still has what was told before the end.
        told.extend(lines.map_while(Result::ok).filter_map(|line| accepted(&line)));
        let store = open(&place.path());
        for id in told {
            assert!(store.event(&id).await.unwrap().is_some(), "{id} was accepted and is gone");
        }
        store.close().await;
    }
}

/// What a child tells of an accepted event; a line torn by its end tells nothing.
fn accepted(line: &str) -> Option<EventId> {
    let id = line.strip_prefix("accepted ")?.strip_suffix(" .")?;
    Some(EventId::from_text(id))
}

async fn accept_until_killed(path: &std::path::Path) -> ! {
    let store = Arc::new(open(path));
    let process = std::process::id();
    let callers: Vec<_> = (0..8)
        .map(|caller| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for number in 0_u64.. {
                    let id = format!("evt_{process}_{caller}_{number}");
                    store.accept(vec![new(&id)], None).await.unwrap();
                    // One write, so that lines of several callers do not mix.
                    std::io::stdout().write_all(format!("\naccepted {id} .\n").as_bytes()).unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    unreachable!("it accepts until it is killed")
}

/// A limit of the file size makes the kernel refuse writes with an error that is not
/// "disk full": the store cannot know what reached the disk.
#[tokio::test]
async fn a_failed_write_breaks_the_store_until_it_is_opened_again() {
    if let Some(path) = as_child() {
        return write_until_broken(&path).await;
    }
    let place = Place::new();
    open(&place.path()).close().await;
    let mut child = Command::new("sh")
        // The signal is ignored, so that the write fails instead; 1024 blocks of 512 bytes.
        .args(["-c", "trap '' XFSZ; ulimit -f 1024; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(arguments("a_failed_write_breaks_the_store_until_it_is_opened_again"))
        .env(CHILD, place.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told: Vec<_> = lines.filter_map(|line| accepted(&line.unwrap())).collect();
    assert!(child.wait().unwrap().success(), "the child saw something else");
    assert!(!told.is_empty());
    let store = open(&place.path());
    for id in told {
        assert!(store.event(&id).await.unwrap().is_some(), "{id} was accepted and is gone");
    }
    store.accept(vec![new("evt_after")], None).await.unwrap();
}

async fn write_until_broken(path: &std::path::Path) {
    let store = open(path);
    let mut number = 0;
    let error = loop {
        let id = format!("evt_{number}");
        match store.accept(vec![new(&id)], None).await {
            Ok(_) => writeln!(std::io::stdout(), "\naccepted {id} .").unwrap(),
            Err(error) => break error,
        }
        number += 1;
        assert!(number < 10_000, "the limit is not felt");
    };
    assert!(matches!(error, StoreError::Broken(_)), "{error:?}");
    // It stays so, for every verb, and keeps its first cause.
    assert_eq!(store.accept(vec![new("evt_later")], None).await.unwrap_err(), error);
    assert_eq!(store.claim_runs(1, usize::MAX, super::MINUTE).await.unwrap_err(), error);
    assert_eq!(store.backlog().await.unwrap_err(), error);
    assert_eq!(store.event(&EventId::from_text("evt_0")).await.unwrap_err(), error);
    store.close().await;
}

//! The folder is watched however files are put into it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use hookloom::plugin::{PluginHost, Settle, Watcher};
use hookloom_testkit::guests::{guest, variant};
use tempfile::TempDir;

use super::{Room, patient, put};

/// No test gets to see a rescan: what it sees came from an event.
pub(super) const EVENTS_ONLY: Settle = Settle {
    quiet: Duration::from_millis(30),
    at_most: Duration::from_millis(200),
    rescan: Duration::from_hours(1),
};
/// A watcher that has not told by then never will.
const NEVER: Duration = Duration::from_secs(30);

/// Waits, change by change, until `reached` holds.
pub(super) async fn until(watcher: &mut Watcher, what: &str, mut reached: impl FnMut() -> bool) {
    let waiting = async {
        while !reached() {
            watcher.changed().await;
        }
    };
    tokio::time::timeout(NEVER, waiting).await.unwrap_or_else(|_| panic!("was not told: {what}"));
}

/// Waits until a scan after a change serves that version.
async fn until_serves(watcher: &mut Watcher, room: &Room, host: &PluginHost, version: &str) {
    until(watcher, version, || {
        host.scan(&[]);
        room.version() == version
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_written_in_pieces_serves_once_it_is_whole() {
    let room = Room::open(patient());
    let mut watcher = Watcher::start(&room.plugins(), EVENTS_ONLY).unwrap();
    let path = room.plugins().join("guest.wasm");
    let (start, end) = guest().split_at(guest().len() / 2);
    fs::write(&path, start).unwrap();
    until(&mut watcher, "the first half", || room.host.scan(&[]).problems.len() == 1).await;
    assert_eq!(room.version(), "none");
    OpenOptions::new().append(true).open(&path).unwrap().write_all(end).unwrap();
    until_serves(&mut watcher, &room, &room.host, "guest-version-1").await;
}

#[tokio::test]
async fn files_are_renamed_linked_and_deleted() {
    let room = Room::open(patient());
    let mut watcher = Watcher::start(&room.plugins(), EVENTS_ONLY).unwrap();
    room.put("guest.wasm", guest());
    until_serves(&mut watcher, &room, &room.host, "guest-version-1").await;

    // As Kubernetes swaps a mounted folder: a link to a link.
    let (plugins, two) = (room.plugins(), room.dirs.path().join("two"));
    fs::create_dir(&two).unwrap();
    put(&two, "guest.wasm", &variant(guest(), "guest-version-1", "guest-version-2"));
    symlink(&two, plugins.join("..data")).unwrap();
    symlink("..data/guest.wasm", plugins.join("new")).unwrap();
    fs::rename(plugins.join("new"), plugins.join("guest.wasm")).unwrap();
    until_serves(&mut watcher, &room, &room.host, "guest-version-2").await;
    let three = room.dirs.path().join("three");
    fs::create_dir(&three).unwrap();
    put(&three, "guest.wasm", &variant(guest(), "guest-version-1", "guest-version-3"));
    symlink(&three, plugins.join("..data_new")).unwrap();
    fs::rename(plugins.join("..data_new"), plugins.join("..data")).unwrap();
    until_serves(&mut watcher, &room, &room.host, "guest-version-3").await;

    fs::remove_file(plugins.join("guest.wasm")).unwrap();
    until_serves(&mut watcher, &room, &room.host, "none").await;
}

#[tokio::test]
async fn a_folder_that_is_made_later_or_replaced_is_followed() {
    let dirs = TempDir::new().unwrap();
    let dir = dirs.path().join("deep/plugins");
    let mut watcher = Watcher::start(&dir, EVENTS_ONLY).unwrap();
    let sees = |file: &'static str| {
        let path = dir.join(file);
        move || path.exists()
    };
    fs::create_dir_all(&dir).unwrap();
    until_watched(&mut watcher, &dir).await;
    fs::write(dir.join("a"), "x").unwrap();
    until(&mut watcher, "a file in the new folder", sees("a")).await;

    fs::rename(&dir, dirs.path().join("old")).unwrap();
    let ready = dirs.path().join("ready");
    fs::create_dir(&ready).unwrap();
    fs::rename(&ready, &dir).unwrap();
    until_watched(&mut watcher, &dir).await;
    fs::write(dir.join("b"), "x").unwrap();
    until(&mut watcher, "a file in the folder that replaced it", sees("b")).await;
}

/// Writes into the folder until the watcher tells of it, as it does once it follows
/// the folder that is there now.
async fn until_watched(watcher: &mut Watcher, dir: &Path) {
    let telling = async {
        let mut tries = 0;
        loop {
            tries += 1;
            fs::write(dir.join("probe"), tries.to_string()).unwrap();
            if tokio::time::timeout(EVENTS_ONLY.at_most * 2, watcher.changed()).await.is_ok() && tries > 2 {
                return;
            }
        }
    };
    tokio::time::timeout(NEVER, telling).await.expect("the folder is followed");
}

#[tokio::test]
async fn reading_is_no_change_and_a_rescan_comes_without_one() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("a"), "x").unwrap();
    let mut watcher = Watcher::start(dir.path(), EVENTS_ONLY).unwrap();
    for _ in 0..10 {
        fs::read(dir.path().join("a")).unwrap();
    }
    fs::write(dir.path().join("b"), "x").unwrap();
    watcher.changed().await;
    fs::read(dir.path().join("b")).unwrap();
    let quiet = tokio::time::timeout(EVENTS_ONLY.quiet * 5, watcher.changed()).await;
    assert!(quiet.is_err(), "reading counts as a change");

    let often = Settle { rescan: Duration::from_millis(10), ..EVENTS_ONLY };
    let mut watcher = Watcher::start(dir.path(), often).unwrap();
    tokio::time::timeout(NEVER, watcher.changed()).await.expect("a rescan");
}

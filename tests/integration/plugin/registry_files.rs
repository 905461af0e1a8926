//! However a file is put, broken, taken away and brought back: what serves is whole, and
//! what is wrong is said.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use hookloom::plugin::{PluginState, Watcher};
use rustix::fs::{CWD, FileType, Mode};

use super::contract::by_hand;
use super::watch::{EVENTS_ONLY, until};
use super::{Room, patient};

/// With a small plugin, as its version 1.
fn room() -> Room {
    let room = Room::open(patient());
    room.put("guest.wasm", &by_hand(1));
    assert_eq!(room.host.scan(&[]).problems, []);
    room
}

/// What serves, after a look at the folder, and what is wrong with it.
fn look(room: &Room) -> (Option<String>, Option<String>) {
    room.host.scan(&[]);
    let status = room.host.status().remove(0);
    (status.serving.map(|serving| serving.version), status.error)
}

#[track_caller]
fn serves(room: &Room, version: u16) {
    assert_eq!(look(room), (Some(format!("by-hand-{version:03}")), None));
    assert_eq!(room.host.status()[0].state, PluginState::Active);
}

/// The first version goes on serving, and the file is said to be wrong in these words.
#[track_caller]
fn stays(room: &Room, words: &str) {
    let (serving, error) = look(room);
    let error = error.unwrap_or_default();
    assert!(error.contains(words), "{error:?} has no {words:?}");
    assert_eq!(serving.as_deref(), Some("by-hand-001"));
    assert_eq!(room.host.status()[0].state, PluginState::Degraded);
}

#[tokio::test]
async fn a_slow_copy_serves_when_it_is_whole_and_not_before() {
    let room = room();
    let mut watcher = Watcher::start(&room.plugins(), EVENTS_ONLY).unwrap();
    let (path, new) = (room.plugins().join("guest.wasm"), by_hand(2));
    let mut file = fs::File::create(&path).unwrap();
    let pieces: Vec<_> = new.chunks(new.len() / 7).collect();
    for (i, piece) in pieces.iter().enumerate() {
        file.write_all(piece).unwrap();
        watcher.changed().await;
        if i + 1 < pieces.len() {
            stays(&room, "is the file complete?");
        }
    }
    until(&mut watcher, "the whole file", || look(&room).0.as_deref() == Some("by-hand-002")).await;
    serves(&room, 2);
}

#[test]
fn a_file_that_is_cut_short_or_emptied_in_place_changes_nothing() {
    let room = room();
    let path = room.plugins().join("guest.wasm");
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(by_hand(1).len() as u64 - 1).unwrap();
    stays(&room, "is the file complete?");
    file.set_len(0).unwrap();
    stays(&room, "the file is empty");
    fs::write(&path, by_hand(1)).unwrap();
    serves(&room, 1);
}

#[test]
fn a_file_that_cannot_be_read_for_a_while_goes_on_serving() {
    let room = room();
    let path = room.plugins().join("guest.wasm");
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    if fs::read(&path).is_ok() {
        eprintln!("SKIPPED: this user may read every file");
        return;
    }
    stays(&room, "cannot be read: Permission denied");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    serves(&room, 1);
}

/// As a container runtime leaves it, which makes a folder where the file that it is to
/// mount is missing.
#[test]
fn a_folder_a_pipe_or_a_dead_link_in_the_place_of_the_file_is_a_broken_file() {
    let room = room();
    let path = room.plugins().join("guest.wasm");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    stays(&room, "is a folder");
    fs::remove_dir(&path).unwrap();
    rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    stays(&room, "is not a regular file");
    fs::remove_file(&path).unwrap();
    symlink("nowhere", &path).unwrap();
    stays(&room, "cannot be read: No such file");
    room.put("guest.wasm", &by_hand(2));
    serves(&room, 2);
}

#[test]
fn names_that_differ_in_case_are_two_plugins_and_those_that_differ_in_a_dash_are_one() {
    let room = room();
    room.put("Guest.wasm", &by_hand(2));
    assert_eq!(room.host.scan(&[]).loaded, ["Guest"]);
    assert_eq!(room.host.plugins().names().collect::<Vec<_>>(), ["Guest", "guest"]);
    room.put("a_b.wasm", &by_hand(3));
    room.put("a-b.wasm", &by_hand(4));
    let report = room.host.scan(&[]);
    assert!(report.problems[0].message.contains("several files have this name"), "{report:?}");
    let files = room.host.status().iter().find(|p| p.name == "a-b").unwrap().file.clone();
    assert!(files.contains("a-b.wasm") && files.contains("a_b.wasm"), "{files}");
    assert!(room.host.plugins().get("a-b").is_none());
}

/// As Kubernetes mounts a volume: the folder is a link through `..data`, which is replaced
/// whole. Nothing happens in the folder itself, so that only the link tells.
#[tokio::test]
async fn a_folder_that_is_a_link_is_followed_when_the_link_is_swapped() {
    let room = room();
    let mount = room.dirs.path().join("mount");
    let version = |n: u16| {
        let folder = mount.join(format!("..{n}"));
        fs::create_dir_all(folder.join("plugins")).unwrap();
        super::put(&folder.join("plugins"), "guest.wasm", &by_hand(n));
    };
    let swap = |n: u16| {
        symlink(format!("..{n}"), mount.join("..data_tmp")).unwrap();
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    };
    version(2);
    version(3);
    swap(2);
    symlink("..data/plugins", mount.join("plugins")).unwrap();
    fs::remove_dir_all(room.plugins()).unwrap();
    symlink(mount.join("plugins"), room.plugins()).unwrap();
    serves(&room, 2);

    let mut watcher = Watcher::start(&room.plugins(), EVENTS_ONLY).unwrap();
    swap(3);
    until(&mut watcher, "the swap", || look(&room).0.as_deref() == Some("by-hand-003")).await;
    version(4);
    swap(4);
    until(&mut watcher, "another swap", || look(&room).0.as_deref() == Some("by-hand-004")).await;
    replace(&mount.join("..4/plugins/guest.wasm"), &by_hand(5));
    until(&mut watcher, "a file in it", || look(&room).0.as_deref() == Some("by-hand-005")).await;
}

fn replace(path: &Path, bytes: &[u8]) {
    let name = path.file_name().unwrap().to_str().unwrap();
    super::put(path.parent().unwrap(), name, bytes);
}

//! Many plugins, and many versions of one: nothing is left of what no longer serves.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hookloom::plugin::Plugins;
use hookloom_testkit::guests::{guest, variant};

use super::contract::by_hand;
use super::{Room, body, call_plugin, event, patient};

const MANY: u16 = 200;

#[test]
fn two_hundred_plugins_serve_side_by_side() {
    let room = Room::open(patient());
    for n in 0..MANY {
        room.put(&format!("plugin-{n:03}.wasm"), &by_hand(n));
    }
    let report = room.host.scan(&[]);
    assert_eq!((report.loaded.len(), report.problems.len()), (usize::from(MANY), 0));
    assert_eq!(room.host.status().len(), usize::from(MANY), "one list");
    for (n, status) in room.host.status().into_iter().enumerate() {
        assert_eq!(status.serving.unwrap().version, format!("by-hand-{n:03}"), "{}", status.name);
    }
    assert!(!room.host.scan(&[]).changed());

    // One changes, and no other is touched.
    let before = room.host.plugins();
    room.put("plugin-007.wasm", &by_hand(700));
    assert_eq!(room.host.scan(&[]).loaded, ["plugin-007"]);
    let after = room.host.plugins();
    let same = |name: &&str| Arc::ptr_eq(&before.get(name).unwrap(), &after.get(name).unwrap());
    assert_eq!(after.names().filter(same).count(), usize::from(MANY) - 1);

    let room = room.restart();
    room.host.scan(&[]);
    let cached = room.host.status().iter().filter(|p| p.serving.as_ref().unwrap().cached).count();
    assert!(cached >= usize::from(MANY), "{cached} of {MANY} were compiled before");
}

/// Tells this test binary that it has a process to itself.
const ALONE: &str = "HOOKLOOM_TEST_ALONE";

/// Does what the calling test does in a process of its own, because it measures it: this
/// very binary is started again with only that test selected.
fn alone(test: &str, act: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return act();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("plugin::registry_many::{test}"), "--exact", "--nocapture"]).env(ALONE, "1");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_reloads_leave_nothing_behind() {
    alone("a_thousand_reloads_leave_nothing_behind", a_thousand_reloads);
}

#[cfg(target_os = "linux")]
#[test]
fn the_code_of_an_old_version_goes_with_its_last_run() {
    alone("the_code_of_an_old_version_goes_with_its_last_run", an_old_version_in_use);
}

/// What the process has of the machine.
#[derive(Clone, Copy, Debug)]
struct Held {
    resident_kib: u64,
    space_kib: u64,
    threads: u64,
    files: usize,
    /// Mappings of code.
    code: usize,
}

fn held() -> Held {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    Held {
        resident_kib: field("VmRSS:"),
        space_kib: field("VmSize:"),
        threads: field("Threads:"),
        files: fs::read_dir("/proc/self/fd").unwrap().count(),
        code: maps.lines().filter(|line| line.contains(" r-xp ")).count(),
    }
}

/// Says that it is over when it goes, however that comes about.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The two versions that alternate.
fn versions() -> [Vec<u8>; 2] {
    ["guest-version-1", "guest-version-2"].map(|to| variant(guest(), "guest-version-1", to))
}

#[cfg(target_os = "linux")]
fn a_thousand_reloads() {
    const RELOADS: usize = 1_000;
    /// Until every place of the pool and of the allocator was used once.
    const WARM_UP: usize = 100;
    /// An allocator keeps some of what it is given back.
    const SLACK_KIB: u64 = 16 << 10;

    let room = Room::open(patient());
    let versions = versions();
    let mut digests = BTreeMap::new();
    let mut reload = |n: usize| {
        room.put("guest.wasm", &versions[n % 2]);
        assert_eq!(room.host.scan(&[]).loaded, ["guest"], "reload {n}");
        let digest = room.host.plugins().get("guest").unwrap().digest().to_owned();
        digests.insert(digest, format!("guest-version-{}", n % 2 + 1));
    };
    (0..2).for_each(&mut reload);
    assert_eq!(room.host.status()[0].serving.as_ref().unwrap().version, "guest-version-2");
    let (over, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let (before, after) = std::thread::scope(|scope| {
        let (host, over, calls) = (&room.host, &over, &calls);
        let _over = Over(over);
        // Events go on meanwhile, each on the version that it began with.
        scope.spawn(move || {
            let mut answers = BTreeMap::<String, String>::new();
            while !over.load(Ordering::Relaxed) {
                let plugin = host.plugins().get("guest").unwrap();
                let answer = body(&call_plugin(&plugin, r#"{"do":"version"}"#, &event()));
                let first = answers.entry(plugin.digest().to_owned()).or_insert_with(|| answer.clone());
                assert_eq!(*first, answer, "another version's answer under {}", plugin.digest());
                calls.fetch_add(1, Ordering::Relaxed);
            }
            assert_eq!(answers.len(), 2, "{answers:?}");
        });
        (0..WARM_UP).for_each(&mut reload);
        let before = held();
        (WARM_UP..RELOADS).for_each(&mut reload);
        let after = held();
        (before, after)
    });
    assert!(calls.load(Ordering::Relaxed) > 0);
    assert_eq!(digests.len(), 2);
    assert!(after.resident_kib < before.resident_kib + SLACK_KIB, "{before:?} {after:?}");
    assert!(after.space_kib < before.space_kib + 4 * SLACK_KIB, "{before:?} {after:?}");
    assert_eq!(after.threads, before.threads);
    // The pool's places keep the image that they were last used with, and no other.
    assert!(after.files <= before.files + 4, "{before:?} {after:?}");
    assert!(after.code <= before.code + 4, "{before:?} {after:?}");
}

#[cfg(target_os = "linux")]
fn an_old_version_in_use() {
    let room = Room::open(patient());
    let versions = versions();
    let serve = |n: usize| {
        room.put("guest.wasm", &versions[n]);
        assert_eq!(room.host.scan(&[]).loaded, ["guest"]);
    };
    let answer = |plugins: &Plugins| {
        body(&call_plugin(&plugins.get("guest").unwrap(), r#"{"do":"version"}"#, &event()))
    };
    // Both are compiled once, so that what follows maps code and makes none.
    serve(0);
    serve(1);
    serve(0);
    let run = room.host.plugins();
    let one = held().code;
    serve(1);
    let two = held().code;
    assert!(two > one, "both versions are there: {one}, then {two}");
    assert_eq!(answer(&run), "guest-version-1");
    assert_eq!(answer(&room.host.plugins()), "guest-version-2");
    drop(run);
    assert_eq!(held().code, one, "the old one went with its last run");
}

//! A disk that is full: nothing is promised that cannot be kept, the gateway says why,
//! and goes on by itself when there is room again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hookloom_testkit::gateway::{Door, Gateway};
use hookloom_testkit::receiver::{Answer, Receiver};
use hookloom_testkit::sender::{DESTINATION_SECRET, SECRET, borrowed, github};
use hookloom_testkit::wait::eventually;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const BINARY: &str = env!("CARGO_BIN_EXE_hookloom");
const MIB: usize = 1 << 20;
/// Of an event's body where the disk is to be filled: a few thousand do it.
const LARGE: usize = 16 << 10;
/// Where it is not.
const SMALL: usize = 1 << 10;
const ALMOST_FULL: &str = "the disk is almost full";

/// A file system of its own, in memory. Dropping it takes it away again; what uses it
/// must be gone by then, so it is declared first.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// `None`: file systems cannot be mounted here. Then the test runs where they can, in
    /// a namespace of its own, or says loudly that it does not.
    fn mount(test: &str, bytes: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={bytes},mode=0700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path());
        match succeeds(&mut mount) {
            Ok(()) => Some(Self { folder }),
            Err(why) => {
                run_in_a_namespace(test, &why);
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Takes so many bytes away.
    fn load(&self, bytes: usize) {
        fs::write(self.ballast(), vec![1; bytes]).unwrap();
    }

    fn unload(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn free(&self) -> usize {
        let stat = rustix::fs::statvfs(self.path()).unwrap();
        usize::try_from(stat.f_bavail * stat.f_frsize).unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, so that it goes even when something still holds it.
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.path().display());
        }
    }
}

/// What it says when it fails.
fn succeeds(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Runs the test again as the root of a user namespace, where anybody may mount.
fn run_in_a_namespace(test: &str, why: &str) {
    let inside = |program: &Path| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount"]).arg(program);
        command
    };
    // The map of the first namespace has everybody in it; in another one this is the
    // second try.
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let is_first = map.split_whitespace().eq(["0", "0", "4294967295"]);
    let possible =
        if is_first { succeeds(&mut inside(Path::new("true"))) } else { Err("not here either".into()) };
    if let Err(namespace) = possible {
        // Past what captures the output of a test that passes.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: disk_full::{test}: no small file system can be mounted: {why}; {namespace}"
        );
        return;
    }
    let mut again = inside(&std::env::current_exe().unwrap());
    again.args(["--exact", "--nocapture", &format!("disk_full::{test}")]);
    assert!(again.status().unwrap().success(), "{test} failed in a namespace of its own");
}

fn gateway(disk: &SmallDisk, min_free_disk: &str, receiver: &Receiver) -> Gateway {
    let store = disk.path().join("hookloom.db");
    let mut gateway = Gateway::new(&format!(
        r#"
[store]
url = "sqlite:{}"
min_free_disk = "{min_free_disk}"

[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[destinations.crm]
url = "{}"
secrets = ["{DESTINATION_SECRET}"]
retry = {{ max_attempts = 50, base = "20ms", factor = 1.5, cap = "500ms", jitter = 0.5 }}

[[routes]]
name = "all"
from = ["github"]
to = ["crm"]
"#,
        store.display(),
        receiver.url()
    ));
    gateway.keep_log();
    gateway.run_process(BINARY);
    gateway
}

/// Posts an event of that name; its id when it was accepted. What is not accepted is
/// refused in the one permitted way.
async fn post(door: &Door, name: &str, size: usize) -> Option<String> {
    let body = json!({ "n": name, "filling": "x".repeat(size) }).to_string();
    let answer = door.try_post("github", &borrowed(&github("push", body.as_bytes())), body).await.unwrap();
    if answer.status == 200 {
        return Some(answer.id());
    }
    assert_eq!(answer.status, 503, "{}", answer.body);
    let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait > 0);
    assert!(answer.json()["error"].is_string(), "{}", answer.body);
    None
}

/// Events that were accepted: id by name.
type Accepted = BTreeMap<String, String>;

/// Several senders at once, which never wait.
struct Flood {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Accepted>>,
}

impl Flood {
    fn start(gateway: &Gateway, senders: usize, size: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let task = |sender| {
            let (door, stop) = (gateway.door(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut accepted = Accepted::new();
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let name = format!("{sender}-{n}");
                    if let Some(id) = post(&door, &name, size).await {
                        accepted.insert(name, id);
                    }
                }
                accepted
            })
        };
        let tasks = (0..senders).map(task).collect();
        Self { stop, tasks }
    }

    async fn stop(self) -> Accepted {
        self.stop.store(true, Ordering::Relaxed);
        let mut accepted = Accepted::new();
        for task in self.tasks {
            accepted.extend(task.await.unwrap());
        }
        accepted
    }
}

/// Waits until `/readyz` refuses for want of disk.
async fn says_why(gateway: &Gateway) {
    eventually("/readyz says that the disk is full", async || {
        let answer = gateway.get("/readyz").await;
        if answer.status != 503 {
            return Err(format!("{} {}", answer.status, answer.body));
        }
        assert_eq!(answer.json()["reason"], ALMOST_FULL);
        Ok(())
    })
    .await;
}

/// Waits until many requests were refused.
async fn refuses(gateway: &Gateway) {
    let refused = r#"hookloom_requests_total{source="github",outcome="unavailable"}"#;
    eventually("requests are refused", async || {
        let count = gateway.count(refused).await;
        if count > 50 { Ok(()) } else { Err(count.to_string()) }
    })
    .await;
}

/// Waits until the door opens by itself and takes an event.
async fn opens(gateway: &Gateway, name: &str, accepted: &mut Accepted) {
    let id = eventually("the door opens", async || {
        post(&gateway.door(), name, SMALL).await.ok_or_else(|| "503".to_owned())
    })
    .await;
    accepted.insert(name.to_owned(), id);
    assert_eq!(gateway.get("/readyz").await.status, 200);
}

/// Every event that was answered with 200 arrives, each under one id.
async fn all_arrive(gateway: &Gateway, accepted: &Accepted, receivers: &[&Receiver]) {
    for id in accepted.values() {
        gateway.event_when(id, "delivered").await;
    }
    let mut arrived: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for request in receivers.iter().flat_map(|receiver| receiver.seen().requests) {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert!([LARGE, SMALL].contains(&body["filling"].as_str().unwrap().len()));
        let id = request.header("webhook-id").unwrap().to_owned();
        arrived.entry(body["n"].as_str().unwrap().to_owned()).or_default().insert(id);
    }
    for name in accepted.keys() {
        assert_eq!(arrived.get(name).map(BTreeSet::len), Some(1), "the ids under which {name} arrived");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fills_its_disk_accepts_nothing_that_it_cannot_keep() {
    let Some(disk) =
        SmallDisk::mount("a_store_that_fills_its_disk_accepts_nothing_that_it_cannot_keep", 64 * MIB)
    else {
        return;
    };
    disk.load(24 * MIB);
    let receiver = Receiver::start([]).await;
    let mut gateway = gateway(&disk, "0B", &receiver);
    let flood = Flood::start(&gateway, 8, LARGE);
    says_why(&gateway).await;
    // It is met again and again: without a reserve the door is tried once a second.
    refuses(&gateway).await;
    let mut accepted = flood.stop().await;
    assert!(accepted.len() > 100, "only {} events fit", accepted.len());
    assert!(disk.free() < MIB, "{} bytes are free", disk.free());
    let log = fs::read_to_string(gateway.path("gateway.log")).unwrap();
    assert!(log.contains("error=the disk is full"), "SQLite met the end of the disk: {log}");

    // A process that dies with its disk full leaves nothing behind, and the next one
    // starts, although there is no room yet.
    gateway.kill();
    gateway.run_process(BINARY);
    assert_eq!(gateway.get("/healthz").await.status, 200);
    gateway.kill();
    disk.unload();
    gateway.run_process(BINARY);
    opens(&gateway, "after the restart", &mut accepted).await;
    all_arrive(&gateway, &accepted, &[&receiver]).await;
    gateway.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_goes_on_by_itself_when_there_is_room_again() {
    let Some(disk) = SmallDisk::mount("a_full_store_goes_on_by_itself_when_there_is_room_again", 64 * MIB)
    else {
        return;
    };
    disk.load(24 * MIB);
    let receiver = Receiver::start([]).await;
    let mut gateway = gateway(&disk, "0B", &receiver);
    let flood = Flood::start(&gateway, 8, LARGE);
    says_why(&gateway).await;
    let mut accepted = flood.stop().await;

    disk.unload();
    opens(&gateway, "with room again", &mut accepted).await;
    all_arrive(&gateway, &accepted, &[&receiver]).await;
    gateway.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn below_the_reserve_the_door_is_closed_and_deliveries_go_on() {
    let Some(disk) = SmallDisk::mount("below_the_reserve_the_door_is_closed_and_deliveries_go_on", 64 * MIB)
    else {
        return;
    };
    let held = Receiver::start_with([], Answer::Held(Box::new(Answer::Status(200)))).await;
    // Above what the store's log (16 MiB) and a second's events take until the door closes.
    let mut gateway = gateway(&disk, "24MiB", &held);
    let flood = Flood::start(&gateway, 2, SMALL);
    held.until("attempts", |seen| seen.waiting > 0).await;
    disk.load(disk.free() - 23 * MIB);
    says_why(&gateway).await;
    refuses(&gateway).await;
    let mut accepted = flood.stop().await;
    assert!(disk.free() > MIB, "the reserve is left for what was accepted: {}", disk.free());
    // Closed means closed.
    for n in 0..3 {
        assert_eq!(post(&gateway.door(), &format!("closed {n}"), SMALL).await, None);
    }

    // What is under way is delivered and recorded while nothing new is taken.
    held.open();
    all_arrive(&gateway, &accepted, &[&held]).await;
    says_why(&gateway).await;

    // A restart changes nothing, and neither does the next one.
    gateway.terminate();
    gateway.run_process(BINARY);
    says_why(&gateway).await;
    disk.unload();
    opens(&gateway, "with room again", &mut accepted).await;
    gateway.terminate();
    gateway.run_process(BINARY);
    opens(&gateway, "after the restart", &mut accepted).await;
    all_arrive(&gateway, &accepted, &[&held]).await;
    gateway.terminate();
}

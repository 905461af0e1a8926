//! Connections: how many, how long for a head, how long between two requests.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::raw::Raw;
#[cfg(target_os = "linux")]
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::{github_source, wire_request};

const HALF: &str = "POST /in/github HTTP/1.1\r\nhost: gate";

async fn serves(raw: &mut Raw) {
    raw.send(wire_request(b"{}")).await;
    assert_eq!(raw.answer().await.status, 200);
}

#[tokio::test]
async fn who_only_holds_a_connection_makes_room_for_senders() {
    let mut gateway = Gateway::start(&format!("max_connections = 3\n{}", github_source(""))).await;
    let (mut kept, mut half) = (Raw::connect(gateway.listen()).await, Raw::connect(gateway.listen()).await);
    half.send(HALF).await;
    serves(&mut kept).await;
    let silent = Raw::connect(gateway.listen()).await;
    // Who is idle can connect again; a sender that begins is asked only after it.
    let mut sender = Raw::connect(gateway.listen()).await;
    serves(&mut sender).await;
    assert_eq!(kept.closed().await, b"");
    let mut next = Raw::connect(gateway.listen()).await;
    serves(&mut next).await;
    assert_eq!(sender.closed().await, b"");
    let rest = String::from_utf8(wire_request(b"{}")).unwrap();
    half.send(rest.strip_prefix(HALF).unwrap()).await;
    assert_eq!(half.answer().await.status, 200);
    drop(silent);
    gateway.stop().await;
}

#[tokio::test]
async fn the_beginning_of_a_head_keeps_no_sender_out() {
    let config = format!("max_connections = 3\nheader_timeout = \"1h\"\n{}", github_source(""));
    let mut gateway = Gateway::start(&config).await;
    let mut strangers = Vec::new();
    for _ in 0..3 {
        let mut stranger = Raw::connect(gateway.listen()).await;
        stranger.send("P").await;
        strangers.push(stranger);
    }
    let mut sender = Raw::connect(gateway.listen()).await;
    serves(&mut sender).await;
    // The one that began first; the others stay until somebody wants their places.
    assert_eq!(strangers.remove(0).closed().await, b"");
    gateway.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn where_files_run_out_who_is_idle_makes_room() {
    let mut gateway = Gateway::new(&github_source(""));
    gateway.run_process(env!("CARGO_BIN_EXE_hookloom"));
    assert_eq!(gateway.get("/readyz").await.status, 200);
    let open = std::fs::read_dir(format!("/proc/{}/fd", gateway.pid())).unwrap().count();
    let pid = Pid::from_raw(gateway.pid().try_into().unwrap());
    let most = Some(open as u64 + 8);
    prlimit(pid, Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(Raw::connect(gateway.listen()).await);
    }
    let mut sender = Raw::connect(gateway.listen()).await;
    serves(&mut sender).await;
    assert_eq!(silent.remove(0).closed().await, b"");
    drop(silent);
    assert!(gateway.terminate().success());
}

#[tokio::test]
async fn where_all_are_served_the_next_waits_until_one_is_done() {
    let mut gateway = Gateway::start(&format!("max_connections = 1\n{}", github_source(""))).await;
    let request = String::from_utf8(wire_request(b"{}")).unwrap();
    let asks = request.replace("host: gateway\r\n", "host: gateway\r\nexpect: 100-continue\r\n");
    let mut first = Raw::connect(gateway.listen()).await;
    first.send(asks.strip_suffix("{}").unwrap()).await;
    assert_eq!(first.answer().await.status, 100, "it is being served");
    let mut second = Raw::connect(gateway.listen()).await;
    second.send(&request).await;
    first.send("{}").await;
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(second.answer().await.status, 200);
    assert_eq!(first.closed().await, b"");
    gateway.stop().await;
}

#[tokio::test]
async fn a_head_has_its_time_from_the_first_byte_on() {
    let config = format!("header_timeout = \"300ms\"\nidle_timeout = \"1h\"\n{}", github_source(""));
    let mut gateway = Gateway::start(&config).await;
    let (mut idle, mut half, silent) = (
        Raw::connect(gateway.listen()).await,
        Raw::connect(gateway.listen()).await,
        Raw::connect(gateway.listen()).await,
    );
    serves(&mut idle).await;
    half.send(HALF).await;
    assert_eq!(half.closed().await, b"");
    assert_eq!(silent.closed().await, b"");
    // One byte after the other is not sooner done.
    let mut drips = Raw::connect(gateway.listen()).await;
    let mut sent = 0;
    while drips.try_send("x").await.is_ok() {
        sent += 1;
        assert!(sent < 60 << 10, "the gateway reads without end");
        assert_eq!(gateway.get("/healthz").await.status, 200);
    }
    // Meanwhile the idle one has waited longer than a head may take.
    serves(&mut idle).await;
    idle.send(HALF).await;
    assert_eq!(idle.closed().await, b"");
    gateway.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_own_time() {
    let mut gateway = Gateway::start(&format!("idle_timeout = \"200ms\"\n{}", github_source(""))).await;
    let mut raw = Raw::connect(gateway.listen()).await;
    serves(&mut raw).await;
    serves(&mut raw).await;
    assert_eq!(raw.closed().await, b"");
    gateway.stop().await;
}

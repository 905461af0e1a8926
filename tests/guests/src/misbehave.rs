//! The ways to misbehave, by name.

use std::collections::HashMap;
use std::hint::black_box;
use std::io::{Read, Write};
use std::time::{Duration, Instant, SystemTime};

use crate::hookloom::plugin::{clock, log, metrics, random};

/// Does it; what comes back is the body of the message.
pub fn act(what: &str, count: u64) -> String {
    match what {
        "spin" => spin(),
        "sleep" => std::thread::sleep(Duration::from_millis(count)),
        "nap" => naps(count),
        "stdin" => return read_stdin(),
        "alloc" => alloc(),
        "recurse" => return recurse(black_box(count)).to_string(),
        "panic" => panic!("told to panic"),
        "logged-panic" => {
            log::log(log::Level::Error, "the panic hook says why", &[]);
            panic!("told to panic");
        }
        "exit" => std::process::exit(3),
        "flood-log" => (0..count).for_each(|i| log::log(log::Level::Info, &format!("line {i}"), &[])),
        "long-log" => log::log(log::Level::Info, &"x".repeat(usize::try_from(count).unwrap_or(0)), &[]),
        "pour-log" => pour(count, |mebibyte| log::log(log::Level::Info, mebibyte, &[])),
        "pour-print" => pour(count, |mebibyte| println!("{mebibyte}")),
        "huge-output" => return "x".repeat(usize::try_from(count).unwrap_or(0)),
        "print" => print(count),
        "random" => return chance(),
        "greedy-random" => return random::bytes(u32::MAX).len().to_string(),
        "look-around" => return look_around(),
        "time" => return time(),
        "metrics" => (0..count).for_each(|i| metrics::count(&format!("name_{i}"), 1, &[])),
        "bad-metric" => metrics::count("Not A Name", 1, &[]),
        #[cfg(feature = "kv")]
        "kv" => return format!("{:?}", crate::hookloom::plugin::kv::get("key")),
        _ => return format!("does not know how to {what}"),
    }
    what.to_owned()
}

pub fn spin() {
    let mut n: u64 = 0;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

/// Many short sleeps, each of which would be fine.
fn naps(millis: u64) {
    loop {
        std::thread::sleep(Duration::from_millis(millis));
    }
}

fn read_stdin() -> String {
    let mut all = Vec::new();
    match std::io::stdin().read_to_end(&mut all) {
        Ok(read) => format!("read {read}"),
        Err(error) => error.to_string(),
    }
}

fn alloc() {
    let mut kept = Vec::new();
    loop {
        kept.push(black_box(vec![1_u8; 1 << 20]));
    }
}

#[allow(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    let here = black_box([depth; 16]);
    recurse(depth + 1) + here[3]
}

fn pour(mebibytes: u64, into: impl Fn(&str)) {
    let mebibyte = "x".repeat(1 << 20);
    (0..mebibytes).for_each(|_| into(&mebibyte));
}

fn print(lines: u64) {
    for i in 0..lines {
        println!("printed {i}");
    }
    eprintln!("to stderr");
    let _ = std::io::stdout().flush();
}

fn chance() -> String {
    let map: HashMap<_, _> = (0..4).map(|i| (i, random::next_u64())).collect();
    format!("{} {}", map.len(), random::bytes(16).len())
}

fn look_around() -> String {
    let vars = std::env::vars().count();
    let args = std::env::args().count();
    let root = std::fs::read_dir("/").is_ok();
    let written = std::fs::write("/tmp/escaped", b"x").is_ok();
    let dialled = std::net::TcpStream::connect("127.0.0.1:80").is_ok();
    format!("vars {vars} args {args} root {root} written {written} dialled {dialled}")
}

fn time() -> String {
    let started = Instant::now();
    #[expect(clippy::disallowed_methods, reason = "what a guest sees of the clock is what is tested")]
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis());
    let monotonic = clock::monotonic_ns();
    format!("{} {} {}", clock::now_ms(), wall, u64::from(started.elapsed().as_nanos() > 0 || monotonic > 0))
}

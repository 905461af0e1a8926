//! Every way to misbehave that is known, and what becomes of it.

use std::time::Duration;

use hookloom::model::StepVerdict as V;
use hookloom::plugin::Limits;

use super::room::patient;

/// One guest against one limit.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it runs into; "none": it may do that.
    pub limit: &'static str,
    /// Who.
    pub guest: Guest,
    /// What it is allowed.
    pub limits: Limits,
    /// `None`: it is refused when it is loaded.
    pub verdict: Option<V>,
    /// Part of the reason that people read.
    pub reason: &'static str,
}

/// Where a guest comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guest {
    /// `tests/guests` with this configuration.
    Act(String),
    /// A file of `tests/guests/wat`.
    Written(&'static str),
    /// One of [`super::bombs::BOMBS`].
    Bomb(&'static str),
}

impl Guest {
    /// As a table shows it.
    pub fn name(&self) -> String {
        match self {
            Self::Act(config) => config.chars().take(50).collect(),
            Self::Written(name) | Self::Bomb(name) => (*name).to_owned(),
        }
    }
}

/// All of them.
pub fn cases() -> Vec<Case> {
    [time(), memory(), output(), log(), host(), contract(), compiling(), harmless()].concat()
}

fn case(
    limit: &'static str,
    guest: Guest,
    limits: Limits,
    verdict: impl Into<Option<V>>,
    reason: &'static str,
) -> Case {
    Case { limit, guest, limits, verdict: verdict.into(), reason }
}

fn act(what: &str, n: u64) -> Guest {
    Guest::Act(format!(r#"{{"do":"{what}","n":{n}}}"#))
}

fn config(text: &str) -> Guest {
    Guest::Act(text.to_owned())
}

use Guest::{Bomb, Written};

fn time() -> Vec<Case> {
    let fast = Limits::default;
    // Than its deadline, or by the wall clock where the machine is that busy.
    let used = "more than";
    let waits = "waits for longer than its deadline";
    let load = "fails to describe itself: used more than its deadline";
    vec![
        case("deadline", act("spin", 0), fast(), V::Timeout, used),
        case("deadline", config(r#"{"configure":"spin"}"#), fast(), V::Timeout, used),
        case("deadline", act("nap", 5), fast(), V::Timeout, "than"),
        case("deadline", act("sleep", 3_600_000), fast(), V::Timeout, waits),
        case("deadline", Written("block-on-a-timer"), fast(), V::Timeout, waits),
        case("deadline", Written("spin-in-start"), fast(), None, load),
        case("deadline", Written("spin-in-describe"), fast(), None, load),
        case("deadline", Written("spin-in-realloc"), fast(), V::Timeout, used),
        case("deadline", Written("fill-memory"), fast(), V::Timeout, used),
        case("deadline", Written("call-the-clock"), fast(), V::Timeout, used),
    ]
}

fn memory() -> Vec<Case> {
    // The limit and the first page above it.
    let first_above = "asked for 67174400 bytes of memory, and its limit is 67108864";
    vec![
        case("memory", act("alloc", 0), patient(), V::Memory, "its limit is 67108864"),
        case("memory", Written("grow-memory"), patient(), V::Memory, first_above),
        case("memory", Written("grow-two-memories"), patient(), V::Memory, "its limit is 67108864"),
        case("memory", Written("huge-memory"), patient(), None, "raise `memory` for this plugin"),
        case("memory", Written("large-memories"), patient(), None, "its limit is 67108864"),
        case("memories", Written("many-memories"), patient(), None, "memories"),
        case(
            "table elements",
            Written("grow-table"),
            patient(),
            V::Memory,
            "table elements, and the limit is 100000",
        ),
        case("table elements", Written("huge-table"), patient(), None, "limit of 100000"),
        case("table elements", Written("large-tables"), patient(), None, "asked for 120000 table elements"),
        case("tables", Written("many-tables"), patient(), None, "tables"),
        case("stack", act("recurse", 0), patient(), V::Trap, "out of bounds memory access"),
        case("stack", Written("recurse"), patient(), V::Trap, "call stack exhausted"),
        case("handles", Written("hoard-resources"), patient(), V::Trap, "handle limit exceeded"),
        case("handles", Written("hoard-timers"), patient(), V::Trap, "resource table has no free keys"),
    ]
}

fn output() -> Vec<Case> {
    let small = || Limits { output_bytes: 1 << 20, ..patient() };
    let few = || Limits { messages: 3, ..patient() };
    let long = |name: usize, value: usize| {
        Guest::Act(format!(r#"{{"do":"message","header":["{}","{}"]}}"#, "x".repeat(name), "y".repeat(value)))
    };
    let line = "and the limit is 16384";
    vec![
        case("output", act("huge-output", 2 << 20), small(), V::BadOutput, "more than"),
        case("output", Written("same-body-often"), patient(), V::BadOutput, "more than"),
        case("output", Written("endless-list"), patient(), V::Trap, "out of bounds"),
        case(
            "messages",
            act("split", 1001),
            patient(),
            V::BadOutput,
            "split into 1001 messages, and the limit is 1000",
        ),
        case("messages", act("split", 4), few(), V::BadOutput, "split into 4 messages, and the limit is 3"),
        case("headers", Written("many-headers"), patient(), V::BadOutput, "more than 256 headers"),
        case("header name", long(16_385, 1), patient(), V::BadOutput, line),
        case("header value", long(1, 16_385), patient(), V::BadOutput, line),
        case("none", long(1, 16_384), patient(), V::Replace, ""),
        case("attributes", Written("many-attributes"), patient(), V::BadOutput, "more than 256"),
        case("reason", Written("long-reason"), patient(), V::Drop, "…"),
        case(
            "description",
            Written("long-description"),
            patient(),
            None,
            "says 300000 bytes, and the limit is 262144",
        ),
    ]
}

fn log() -> Vec<Case> {
    let flood = "handed the gateway more than its `output` allows";
    vec![
        // Those are dropped and not held against it.
        case("log lines", act("flood-log", 130), patient(), V::Replace, ""),
        case("log lines", act("print", 150), patient(), V::Replace, ""),
        case("log bytes", act("long-log", 70_000), Limits { log_bytes: 1000, ..patient() }, V::Replace, ""),
        case("host-call traffic", act("pour-log", 100), patient(), V::BadOutput, flood),
        case("host-call traffic", act("pour-print", 100), patient(), V::BadOutput, flood),
        case("host-call traffic", act("long-log", 20 << 20), patient(), V::BadOutput, "more than its limit"),
        case("metrics", act("metrics", 40), patient(), V::Replace, ""),
        case("metrics", act("bad-metric", 0), patient(), V::Replace, ""),
    ]
}

fn host() -> Vec<Case> {
    vec![
        case(
            "random bytes",
            act("greedy-random", 0),
            patient(),
            V::Trap,
            "random bytes at once, and the limit is 65536",
        ),
        case(
            "host calls",
            Written("call-from-realloc"),
            patient(),
            V::Trap,
            "cannot leave component instance",
        ),
        case("exit", act("exit", 0), patient(), V::Trap, "exited with 1"),
        case("panic", act("panic", 0), patient(), V::Trap, "told to panic"),
        case("panic", act("logged-panic", 0), patient(), V::Trap, "the panic hook says why"),
    ]
}

fn contract() -> Vec<Case> {
    vec![
        case("canonical ABI", Written("wild-pointer"), patient(), V::Trap, "out of bounds"),
        case("canonical ABI", Written("misaligned"), patient(), V::Trap, "not aligned"),
        case("canonical ABI", Written("bad-discriminant"), patient(), V::Trap, "discriminant"),
        case("canonical ABI", Written("bad-text"), patient(), V::Trap, "utf-8"),
    ]
}

fn compiling() -> Vec<Case> {
    let hasty = || Limits { compile_time: Duration::from_secs(1), ..patient() };
    let tight = || Limits { compile_memory: 128 << 20, ..patient() };
    let small = || Limits { module_bytes: 1000, ..patient() };
    let slow = "compiling took more than 1s: raise `compile_time`";
    vec![
        case("module size", act("pass", 0), small(), None, "larger than 1000 bytes"),
        case("compile time", Bomb("enormous-function"), hasty(), None, slow),
        case("compile time", Bomb("many-functions"), hasty(), None, slow),
        case(
            "compile memory",
            Bomb("enormous-function"),
            tight(),
            None,
            "compiling needs more than 128.0 MiB",
        ),
        case("compile time", Bomb("deep-blocks"), hasty(), None, slow),
        case("compile time", Bomb("wide-branch"), hasty(), None, "failed to compile"),
        case("compile memory", Bomb("sparse-data"), patient(), None, "compiling needs more than 1.0 GiB"),
        case("code size", Bomb("some-sparse-data"), patient(), None, "more than 256.0 MiB of code"),
        case("compile time", Bomb("many-types"), hasty(), None, slow),
        case("core instances", Bomb("many-instances"), patient(), None, "core module instances"),
        case("none", Bomb("nested-components"), patient(), None, "not a plugin"),
        case("type size", Bomb("doubling-types"), patient(), None, "not a valid component"),
        case("none", Bomb("many-exports"), patient(), V::Unchanged, ""),
    ]
}

fn harmless() -> Vec<Case> {
    vec![
        case("none", act("stdin", 0), patient(), V::Replace, ""),
        case("none", act("random", 0), patient(), V::Replace, ""),
        case("none", act("look-around", 0), patient(), V::Replace, ""),
        case("none", act("time", 0), patient(), V::Replace, ""),
    ]
}

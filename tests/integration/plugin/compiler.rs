//! Compiling in a child: what it may do, and that it costs the gateway nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookloom::clock::{Clock, Random};
use hookloom::metrics::Metrics;
use hookloom::plugin::{Compiler, Context, Limits, NoState, PluginHost, PluginSettings};
use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests::guest;
use hookloom_testkit::hostile::bombs::bomb;
use hookloom_testkit::measure::memory;
use hookloom_testkit::wait::eventually;
use tempfile::TempDir;

use super::{patient, put};

const BINARY: &str = env!("CARGO_BIN_EXE_hookloom");

fn room(dir: &Path, limits: Limits, program: &str) -> Arc<PluginHost> {
    let settings = PluginSettings {
        compiler: Compiler::Child(PathBuf::from(program)),
        ..PluginSettings::new(dir, limits)
    };
    let context = Context {
        clock: Clock::system(),
        random: Random::system(),
        metrics: Arc::new(Metrics::new()),
        state: Arc::new(NoState),
    };
    PluginHost::start(settings, context).unwrap()
}

/// What is said of a component that a child compiles.
fn refusal(component: &[u8], limits: Limits, program: &str) -> String {
    let dir = TempDir::new().unwrap();
    put(dir.path(), "guest.wasm", component);
    let report = room(dir.path(), limits, program).scan(&[]);
    report.problems.first().map(|problem| problem.message.clone()).expect("it was refused")
}

#[test]
fn what_a_child_compiled_serves() {
    let dir = TempDir::new().unwrap();
    put(dir.path(), "guest.wasm", guest());
    let host = room(dir.path(), patient(), BINARY);
    assert_eq!(host.scan(&[]).problems, []);
    let call = super::call(&host, r#"{"do":"version"}"#, &super::event());
    assert_eq!(super::body(&call), "guest-version-1");
}

#[test]
fn what_a_child_says_of_a_component_arrives() {
    let torn = &guest()[..guest().len() / 2];
    let message = refusal(torn, patient(), BINARY);
    assert!(message.starts_with("not a valid component; is the file complete?"), "{message}");
}

#[test]
fn a_program_that_cannot_compile_is_an_error_that_says_so() {
    let message = refusal(guest(), patient(), "/nonexistent/hookloom");
    assert!(message.starts_with("the compiler cannot be started"), "{message}");
    let message = refusal(guest(), patient(), "/bin/false");
    assert!(message.starts_with("the compiler failed"), "{message}");
    // It answers with what is no code: wasmtime refuses it.
    let message = refusal(guest(), patient(), "/bin/echo");
    assert!(message.starts_with("cannot be loaded"), "{message}");
}

#[test]
fn what_was_the_machine_s_doing_is_tried_again() {
    let (dir, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    put(dir.path(), "guest.wasm", guest());
    let program = elsewhere.path().join("hookloom");
    let host = room(dir.path(), patient(), program.to_str().unwrap());
    let report = host.scan(&[]);
    assert!(report.problems[0].message.starts_with("the compiler cannot be started"), "{report:?}");
    std::os::unix::fs::symlink(BINARY, &program).unwrap();
    assert_eq!(host.scan(&[]).problems, []);
}

/// The processes that compile for `parent`.
fn compilers_of(parent: u32) -> Vec<u32> {
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let compiles = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Behind the name, which is in parentheses: state, parent.
        let of = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<u32>().ok());
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        of == Some(parent) && line.contains("compile-plugin")
    };
    processes.filter(compiles).collect()
}

async fn compiler_of(parent: u32) -> u32 {
    eventually("a plugin is compiled", async || {
        compilers_of(parent).first().copied().ok_or_else(|| "no compiler".to_owned())
    })
    .await
}

/// A gateway whose compiler is at work on something that takes it minutes.
async fn busy() -> (Gateway, u32) {
    let mut gateway = Gateway::new("[plugins]\ncompile_time = \"1h\"\ncompile_memory = \"4GiB\"");
    gateway.run_process(BINARY);
    gateway.put_plugin("bomb", &bomb("enormous-function"));
    let compiler = compiler_of(gateway.pid()).await;
    (gateway, compiler)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_killed_leaves_no_compiler_behind() {
    let (mut gateway, compiler) = busy().await;
    // It has limited itself by now, or it is not what is looked for.
    let pid = gateway.pid();
    eventually("the compiler limited itself", async || makes_way(compiler, pid)).await;
    gateway.kill();
    eventually("the compiler is gone", async || {
        let stat = fs::read_to_string(format!("/proc/{compiler}/stat")).unwrap_or_default();
        // One that nobody has waited for yet is dead as well.
        if stat.is_empty() || stat.contains(") Z ") { Ok(()) } else { Err(stat) }
    })
    .await;
}

/// Whether the compiler has made way for others: it is nicer than its gateway by ten, or
/// as nice as can be.
fn makes_way(compiler: u32, gateway: u32) -> Result<(), String> {
    let (nicer, usual) = (niceness(compiler)?, niceness(gateway)?);
    if nicer >= (usual + 10).min(19) { Ok(()) } else { Err(format!("{nicer} beside {usual}")) }
}

fn niceness(pid: u32) -> Result<i64, String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|error| error.to_string())?;
    let nice = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(16)?.parse().ok());
    nice.ok_or(stat)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compiler_has_nothing_of_the_gateway_and_the_gateway_goes_on() {
    let (mut gateway, compiler) = busy().await;
    let pid = gateway.pid();
    eventually("the compiler makes way for others", async || makes_way(compiler, pid)).await;
    let environment = fs::read_to_string(format!("/proc/{compiler}/environ")).unwrap();
    assert_eq!(environment.trim_end_matches('\0'), "RAYON_NUM_THREADS=2");
    let descriptors = fs::read_dir(format!("/proc/{compiler}/fd")).unwrap();
    let mut descriptors: Vec<_> = descriptors.map(|entry| entry.unwrap().file_name()).collect();
    descriptors.sort();
    assert_eq!(descriptors, ["0", "1", "2"]);
    let limits = fs::read_to_string(format!("/proc/{compiler}/limits")).unwrap();
    for (name, value) in [
        ("Max cpu time", "3600"),
        ("Max data size", "4294967296"),
        ("Max core file size", "0"),
        ("Max file size", "0"),
        ("Max open files", "16"),
    ] {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        assert_eq!(line[name.len()..].split_whitespace().next(), Some(value), "{line}");
    }
    // Meanwhile requests are answered.
    for _ in 0..20 {
        assert_eq!(gateway.get("/healthz").await.status, 200);
    }
    assert_eq!(compilers_of(gateway.pid()), [compiler], "it ended before the gateway was asked");
}

/// In MiB: the gateway needs some 50, a debug build twice that, and each of the bombs would
/// take more than this by itself.
const MOST: f64 = 500.0;

#[tokio::test(flavor = "multi_thread")]
async fn bombs_do_not_bloat_the_gateway() {
    let mut gateway =
        Gateway::new("[plugins]\ncompile_time = \"2s\"\ncompile_memory = \"512MiB\"\ndeadline = \"10s\"");
    gateway.run_process(BINARY);
    for name in ["enormous-function", "many-types", "sparse-data"] {
        gateway.put_plugin(name, &bomb(name));
        gateway.plugin_when(name, |plugin| plugin["error"].is_string()).await;
        gateway.remove_plugin(name);
    }
    let used = memory(gateway.pid()).unwrap();
    assert!(used.most < MOST, "{used:?}");
    gateway.put_plugin("guest", guest());
    gateway.plugin_when("guest", |plugin| plugin["state"] == "active").await;
}

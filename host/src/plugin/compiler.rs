//! Compiling a component, in a process of its own: a hostile or merely huge module costs
//! what the limits allow it, and not the gateway.
//!
//! The child is this program again, started with a hidden command ([`COMMAND`]). It takes
//! limits upon itself ([`child`]), reads the component from stdin and answers on stdout.
//! It has neither the gateway's environment nor its descriptors, makes way for everyone
//! else, and ends with the thread that started it.

pub(super) mod child;

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use bytesize::ByteSize;
use crossbeam_channel::{RecvTimeoutError, bounded};
use humantime::format_duration;
use rustix::process::Signal;

use super::limits::{CODE_BYTES, Limits, WALL_FACTOR};
use super::version::Unfit;
pub use child::{Budget, Compiled, compile_within};

/// The command of this program that compiles, with [`Budget::arguments`].
pub const COMMAND: &str = "compile-plugin";
/// The child's exit code when stdout has the reason why there is no code.
pub const REFUSED: u8 = 3;

/// The running program by a name that stays its own when its file is replaced: a child
/// of another version would compile for another engine.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// How many threads compile. A fixed number, because memory grows with it.
const THREADS: u32 = 2;
/// The exit code of a program that panicked.
const PANICKED: i32 = 101;
/// What is read of a child's last words, in bytes.
const LAST_WORDS: u64 = 4096;

/// Where components are compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Compiler {
    /// In this process, without limits of time and memory: for what embeds the room and
    /// trusts its plugins, and for tests.
    #[default]
    InProcess,
    /// In a child: this program, which has to know [`COMMAND`].
    Child(PathBuf),
}

impl Compiler {
    /// A child that is the running program.
    pub fn this_program() -> Self {
        let own = PathBuf::from(THIS_PROGRAM);
        let found = if own.exists() { Ok(own) } else { std::env::current_exe() };
        found.map_or_else(
            |error| {
                tracing::warn!(%error, "this program does not find itself; plugins are compiled in it");
                Self::InProcess
            },
            Self::Child,
        )
    }

    /// Machine code for the serving engine, or why there is none.
    pub(super) fn compile(&self, wasm: &[u8], limits: &Limits) -> Result<Vec<u8>, Unfit> {
        match self {
            Self::InProcess => Ok(child::compile(wasm)?),
            Self::Child(program) => in_child(program, wasm, limits),
        }
    }
}

fn in_child(program: &Path, wasm: &[u8], limits: &Limits) -> Result<Vec<u8>, Unfit> {
    let failed = |error: io::Error| Unfit::Machine(format!("the compiler cannot be started: {error}"));
    let mut child = start(program, &Budget::of(limits)).map_err(failed)?;
    let answer = exchange(&mut child, wasm, limits);
    // It is dead already if it has answered; its exit code stays what it was.
    let _ = child.kill();
    let status = child.wait().map_err(failed)?;
    let code = match answer {
        Ok(code) => code,
        Err(RecvTimeoutError::Timeout) => return Err(Unfit::Machine(too_long_under_way(limits))),
        Err(RecvTimeoutError::Disconnected) => {
            return Err(Unfit::Machine("the compiler's answer was lost".into()));
        }
    };
    let unread = |error| Unfit::Machine(format!("the compiler's answer cannot be read: {error}"));
    let code = code.map_err(unread)?;
    if code.len() as u64 > CODE_BYTES {
        let limit = ByteSize(CODE_BYTES).display().iec();
        return Err(Unfit::File(format!("compiles to more than {limit} of code; build it smaller")));
    }
    if status.success() {
        return Ok(code);
    }
    if status.code() == Some(REFUSED.into()) {
        return Err(Unfit::File(String::from_utf8_lossy(&code).into_owned()));
    }
    let mut words = Vec::new();
    // What cannot be read explains nothing.
    let _ = child.stderr.take().map(|stderr| stderr.take(LAST_WORDS).read_to_end(&mut words));
    Err(explain(status, &String::from_utf8_lossy(&words), limits))
}

fn start(program: &Path, budget: &Budget) -> io::Result<Child> {
    Command::new(program)
        .arg0("hookloom")
        .arg(COMMAND)
        .args(budget.arguments())
        .env_clear()
        .env("RAYON_NUM_THREADS", THREADS.to_string())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Hands the component over and takes the answer, as long as it may take.
fn exchange(
    child: &mut Child,
    wasm: &[u8],
    limits: &Limits,
) -> Result<io::Result<Vec<u8>>, RecvTimeoutError> {
    let (mut stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (done, answer) = bounded(1);
    thread::scope(|scope| {
        let write = thread::Builder::new().spawn_scoped(scope, move || {
            // A child that no longer reads has its reason to say.
            let _ = stdin.take().map(|mut stdin| stdin.write_all(wasm));
        });
        let read = thread::Builder::new().spawn_scoped(scope, move || {
            let mut code = Vec::new();
            let read = stdout.map_or(Ok(0), |out| out.take(CODE_BYTES + 1).read_to_end(&mut code));
            // Nobody waits any longer when it was too slow.
            let _ = done.send(read.map(|_| code));
        });
        if let Err(error) = write.and(read) {
            let _ = child.kill();
            return Ok(Err(error));
        }
        let answer = answer.recv_timeout(limits.compile_time.saturating_mul(WALL_FACTOR));
        if answer.is_err() {
            // Its ends of the pipes are what the threads wait for.
            let _ = child.kill();
        }
        answer
    })
}

/// Why a child died without a reason of its own.
fn explain(status: ExitStatus, words: &str, limits: &Limits) -> Unfit {
    if words.contains(child::OUT_OF_MEMORY) {
        return Unfit::File(child::too_large(limits.compile_memory));
    }
    // Its own limit of processor time ends it with XCPU; these are somebody else's, such as
    // a machine that is short of memory.
    let others = [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP];
    match status.signal() {
        Some(signal) if signal == Signal::XCPU.as_raw() => Unfit::File(too_slow(limits)),
        Some(signal) if others.iter().any(|other| other.as_raw() == signal) => Unfit::Machine(format!(
            "the compiler was killed (signal {signal}): is the machine short of memory? It is tried again"
        )),
        Some(signal) => {
            Unfit::File(format!("the compiler fell over it (signal {signal}); build it simpler: {words}"))
        }
        None if status.code() == Some(PANICKED) => {
            Unfit::File(format!("the compiler failed ({status}): {}", words.trim()))
        }
        None => Unfit::Machine(format!("the compiler failed ({status}): {}", words.trim())),
    }
}

fn too_long_under_way(limits: &Limits) -> String {
    let time = format_duration(limits.compile_time.saturating_mul(WALL_FACTOR));
    format!(
        "compiling was not done after {time}: is the machine busy? It is tried again; raise `compile_time` for \
         this plugin to wait longer"
    )
}

fn too_slow(limits: &Limits) -> String {
    let time = format_duration(limits.compile_time);
    format!("compiling took more than {time}: raise `compile_time` for this plugin, or build it smaller")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_did_is_told_from_what_the_machine_did() {
        let limits = Limits::default();
        let told = |status: i32, words: &str| explain(ExitStatus::from_raw(status), words, &limits);
        let exit = |code: i32| code << 8;
        let file = |part: &str, unfit: Unfit| {
            assert!(matches!(&unfit, Unfit::File(message) if message.contains(part)), "{part}: {unfit:?}");
        };
        file("took more than 30s", told(Signal::XCPU.as_raw(), ""));
        file("fell over it", told(Signal::SEGV.as_raw(), ""));
        file(
            "more than 1.0 GiB of memory",
            told(Signal::ABORT.as_raw(), "memory allocation of 9 bytes failed"),
        );
        file("the compiler failed", told(exit(PANICKED), "panicked at"));
        let machine = |part: &str, unfit: Unfit| {
            assert!(matches!(&unfit, Unfit::Machine(message) if message.contains(part)), "{part}: {unfit:?}");
        };
        machine("was killed", told(Signal::KILL.as_raw(), ""));
        machine("was killed", told(Signal::TERM.as_raw(), ""));
        machine("the compiler failed", told(exit(1), "error: too many open files"));
    }
}

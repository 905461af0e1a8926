//! What the compiling process does: it limits itself, compiles and answers.

use std::fs;
use std::io::{self, Read};
use std::time::Duration;

use bytesize::ByteSize;
use rustix::process::{Resource, Rlimit, nice, setrlimit};

use crate::plugin::engine;
use crate::plugin::limits::Limits;

/// What the standard library says before it aborts for want of memory.
pub(super) const OUT_OF_MEMORY: &str = "memory allocation of";

/// How far a compiling process makes way for others.
const NICENESS: i32 = 10;
/// The last descriptor that the gateway means to give.
const STDERR: i32 = 2;
/// Descriptors: the three it is given, and some that the standard library opens.
const MOST_DESCRIPTORS: u64 = 16;
/// Where a process finds those it has.
const DESCRIPTORS: &str = "/dev/fd";

/// What a compiling process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Memory, in bytes.
    pub memory: u64,
    /// Processor time of all its threads, in seconds.
    pub seconds: u64,
}

/// What compiling came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiled {
    /// Machine code.
    Code(Vec<u8>),
    /// Why there is none, for whoever made the component.
    Refused(String),
}

impl Budget {
    /// What those limits say. The system counts whole seconds.
    pub(super) fn of(limits: &Limits) -> Self {
        let seconds = limits.compile_time.saturating_add(Duration::from_nanos(999_999_999)).as_secs();
        Self { memory: limits.compile_memory, seconds: seconds.max(1) }
    }

    /// As the command line has them.
    pub(super) fn arguments(&self) -> [String; 2] {
        [format!("--memory={}", self.memory), format!("--seconds={}", self.seconds)]
    }

    /// Puts the limits on this process, for good.
    fn enforce(&self) -> io::Result<()> {
        close_what_was_inherited();
        let limits = [
            // What it may write to, and not address space: that is reserved by the
            // gigabyte for each thread, and costs nothing.
            (Resource::Data, self.memory, self.memory),
            // At the first it is told by a signal of its own, at the second it is killed: where
            // they are one, it cannot be told from what others kill.
            (Resource::Cpu, self.seconds, self.seconds.saturating_add(1)),
            (Resource::Core, 0, 0),
            (Resource::Fsize, 0, 0),
            (Resource::Nofile, MOST_DESCRIPTORS, MOST_DESCRIPTORS),
        ];
        for (resource, current, maximum) in limits {
            setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })?;
        }
        nice(NICENESS)?;
        end_with_the_parent()
    }
}

/// Whoever started the gateway may have left it descriptors that a child inherits.
#[expect(unsafe_code, reason = "a descriptor that nobody owns can only be closed so; see below")]
fn close_what_was_inherited() {
    // Where they cannot be listed, they stay open; nothing here asks for them.
    let Ok(entries) = fs::read_dir(DESCRIPTORS) else { return };
    let listed: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    // The folder's own was among them and is closed by now.
    for path in listed.into_iter().filter(|path| path.symlink_metadata().is_ok()) {
        let number = path.file_name().and_then(|name| name.to_str()?.parse::<i32>().ok());
        if let Some(descriptor) = number.filter(|number| *number > STDERR) {
            // SAFETY: it is open, and this is the first thing that the process does, on
            // its only thread: nothing of this program owns it.
            unsafe { rustix::io::close(descriptor) };
        }
    }
}

/// A gateway that is killed leaves no compiler behind. Elsewhere the limit of processor
/// time ends it.
#[cfg(target_os = "linux")]
fn end_with_the_parent() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "it may fail where there is something to do")]
fn end_with_the_parent() -> io::Result<()> {
    Ok(())
}

/// Compiles what `component` has, under limits that stay on this process: for a process
/// that does nothing else.
///
/// # Errors
/// When the limits cannot be set or the component cannot be read.
pub fn compile_within(budget: &Budget, mut component: impl Read) -> io::Result<Compiled> {
    budget.enforce()?;
    let mut wasm = Vec::new();
    component.read_to_end(&mut wasm)?;
    Ok(match compile(&wasm) {
        Ok(code) => Compiled::Code(code),
        Err(reason) if reason.contains(OUT_OF_MEMORY) => Compiled::Refused(too_large(budget.memory)),
        Err(reason) => Compiled::Refused(reason),
    })
}

/// Compiles with an engine that is dropped afterwards: wasmtime keeps the compiler's
/// scratch memory for as long as an engine lives.
pub(super) fn compile(wasm: &[u8]) -> Result<Vec<u8>, String> {
    let compiler = engine::compiler().map_err(|error| error.to_string())?;
    let code = compiler.precompile_component(wasm);
    code.map_err(|error| format!("not a valid component; is the file complete? {error:#}"))
}

pub(super) fn too_large(memory: u64) -> String {
    let memory = ByteSize(memory).display().iec();
    format!(
        "compiling needs more than {memory} of memory: raise `compile_memory` for this plugin, or build it \
         smaller"
    )
}

//! Running the tools of a language: each step is told while it runs, and its output is
//! shown if it fails.

use std::fs;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::plugin::sdk_bundle::write_file;
use crate::cli::say;
use crate::clock::Clock;

/// What a plugin's folder has for what builds make; ignored by git and by tests.
const BUILD: &str = "build";
/// How often the line on a terminal moves.
const FRAME: Duration = Duration::from_millis(120);
const FRAMES: [char; 4] = ['|', '/', '-', '\\'];

/// Settings of the environment that would have a tool use something else than what is in
/// the plugin's folder.
const SCRUBBED: [&str; 7] = [
    "NODE_OPTIONS",
    "NODE_PATH",
    "PYTHONHOME",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "PIP_REQUIRE_VIRTUALENV",
    "CPATH",
];

/// The tools of one plugin's build.
#[derive(Debug)]
pub(super) struct Tools {
    /// The plugin's folder, absolute.
    pub folder: PathBuf,
    /// Its name: the folder's.
    pub name: String,
    quiet: bool,
}

impl Tools {
    pub(super) fn new(folder: &Path, quiet: bool) -> anyhow::Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("{} cannot be read", folder.display()))?;
        let name = folder.file_name().context("the root of the file system is no plugin")?;
        let name = name.to_str().with_context(|| format!("{} is not UTF-8", folder.display()))?.to_owned();
        Ok(Self { folder, name, quiet })
    }

    /// Where the build puts what it makes.
    pub(super) fn build_folder(&self) -> PathBuf {
        self.folder.join(BUILD)
    }

    /// The component before it is placed.
    pub(super) fn component(&self) -> PathBuf {
        self.build_folder().join(format!("{}.wasm", self.name))
    }

    /// A tool that runs in the plugin's folder.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).stdin(Stdio::null());
        for name in SCRUBBED {
            command.env_remove(name);
        }
        command
    }

    /// What a tool answers at once.
    pub(super) fn ask(&self, mut command: Command, remedy: &str) -> anyhow::Result<String> {
        let output = command.output().map_err(|error| self.not_started(&command, &error, remedy))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Runs it to its end and returns what it printed. `step` is what is told meanwhile,
    /// `remedy` what to install if it is not there.
    pub(super) fn run(&self, step: &str, mut command: Command, remedy: &str) -> anyhow::Result<String> {
        let step = format!("{}: {step}", self.name);
        let output = while_telling(&step, self.quiet, || command.output());
        let output = output.map_err(|error| self.not_started(&command, &error, remedy))?;
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let said = said.concat().trim_end().to_owned();
        anyhow::ensure!(output.status.success(), "{step} failed; {} says:\n{said}", program(&command));
        Ok(said)
    }

    fn not_started(&self, command: &Command, error: &std::io::Error, remedy: &str) -> anyhow::Error {
        let (name, program) = (&self.name, program(command));
        match error.kind() {
            ErrorKind::NotFound => anyhow::anyhow!("{name}: {program} was not found\n    help: {remedy}"),
            _ => anyhow::anyhow!("{name}: {program} cannot be started: {error}"),
        }
    }

    /// Whether what `inputs` ask for was installed already, as [`Self::installed`] noted.
    pub(super) fn is_installed(&self, inputs: &[&str]) -> bool {
        fs::read_to_string(self.note()).is_ok_and(|noted| noted == self.texts(inputs))
    }

    /// Notes that what `inputs` ask for is installed.
    pub(super) fn installed(&self, inputs: &[&str]) -> anyhow::Result<()> {
        write_file(&self.note(), &self.texts(inputs))
    }

    fn note(&self) -> PathBuf {
        self.build_folder().join("installed")
    }

    fn texts(&self, inputs: &[&str]) -> String {
        inputs.iter().map(|name| fs::read_to_string(self.folder.join(name)).unwrap_or_default()).collect()
    }
}

fn program(command: &Command) -> String {
    let path = Path::new(command.get_program());
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Does it while a line on stderr says what is being done and for how long: a line that
/// moves on a terminal, one at the begin and one at the end elsewhere.
fn while_telling<T>(step: &str, quiet: bool, work: impl FnOnce() -> T) -> T {
    if quiet {
        return work();
    }
    let clock = Clock::system();
    let began = clock.monotonic();
    let seconds = || clock.monotonic().saturating_sub(began).as_secs_f64();
    let done = if std::io::stderr().is_terminal() {
        thread::scope(|scope| {
            let (running, ended) = mpsc::channel::<()>();
            let seconds = &seconds;
            scope.spawn(move || spin(step, seconds, &ended));
            let done = work();
            drop(running);
            done
        })
    } else {
        say(&format!("{step} …"));
        work()
    };
    say(&format!("{step}: {:.1} s", seconds()));
    done
}

/// Moves a line until the work has ended, and wipes it.
fn spin(step: &str, seconds: &(dyn Fn() -> f64 + Sync), ended: &mpsc::Receiver<()>) {
    let mut stderr = std::io::stderr();
    for frame in FRAMES.iter().cycle() {
        let _ = write!(stderr, "\r\u{1b}[K{frame} {step} {:.0} s", seconds()).and_then(|()| stderr.flush());
        if ended.recv_timeout(FRAME) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    let _ = write!(stderr, "\r\u{1b}[K");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools() -> (tempfile::TempDir, Tools) {
        let folder = tempfile::tempdir().unwrap();
        let plugin = folder.path().join("mine");
        fs::create_dir(&plugin).unwrap();
        (folder, Tools::new(&plugin, true).unwrap())
    }

    #[test]
    fn a_missing_tool_comes_with_a_remedy() {
        let (_folder, tools) = tools();
        let command = tools.command("hookloom-no-such-tool");
        let error = tools.run("trying", command, "install it").unwrap_err().to_string();
        assert_eq!(error, "mine: hookloom-no-such-tool was not found\n    help: install it");
    }

    #[test]
    fn a_failing_tool_has_its_say() {
        let (_folder, tools) = tools();
        let mut command = tools.command("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let error = tools.run("trying", command, "").unwrap_err().to_string();
        assert_eq!(error, "mine: trying failed; sh says:\nout\nerr");
    }

    #[test]
    fn another_pinned_version_is_another_installation() {
        let (_folder, tools) = tools();
        let pins = tools.folder.join("requirements.txt");
        fs::write(&pins, "a==1").unwrap();
        assert!(!tools.is_installed(&["requirements.txt"]));
        tools.installed(&["requirements.txt"]).unwrap();
        assert!(tools.is_installed(&["requirements.txt"]));
        fs::write(&pins, "a==2").unwrap();
        assert!(!tools.is_installed(&["requirements.txt"]));
    }
}

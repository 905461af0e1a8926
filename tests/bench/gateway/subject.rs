//! A process under test, and what the operating system and its own metrics say of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use hookloom_testkit::measure::{self, Memory};
use hookloom_testkit::sender::{DESTINATION_SECRET, SECRET};

use crate::Error;
use crate::figures::Commits;
use crate::forwarder;

/// Until it listens; a cold build of a plugin's code is in it.
const START: Duration = Duration::from_secs(30);
/// Of `/proc/PID/stat`, in ticks per second (`USER_HZ`, 100 on every Linux).
const TICK: Duration = Duration::from_millis(10);

pub(crate) struct Subject {
    child: Child,
    /// Where it takes requests.
    pub(crate) address: SocketAddr,
    /// Where its metrics are, if it has any.
    admin: Option<SocketAddr>,
    /// Its store lives as long as it does.
    _folder: Option<tempfile::TempDir>,
}

impl Subject {
    /// A gateway with one source, one step and one destination, on a fresh store.
    pub(crate) fn gateway(
        binary: &Path,
        synchronous: &str,
        destination: &str,
        folder: &Path,
        plugin: &[u8],
    ) -> Result<Self, Error> {
        let folder = tempfile::tempdir_in(folder)?;
        let plugins = folder.path().join("plugins");
        std::fs::create_dir(&plugins)?;
        std::fs::write(plugins.join("redact.wasm"), plugin)?;
        let file = folder.path().join("hookloom.toml");
        std::fs::write(&file, config(synchronous, destination))?;
        std::fs::write(folder.path().join("source.secret"), SECRET)?;
        std::fs::write(folder.path().join("destination.secret"), DESTINATION_SECRET)?;
        let mut command = Command::new(binary);
        command.arg("serve").arg("-c").arg(file);
        let (child, addresses) = start(command)?;
        let mut subject =
            Self { child, address: addresses.recv_timeout(START)?, admin: None, _folder: Some(folder) };
        subject.admin = Some(addresses.recv_timeout(START)?);
        Ok(subject)
    }

    /// This binary as the forwarder.
    pub(crate) fn forwarder(destination: &str) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([forwarder::ARGUMENT, destination]);
        let (child, addresses) = start(command)?;
        Ok(Self { child, address: addresses.recv_timeout(START)?, admin: None, _folder: None })
    }

    /// User and system time so far.
    pub(crate) fn cpu(&self) -> Result<Duration, Error> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field is a name in brackets; user and system time are 14 and 15.
        let rest = stat.rsplit_once(')').ok_or("no such process")?.1;
        let ticks: u32 = rest.split_whitespace().skip(11).take(2).map(|n| n.parse().unwrap_or(0)).sum();
        Ok(TICK * ticks)
    }

    /// What it takes of the machine's memory.
    pub(crate) fn memory(&self) -> std::io::Result<Memory> {
        measure::memory(self.child.id())
    }

    /// What a gateway's store counted so far.
    pub(crate) fn commits(&self) -> Result<Option<Commits>, Error> {
        let Some(admin) = self.admin else { return Ok(None) };
        let mut stream = TcpStream::connect(admin)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let count = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("_total "));
            line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
        };
        Ok(Some(Commits {
            all: count("hookloom_store_batches"),
            accepting: count("hookloom_store_accepting_batches"),
            accepted: count("hookloom_store_accepted"),
        }))
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // It is gone already, or it goes now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts it; the addresses that it names come as it names them.
fn start(mut command: Command) -> Result<(Child, mpsc::Receiver<SocketAddr>), Error> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let log = child.stderr.take().ok_or("its log cannot be read")?;
    let (found, addresses) = mpsc::channel();
    std::thread::spawn(move || {
        let mut out = std::io::stdout();
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            match line.split_once(" at http://").and_then(|(_, rest)| rest.split('/').next()?.parse().ok()) {
                Some(address) => drop(found.send(address)),
                None if line.contains("INFO") => {}
                None => drop(writeln!(out, "    {line}")),
            }
        }
    });
    Ok((child, addresses))
}

fn config(synchronous: &str, destination: &str) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"

[store]
synchronous = "{synchronous}"

[egress]
allow = ["127.0.0.0/8"]

[sources.github]
scheme = "github"
secrets = ["file:source.secret"]

[destinations.crm]
url = "{destination}"
secrets = ["file:destination.secret"]

[[routes]]
name = "issues-to-crm"
from = ["github"]
steps = [{{ plugin = "redact", config = {{ paths = ["/sender/email"] }} }}]
to = ["crm"]
"#
    )
}

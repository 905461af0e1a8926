//! The configuration: `hookloom.toml` read, resolved and checked, whole or not at all.
//!
//! Only this room reads the environment. What it produces is immutable; a reload makes
//! another one.

mod file;
mod locate;
mod problem;
mod resolve;
mod secret;
mod terminal;
mod units;
mod uses;
mod word;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::deliver::{Destination, Egress};
use crate::ingest::{Certificate, FrontDoor};
use crate::plugin::PluginSettings;
use crate::process::Routes;
use crate::store::{Retention, Synchronous};

pub use problem::{Problem, Problems};
pub use secret::{Secret, SecretOrigin, resolve as resolve_secret};
pub use terminal::wants_no_colour;
pub use uses::{Asks, PluginUse};

/// Every setting with its default and its reason, as `hookloom config default` prints
/// it.
pub const DEFAULTS: &str = include_str!("../../config.default.toml");

/// A configuration that can be put in force.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// Addresses and limits of the front door; the addresses need a restart.
    pub server: Server,
    /// The store; its file needs a restart, its limits do not.
    pub store: Store,
    /// How logs are written; needs a restart.
    pub log: Log,
    /// The plugins folder, threads and limits; all but the limits need a restart.
    pub plugins: PluginSettings,
    /// Sources, and the routes that choose their events.
    pub front_door: Arc<FrontDoor>,
    /// Routes by name.
    pub routes: Arc<Routes>,
    /// Where deliveries go.
    pub destinations: Vec<Destination>,
    /// Where nothing may go, and how everything goes.
    pub egress: Egress,
    /// What is allowed but unwise.
    pub warnings: Vec<Problem>,
}

/// `[server]`.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where webhooks come in.
    pub listen: SocketAddr,
    /// Where operators look.
    pub admin_listen: SocketAddr,
    /// What operators say.
    pub admin_token: Option<Secret>,
    /// Bytes of a body.
    pub max_body: usize,
    /// For a body, from its first byte to its last.
    pub read_timeout: Duration,
    /// Connections at once, of each port.
    pub max_connections: usize,
    /// For a request's head, from its first byte to its last.
    pub header_timeout: Duration,
    /// Between two requests of a connection.
    pub idle_timeout: Duration,
    /// Where the front door speaks TLS.
    pub tls: Option<TlsFiles>,
    /// What attempts in flight get when the gateway stops.
    pub shutdown_grace: Duration,
}

/// A certificate to serve, and the files that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, PEM.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// What was in them.
    pub certificate: Certificate,
}

/// `[store]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The file of the embedded store.
    pub path: PathBuf,
    /// What a commit waits for.
    pub synchronous: Synchronous,
    /// Unprocessed runs beyond which the door closes.
    pub max_backlog: u64,
    /// Free bytes on the store's disk below which the door closes.
    pub min_free_disk: u64,
    /// How long what is finished is kept.
    pub retention: Retention,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A level, or directives such as `info,hookloom::deliver=debug`.
    pub level: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

impl Config {
    /// Reads and resolves a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, each at its place.
    pub fn load(file: &Path) -> Result<Self, Problems> {
        Self::from_text(file, &read(file)?)
    }

    /// Reads a file and resolves its `[server]` alone: whoever only asks a gateway need
    /// not have all of its secrets.
    ///
    /// # Errors
    /// Everything that is wrong with that section, or with the file's form.
    pub fn load_server(file: &Path) -> Result<Server, Problems> {
        resolve::resolve_server(file, &read(file)?)
    }

    /// Reads a file and resolves its `[store]` alone.
    ///
    /// # Errors
    /// Everything that is wrong with that section, or with the file's form.
    pub fn load_store(file: &Path) -> Result<Store, Problems> {
        resolve::resolve_store(file, &read(file)?)
    }

    /// Resolves the text of a file; relative paths are relative to `file`.
    ///
    /// # Errors
    /// Everything that is wrong with it, each at its place.
    pub fn from_text(file: &Path, text: &str) -> Result<Self, Problems> {
        resolve::resolve(file, text)
    }

    /// `next`, with what only a restart changes as it is here: so the next comparison
    /// says it again.
    #[must_use]
    pub fn without_restart(&self, next: Self) -> Self {
        let Server { listen, admin_listen, max_connections, header_timeout, idle_timeout, .. } = self.server;
        // Whether it is spoken stays as it is; with what certificate does not.
        let tls = self.server.tls.as_ref().map(|before| next.server.tls.as_ref().unwrap_or(before).clone());
        let server = Server {
            listen,
            admin_listen,
            max_connections,
            header_timeout,
            idle_timeout,
            tls,
            ..next.server
        };
        let PluginSettings { dir, cache_dir, workers, .. } = self.plugins.clone();
        Self {
            server,
            store: Store { path: self.store.path.clone(), synchronous: self.store.synchronous, ..next.store },
            log: self.log.clone(),
            plugins: PluginSettings { dir, cache_dir, workers, ..next.plugins },
            ..next
        }
    }

    /// The settings in which `next` differs and that only a restart changes.
    pub fn needs_restart(&self, next: &Self) -> Vec<&'static str> {
        let Server {
            listen,
            admin_listen,
            admin_token: _,
            max_body: _,
            read_timeout: _,
            max_connections,
            header_timeout,
            idle_timeout,
            tls,
            shutdown_grace: _,
        } = &self.server;
        let mut names = Vec::new();
        let mut differs = |name, differs: bool| {
            if differs {
                names.push(name);
            }
        };
        differs("server.listen", *listen != next.server.listen);
        differs("server.admin_listen", *admin_listen != next.server.admin_listen);
        differs("server.max_connections", *max_connections != next.server.max_connections);
        differs("server.header_timeout", *header_timeout != next.server.header_timeout);
        differs("server.idle_timeout", *idle_timeout != next.server.idle_timeout);
        differs("server.tls_cert", tls.is_some() != next.server.tls.is_some());
        differs("store.url", self.store.path != next.store.path);
        differs("store.synchronous", self.store.synchronous != next.store.synchronous);
        differs("[log]", self.log != next.log);
        differs("plugins.dir", self.plugins.dir != next.plugins.dir);
        differs("plugins.workers", self.plugins.workers != next.plugins.workers);
        names
    }
}

fn read(file: &Path) -> Result<String, Problems> {
    std::fs::read_to_string(file).map_err(|error| {
        let message = format!("cannot be read: {error}");
        let remedy = Some("`hookloom init DIR` writes one to start from".to_owned());
        Problems(vec![Problem { file: file.to_owned(), place: None, message, remedy }])
    })
}

#[cfg(test)]
mod reach_tests;
#[cfg(test)]
mod serving_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod verify_tests;

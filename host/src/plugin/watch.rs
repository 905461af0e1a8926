//! Tells when a folder has changed and come to rest. It watches folders and not files,
//! because a file that is replaced is another file; the folder may be missing, made
//! later, or replaced itself.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;

/// Links on the way to a folder that are followed; more are a circle.
const LINKS: usize = 16;

/// When a folder counts as settled, and how often it is looked at without an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settle {
    /// So long without an event.
    pub quiet: Duration,
    /// Or so long since the first one, if it never becomes quiet.
    pub at_most: Duration,
    /// Without any event: network mounts and changed targets of symbolic links
    /// send none.
    pub rescan: Duration,
}

impl Default for Settle {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(100),
            at_most: Duration::from_millis(500),
            rescan: Duration::from_secs(10),
        }
    }
}

/// Watches one folder until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    changes: watch::Receiver<u64>,
    wake: Sender<Wake>,
}

/// The machine gives no more watches or threads.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be watched: {reason}", dir.display())]
pub struct WatchError {
    dir: PathBuf,
    reason: String,
}

enum Wake {
    Changed,
    Stop,
}

impl Watcher {
    /// Starts watching `dir`. For a file, watch its parent and look at the file
    /// whenever that has changed.
    pub fn start(dir: &Path, settle: Settle) -> Result<Self, WatchError> {
        // Events name absolute paths.
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let failed = |reason: String| WatchError { dir: dir.clone(), reason };
        let (wake, woken) = unbounded();
        let (tell, changes) = watch::channel(0);
        let sender = wake.clone();
        let (target, links) = (dir.clone(), Arc::new(Mutex::new(Vec::new())));
        let on_the_way = Arc::clone(&links);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let links = on_the_way.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if event.as_ref().map_or(true, |event| concerns(event, &target, &links)) {
                // The thread may have been stopped.
                let _ = sender.send(Wake::Changed);
            }
        });
        let watcher = watcher.map_err(|error| failed(error.to_string()))?;
        let mut follower = Follower { watcher, dir: dir.clone(), folders: vec![], links };
        follower.follow();
        std::thread::Builder::new()
            .name("watch".into())
            .spawn(move || run(&woken, &tell, &mut follower, settle))
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self { changes, wake })
    }

    /// Returns once the folder may have changed since the last return. Cancelling
    /// loses nothing.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // The thread may have ended by itself.
        let _ = self.wake.send(Wake::Stop);
    }
}

fn run(woken: &Receiver<Wake>, tell: &watch::Sender<u64>, follower: &mut Follower, settle: Settle) {
    loop {
        match woken.recv_timeout(settle.rescan) {
            Ok(Wake::Changed) => {
                if !come_to_rest(woken, settle) {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
        follower.follow();
        tell.send_modify(|changes| *changes += 1);
    }
}

/// Waits until events cease; `false`: stop.
fn come_to_rest(woken: &Receiver<Wake>, settle: Settle) -> bool {
    let enough = crossbeam_channel::after(settle.at_most);
    loop {
        crossbeam_channel::select! {
            recv(woken) -> wake => match wake {
                Ok(Wake::Changed) => {}
                Ok(Wake::Stop) | Err(_) => return false,
            },
            recv(enough) -> _ => return true,
            default(settle.quiet) => return true,
        }
    }
}

/// Whether an event can mean another content: reading a file cannot, and would keep a
/// watcher that makes its listener read busy for ever.
fn concerns(event: &notify::Event, dir: &Path, links: &[PathBuf]) -> bool {
    let read = matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
    let here = |path: &PathBuf| {
        path == dir || path.parent() == Some(dir) || dir.starts_with(path) || links.contains(path)
    };
    event.need_rescan() || (!read && event.paths.iter().any(here))
}

/// The folder and, so that its coming and going is seen, the one above it and those that
/// hold the links to it.
struct Follower {
    watcher: RecommendedWatcher,
    dir: PathBuf,
    folders: Vec<(PathBuf, Identity)>,
    /// What is on the way to the folder and can be swapped.
    links: Arc<Mutex<Vec<PathBuf>>>,
}

/// Device and inode: a folder that was replaced has another.
type Identity = (u64, u64);

impl Follower {
    /// Watches what is there now, and no longer what was there before.
    fn follow(&mut self) {
        let parent = self.dir.ancestors().skip(1).find(|path| path.is_dir() || path.as_os_str().is_empty());
        let parent = parent.map(|p| if p.as_os_str().is_empty() { PathBuf::from(".") } else { p.to_owned() });
        let links = links(&self.dir);
        let holding = links.iter().filter_map(|link| link.parent()).map(Path::to_owned);
        let mut wanted: Vec<_> =
            [Some(self.dir.clone()), parent].into_iter().flatten().chain(holding).collect();
        let mut seen = HashSet::new();
        wanted.retain(|path| seen.insert(path.clone()));
        *self.links.lock().unwrap_or_else(PoisonError::into_inner) = links;
        let wanted: Vec<_> =
            wanted.into_iter().filter_map(|path| identity(&path).map(|id| (path, id))).collect();
        if wanted == self.folders {
            return;
        }
        for (path, _) in self.folders.drain(..) {
            // It may be gone, and its watch with it.
            let _ = self.watcher.unwatch(&path);
        }
        for (path, id) in wanted {
            match self.watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => self.folders.push((path, id)),
                Err(error) => {
                    tracing::warn!(folder = %path.display(), %error, "cannot be watched; it is looked at now and then");
                }
            }
        }
    }
}

/// The symbolic links on the way to `dir`, each where it is found: what a mounted volume
/// is swapped by.
fn links(dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut way) = (Vec::new(), dir.to_owned());
    while found.len() < LINKS {
        let ancestors: Vec<_> = way.ancestors().collect();
        let link =
            ancestors.into_iter().rev().find_map(|path| Some((path.to_owned(), fs::read_link(path).ok()?)));
        let Some((link, target)) = link else { break };
        let rest = way.strip_prefix(&link).unwrap_or(Path::new("")).to_owned();
        let to = link.parent().unwrap_or(Path::new("/")).join(target).join(rest);
        // Without the slash at the end, which would follow the next link instead of naming it.
        way = to.components().collect();
        found.push(link);
    }
    found
}

fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let meta = fs::metadata(path).ok().filter(fs::Metadata::is_dir)?;
    Some((meta.dev(), meta.ino()))
}

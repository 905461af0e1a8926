//! Tells when a folder has changed and come to rest. It watches folders and not files,
//! because a file that is replaced is another file; the folder may be missing, made
//! later, or replaced itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;

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
        let target = dir.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.as_ref().map_or(true, |event| concerns(event, &target)) {
                // The thread may have been stopped.
                let _ = sender.send(Wake::Changed);
            }
        });
        let watcher = watcher.map_err(|error| failed(error.to_string()))?;
        let mut follower = Follower { watcher, dir: dir.clone(), folders: vec![] };
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
fn concerns(event: &notify::Event, dir: &Path) -> bool {
    let read = matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
    let here = |path: &PathBuf| path == dir || path.parent() == Some(dir) || dir.starts_with(path);
    event.need_rescan() || (!read && event.paths.iter().any(here))
}

/// The folder and, so that its coming and going is seen, the one above it.
struct Follower {
    watcher: RecommendedWatcher,
    dir: PathBuf,
    folders: Vec<(PathBuf, Identity)>,
}

/// Device and inode: a folder that was replaced has another.
type Identity = (u64, u64);

impl Follower {
    /// Watches what is there now, and no longer what was there before.
    fn follow(&mut self) {
        let parent = self.dir.ancestors().skip(1).find(|path| path.is_dir() || path.as_os_str().is_empty());
        let parent = parent.map(|p| if p.as_os_str().is_empty() { PathBuf::from(".") } else { p.to_owned() });
        let wanted: Vec<_> = [Some(self.dir.clone()), parent]
            .into_iter()
            .flatten()
            .filter_map(|path| identity(&path).map(|id| (path, id)))
            .collect();
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

fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_dir)?;
    Some((meta.dev(), meta.ino()))
}

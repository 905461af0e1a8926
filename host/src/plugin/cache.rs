//! Compiled code and last good versions on disk, in a folder of the gateway's own.
//!
//! Loading compiled code runs it with the gateway's rights, so this is what makes it
//! safe: the folder belongs to the gateway's user and nobody else may enter it; files
//! appear in it only whole (written beside, synced, renamed); each carries a SHA-256
//! over its key and content, so that a damaged or foreign file is compiled again; the
//! bytes that are checked are the bytes that are loaded, because they are read once.
//! Somebody who can write here as the gateway's user needs no plugin to do harm.

use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;

/// Opens every file; the number changes with the layout.
const MAGIC: &[u8] = b"hookloom-compiled-1\n";
const CHECKSUM: usize = 32;
/// Compiled components that are kept beside those in use.
const KEPT: usize = 64;

/// The folder.
#[derive(Debug)]
pub(super) struct Cache {
    dir: PathBuf,
    /// What compiled code has to match besides the component: the engine.
    engine: u64,
}

impl Cache {
    /// Opens the folder, or makes it. One that others may enter is refused.
    pub(super) fn open(dir: &Path, engine: &Engine) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let meta = fs::metadata(dir)?;
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other("it belongs to somebody else"));
        }
        if meta.permissions().mode() & 0o077 != 0 {
            return Err(io::Error::other("others may enter it; give it the mode 0700"));
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { dir: dir.to_owned(), engine: hasher.finish() })
    }

    /// Compiled code of the component with that digest, if it is here and whole.
    pub(super) fn compiled(&self, digest: &str) -> Option<Vec<u8>> {
        let mut bytes = fs::read(self.path(digest)).ok()?;
        let rest = bytes.strip_prefix(MAGIC)?;
        let (checksum, code) = rest.split_at_checked(CHECKSUM)?;
        if self.checksum(digest, code) != checksum {
            tracing::warn!(digest, "damaged compiled code in the plugins' cache; compiling again");
            return None;
        }
        Some(bytes.split_off(MAGIC.len() + CHECKSUM))
    }

    /// Keeps compiled code.
    pub(super) fn keep_compiled(&self, digest: &str, code: &[u8]) -> io::Result<()> {
        self.write(&self.path(digest), &[MAGIC, &self.checksum(digest, code), code])
    }

    /// The component that served last under that name, if one is kept.
    pub(super) fn last_good(&self, plugin: &str) -> Option<Vec<u8>> {
        fs::read(self.last_good_path(plugin)).ok()
    }

    /// Keeps a component that serves, so that it can serve again after a restart
    /// beside a broken file.
    pub(super) fn keep_last_good(&self, plugin: &str, wasm: &[u8]) -> io::Result<()> {
        self.write(&self.last_good_path(plugin), &[wasm])
    }

    /// Forgets it, once the plugin's file was deleted.
    pub(super) fn forget_last_good(&self, plugin: &str) {
        // It may never have been there.
        let _ = fs::remove_file(self.last_good_path(plugin));
    }

    /// Deletes the oldest compiled components beyond a bound, except those in use.
    pub(super) fn prune(&self, in_use: &[&str]) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let in_use: Vec<_> = in_use.iter().map(|digest| self.path(digest)).collect();
        let mut spare: Vec<_> = entries
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|path| path.extension().is_some_and(|e| e == "compiled") && !in_use.contains(path))
            .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
            .collect();
        spare.sort();
        let excess = spare.len().saturating_sub(KEPT);
        for (_, path) in spare.into_iter().take(excess) {
            // What cannot be deleted now is tried again at the next scan.
            let _ = fs::remove_file(path);
        }
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.dir.join(format!("{digest}-{:016x}.compiled", self.engine))
    }

    fn last_good_path(&self, plugin: &str) -> PathBuf {
        self.dir.join(format!("{plugin}.last-good.wasm"))
    }

    fn checksum(&self, digest: &str, code: &[u8]) -> [u8; CHECKSUM] {
        let mut hash = Sha256::new();
        hash.update(digest);
        hash.update(self.engine.to_be_bytes());
        hash.update(code);
        hash.finalize().into()
    }

    fn write(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
        let partial = path.with_extension("partial");
        let mut file = File::create(&partial)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()?;
        fs::rename(&partial, path)?;
        File::open(&self.dir)?.sync_all()
    }
}

/// SHA-256 of a component, in hex.
pub(super) fn digest(wasm: &[u8]) -> String {
    hex::encode(Sha256::digest(wasm))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(dir: &Path) -> Cache {
        if dir.exists() {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
        }
        Cache::open(dir, &Engine::default()).unwrap()
    }

    #[test]
    fn what_was_kept_is_found_again_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(dir.path());
        assert_eq!(cache.compiled("d1"), None);
        cache.keep_compiled("d1", b"code").unwrap();
        assert_eq!(cache.compiled("d1").as_deref(), Some(b"code".as_slice()));
        fs::copy(cache.path("d1"), cache.path("d2")).unwrap();
        assert_eq!(cache.compiled("d2"), None, "a file under another's name");
        let mut bytes = fs::read(cache.path("d1")).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(cache.path("d1"), &bytes).unwrap();
        assert_eq!(cache.compiled("d1"), None, "a damaged file");
        fs::write(cache.path("d1"), &bytes[..MAGIC.len() + 3]).unwrap();
        assert_eq!(cache.compiled("d1"), None, "a cut file");
    }

    #[test]
    fn the_folder_is_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let made = dir.path().join("made");
        let _ = cache(&made);
        assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
        // What others could enter may hold what they put there.
        fs::set_permissions(&made, fs::Permissions::from_mode(0o755)).unwrap();
        let error = Cache::open(&made, &Engine::default()).unwrap_err();
        assert!(error.to_string().contains("give it the mode 0700"), "{error}");
    }

    #[test]
    fn old_code_is_deleted_but_not_what_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(dir.path());
        for i in 0..KEPT + 3 {
            cache.keep_compiled(&format!("d{i}"), b"code").unwrap();
        }
        cache.prune(&["d0"]);
        assert!(cache.compiled("d0").is_some());
        let left = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, KEPT + 1);
    }
}

//! The plugins folder as it is found: which files are plugins, and under which names.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A plugin's name as routes and the API write it: `-` for `_`.
pub fn normalize(name: &str) -> String {
    name.replace('_', "-")
}

/// The files of each name; more than one is a mistake that is reported. A folder that
/// is not there has none.
pub(super) fn list(dir: &Path) -> io::Result<BTreeMap<String, Vec<PathBuf>>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let mut files: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for entry in entries {
        let path = entry?.path();
        // Whatever it is that has the name: what cannot be read is said, and not gone.
        if let Some(name) = name(&path) {
            files.entry(name).or_default().push(path);
        }
    }
    for paths in files.values_mut() {
        paths.sort();
    }
    Ok(files)
}

/// The plugin's name, if the file is meant as one: hidden files and what editors and
/// copying tools leave behind are not.
fn name(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let stem = file.strip_suffix(".wasm")?;
    let meant = !stem.is_empty() && !stem.starts_with(['.', '~', '#']) && !stem.ends_with(['~', '#']);
    meant.then(|| normalize(stem))
}

/// The file's bytes, if they are not too many.
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    // Opening a pipe would wait for somebody to write into it.
    let kind = fs::metadata(path).map_err(unreadable)?.file_type();
    if kind.is_dir() {
        return Err("is a folder; a container runtime makes one where the file to mount is missing".into());
    }
    if !kind.is_file() {
        return Err("is not a regular file".into());
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes));
    read.map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(format!(
            "larger than {limit} bytes; build it smaller (release profile, `strip`, `opt-level = \"s\"`)"
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_files_are_plugins() {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "b_c.wasm",
            "b-c.wasm",
            "a.wasm",
            ".hidden.wasm",
            "a.wasm~",
            "a~.wasm",
            "a.wasm.tmp",
            "notes.txt",
        ] {
            fs::write(dir.path().join(file), "x").unwrap();
        }
        fs::create_dir(dir.path().join("dir.wasm")).unwrap();
        let found: Vec<_> =
            list(dir.path()).unwrap().into_iter().map(|(name, files)| (name, files.len())).collect();
        assert_eq!(found, [("a".to_owned(), 1), ("b-c".to_owned(), 2), ("dir".to_owned(), 1)]);
        assert!(list(&dir.path().join("missing")).unwrap().is_empty());
    }

    #[test]
    fn a_file_at_the_limit_is_read_and_one_above_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wasm");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert!(read(&path, 4).unwrap_err().contains("larger than 4 bytes"));
    }
}

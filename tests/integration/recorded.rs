//! The recorded requests and handshakes, as tests send them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookloom::verify::OneOrMany;
use hookloom::verify::case::Expectation;
use serde::Deserialize;
use serde_json::Value;

const HANDSHAKES: &str = "handshakes.json";

/// A case in its own words.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) provider: String,
    #[serde(default)]
    pub(crate) description: String,
    secret: Option<String>,
    secrets: Option<Vec<String>>,
    pub(crate) method: String,
    /// As the provider knows it.
    pub(crate) url: String,
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    #[serde(default)]
    body_base64: String,
    /// Unix seconds.
    pub(crate) now: i64,
    /// Other keys of a source.
    #[serde(default)]
    pub(crate) config: BTreeMap<String, Value>,
    /// What a fetch of a document returns, by its name.
    #[serde(default)]
    pub(crate) fixtures: BTreeMap<String, String>,
    pub(crate) expect: Expectation,
    pub(crate) id: Option<String>,
    #[serde(rename = "type")]
    pub(crate) event_type: Option<String>,
}

impl Recorded {
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.secrets.clone().unwrap_or_else(|| self.secret.iter().cloned().collect())
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        STANDARD.decode(&self.body_base64).unwrap()
    }

    /// The same with another value of a header.
    pub(crate) fn with_header(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.insert(name.to_owned(), value.into()).expect("the request has such a header");
        other
    }

    /// Every header, repeated ones in order.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        headers(&self.headers)
    }
}

/// Each value of a list is a header of its own.
pub(crate) fn headers(written: &BTreeMap<String, Value>) -> Vec<(String, String)> {
    let pairs = written.iter().flat_map(|(name, values)| {
        let values = OneOrMany::<String>::deserialize(values).unwrap().0;
        values.into_iter().map(|value| (name.clone(), value))
    });
    pairs.collect()
}

/// Where they all are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors")
}

/// Every file of cases: recorded, our own, and those of SDKs.
pub(crate) fn files() -> Vec<PathBuf> {
    let folders = [folder(), folder().join("own"), folder().join("sdk")];
    let all = folders.iter().flat_map(|folder| with_extension(folder, "json"));
    all.filter(|path| !path.ends_with(HANDSHAKES)).collect()
}

/// The files of a folder, in the order of their names.
pub(crate) fn with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|own| own == extension)).collect();
    files.sort();
    files
}

/// Every case of every file.
pub(crate) fn all() -> Vec<Recorded> {
    let parse = |file: PathBuf| -> Vec<Recorded> {
        let text = std::fs::read(&file).unwrap();
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    files().into_iter().flat_map(parse).collect()
}

/// Every handshake, recorded ones and our own.
pub(crate) fn handshakes() -> Vec<Value> {
    let own = folder().join("own").join(HANDSHAKES);
    let files = [folder().join(HANDSHAKES), own];
    let texts = files.iter().filter_map(|file| std::fs::read(file).ok());
    texts.flat_map(|text| serde_json::from_slice::<Vec<Value>>(&text).unwrap()).collect()
}

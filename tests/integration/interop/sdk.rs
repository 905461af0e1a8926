//! The providers' SDKs for Node, in one process that answers line by line
//! (`tests/peers/sdk.mjs`).

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::packages::repository;

const SCRIPT: &str = "sdk.mjs";

/// The process; it ends with this.
pub(super) struct Sdks {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// A request, with all that a provider and its receiver know beside it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) provider: &'static str,
    pub(super) secret: String,
    /// Unix seconds at which it is sent, and judged.
    pub(super) now: i64,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Sdks {
    pub(super) fn start(folder: &Path) -> Self {
        let mut child = Command::new("node")
            .arg(beside_the_packages(folder))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("an interpreter whose package manager ran");
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, questions, answers }
    }

    /// The headers that the provider adds.
    pub(super) fn sign(&mut self, asked: &Asked) -> Vec<(String, String)> {
        let answer = self.ask("sign", asked);
        let headers = answer["headers"].as_object().unwrap_or_else(|| panic!("{asked:?}: {answer}"));
        headers.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
    }

    /// Whether the SDK takes it; if not, its words.
    pub(super) fn verify(&mut self, asked: &Asked) -> Result<(), String> {
        let answer = self.ask("verify", asked);
        match answer["accepted"].as_bool() {
            Some(true) => Ok(()),
            Some(false) => Err(answer["why"].as_str().unwrap_or("false").to_owned()),
            None => panic!("{asked:?}: {answer}"),
        }
    }

    fn ask(&mut self, ask: &str, asked: &Asked) -> Value {
        let headers: Map<_, _> =
            asked.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let question = json!({
            "ask": ask,
            "provider": asked.provider,
            "secret": asked.secret,
            "now": asked.now,
            "method": "POST",
            "url": asked.url,
            "headers": headers,
            "body_base64": BASE64_STANDARD.encode(&asked.body),
        });
        writeln!(self.questions.as_mut().unwrap(), "{question}").expect("the process reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the process answers");
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{asked:?}: no answer: {answer:?}"))
    }
}

impl Drop for Sdks {
    fn drop(&mut self) {
        drop(self.questions.take());
        let _ = self.child.wait();
    }
}

/// ECMAScript modules look for packages beside themselves only, so the script is run
/// from a copy that lies there.
fn beside_the_packages(folder: &Path) -> PathBuf {
    let copy = folder.join(SCRIPT);
    let text = fs::read(repository().join("tests/peers").join(SCRIPT)).unwrap();
    if fs::read(&copy).ok().as_ref() != Some(&text) {
        // Renamed into place: the other tests may be reading it.
        let new = tempfile::NamedTempFile::new_in(folder).unwrap();
        fs::write(new.path(), &text).unwrap();
        new.persist(&copy).unwrap();
    }
    copy
}

//! Requests as providers sign them, changed on their way: before every preset and random
//! generic schemes, as configuration, and as raw bytes at the front door.
//!
//! What changes a request does not know the key. So whatever is accepted must be what was
//! signed, its method, path and query included: the same message, the same signature, a time
//! that is near, the id that was signed (`oracle`).

mod case;
mod door;
mod message;
mod oracle;
mod schemes;
mod sent;

use std::time::{Duration, Instant};

use hookloom::clock::Random;
use hookloom::config::Config;
use serde_json::Value;

use self::case::Case;
use self::door::FrontDoor;
use super::Fuzzer;

/// One in so many goes through a gateway's socket, or is a configuration file.
const SLOW: usize = 32;
/// Longest that a verdict may take, on the busiest machine.
const LONGEST: Duration = Duration::from_secs(20);

pub(super) struct Requests {
    door: FrontDoor,
    folder: tempfile::TempDir,
}

impl Requests {
    pub(super) fn new() -> Self {
        Self { door: FrontDoor::open(), folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A source of that text, as the gateway would load it.
    fn load(&self, text: &[u8]) -> String {
        let file = self.folder.path().join("hookloom.toml");
        std::fs::write(&file, text).expect("the file is written");
        match Config::load(&file) {
            Ok(_) => "configuration: taken".to_owned(),
            Err(problems) => {
                let problems = problems.to_string();
                let last =
                    problems.lines().next().unwrap_or_default().rsplit(": ").next().unwrap_or_default();
                format!("configuration: {last}")
            }
        }
    }
}

/// What an input begins with says what it is.
const RAW: &[u8] = b"raw:";
const FILE: &[u8] = b"file:";

impl Fuzzer for Requests {
    fn next(&mut self, random: &Random) -> Vec<u8> {
        match below(random, SLOW) {
            0 => [RAW, &door::raw(random)].concat(),
            1 => [FILE, &schemes::file(random)].concat(),
            _ => Case::random(random).to_value().to_string().into_bytes(),
        }
    }

    fn run(&mut self, input: &[u8]) -> String {
        if let Some(raw) = input.strip_prefix(RAW) {
            return self.door.knock(raw);
        }
        if let Some(file) = input.strip_prefix(FILE) {
            return self.load(file);
        }
        let value: Value = serde_json::from_slice(input).expect("a case");
        let case = Case::from_value(&value).expect("a case");
        let begin = Instant::now();
        let verdict = case.judge();
        assert!(begin.elapsed() < LONGEST, "a verdict took {:?}", begin.elapsed());
        match verdict {
            Err(refusal) => format!("scheme: {refusal}"),
            Ok(verdict) => {
                if let Err(why) = oracle::allows(&case, &verdict) {
                    panic!("{}: {verdict}: {why}", case.name());
                }
                // Ids are the case's own.
                verdict.to_string().split(" id ").next().unwrap_or_default().to_owned()
            }
        }
    }
}

fn below(random: &Random, bound: usize) -> usize {
    usize::try_from(random.bits() % (bound.max(1) as u128)).unwrap_or(0)
}

fn one_of<'a, T: ?Sized>(random: &Random, choices: &[&'a T]) -> &'a T {
    choices[below(random, choices.len())]
}

/// Changes some bytes as if they meant nothing.
fn scratch(bytes: &mut Vec<u8>, random: &Random) {
    const PIECES: [&[u8]; 12] =
        [b"", b",", b", ", b"=", b";", b" ", b"v1=", b"t=", b"0", b"\xff", b"{\"a\":[", b",,,,,,,,,,,,,,,,"];
    let at = below(random, bytes.len() + 1);
    let end = (at + below(random, 8)).min(bytes.len());
    match below(random, 6) {
        0 if at < bytes.len() => bytes[at] ^= 1 << below(random, 7),
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let copy = bytes[at..end].to_vec();
            let to = below(random, bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        4 => bytes.make_ascii_uppercase(),
        _ => drop(bytes.splice(at..end, one_of(random, &PIECES).iter().copied())),
    }
}

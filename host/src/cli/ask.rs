//! What commands on many things have in common: ids from arguments or stdin, the
//! question before, the progress meanwhile.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::Context as _;
use serde_json::Value;

/// The ids that are given; `-` stands for those on stdin, one a line, or a JSON object
/// with an `id` a line, as `list --json` prints them.
pub(super) fn ids(given: &[String]) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for id in given {
        if id != "-" {
            ids.push(id.clone());
            continue;
        }
        for line in std::io::stdin().lock().lines() {
            ids.extend(id_in(&line.context("stdin cannot be read")?)?);
        }
    }
    // They become parts of a path, where these mean another one.
    if let Some(other) = ids.iter().find(|id| matches!(id.as_str(), "" | "." | "..")) {
        anyhow::bail!("\"{other}\" is not an id");
    }
    Ok(ids)
}

fn id_in(line: &str) -> anyhow::Result<Option<String>> {
    let line = line.trim();
    if !line.starts_with('{') {
        return Ok((!line.is_empty()).then(|| line.to_owned()));
    }
    let value: Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
    let id = value["id"].as_str().with_context(|| format!("it has no id: {line}"))?;
    Ok(Some(id.to_owned()))
}

/// Asks on a terminal, unless the answer is there already. Where nobody can be asked,
/// whoever wrote the script has answered.
pub(super) fn confirm(question: &str, yes: bool) -> anyhow::Result<bool> {
    let stdin = std::io::stdin();
    if yes || !stdin.is_terminal() {
        return Ok(true);
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush())?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// A count on stderr that is overwritten as it grows; only where somebody watches.
#[derive(Debug)]
pub(super) struct Progress {
    what: &'static str,
    watched: bool,
}

impl Progress {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, watched: std::io::stderr().is_terminal() }
    }

    /// So many of them are done; `None`: nobody knows of how many.
    pub(super) fn at(&self, done: usize, all: Option<usize>) {
        if self.watched {
            let of = all.map(|all| format!(" of {all}")).unwrap_or_default();
            let _ = write!(std::io::stderr(), "\r\u{1b}[K{} {done}{of}", self.what);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.watched {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_lines_or_json() {
        let id = |line: &str| id_in(line).ok();
        assert_eq!(id(" evt_1 "), Some(Some("evt_1".into())));
        assert_eq!(id(r#"{"id":"evt_2","source":"s"}"#), Some(Some("evt_2".into())));
        assert_eq!(id(""), Some(None));
        assert_eq!(id("{"), None);
        assert_eq!(id("{}"), None);
    }

    #[test]
    fn only_yes_is_yes() {
        assert!(is_yes("y\n") && is_yes("YES"));
        assert!(!is_yes("") && !is_yes("n") && !is_yes("yep"));
    }
}

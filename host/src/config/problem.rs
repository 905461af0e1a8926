//! What is wrong with a configuration, where, and what helps.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::locate::locate;

/// One error or warning, at its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Line and column, from 1; `None`: the file as a whole.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
    /// What helps, where there is something to say.
    pub remedy: Option<String>,
}

/// Every problem that makes a configuration unusable; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n    help: {remedy}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            let newline = if i == 0 { "" } else { "\n" };
            write!(f, "{newline}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects problems while a file is resolved, so that all are shown at once.
#[derive(Debug)]
pub(super) struct Report<'a> {
    file: &'a Path,
    text: &'a str,
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl<'a> Report<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, errors: Vec::new(), warnings: Vec::new() }
    }

    /// Where the key of that path is, or as much of the path as there is.
    pub(super) fn locate(&self, path: &[&str]) -> Option<Range<usize>> {
        locate(self.text, path)
    }

    pub(super) fn error(&mut self, span: Option<Range<usize>>, message: impl Into<String>, remedy: &str) {
        let problem = self.problem(span, message.into(), remedy);
        self.errors.push(problem);
    }

    pub(super) fn warning(&mut self, span: Option<Range<usize>>, message: impl Into<String>, remedy: &str) {
        let problem = self.problem(span, message.into(), remedy);
        self.warnings.push(problem);
    }

    fn problem(&self, span: Option<Range<usize>>, message: String, remedy: &str) -> Problem {
        let place = span.map(|span| line_and_column(self.text, span.start));
        let remedy = (!remedy.is_empty()).then(|| remedy.to_owned());
        Problem { file: self.file.to_owned(), place, message, remedy }
    }
}

/// Line and column of a byte offset, from 1; columns count characters.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// The candidate that looks most like what was written, if one is close.
pub(super) fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (edit_distance(written, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance: how many characters to insert, delete or replace.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_from_one_in_characters() {
        assert_eq!(line_and_column("ab\ncd", 0), (1, 1));
        assert_eq!(line_and_column("ab\ncd", 4), (2, 2));
        assert_eq!(line_and_column("é\né!", 5), (2, 2));
    }

    #[test]
    fn suggestions_are_close_or_absent() {
        assert_eq!(did_you_mean("gihub", ["gitlab", "github"]), Some("github"));
        assert_eq!(did_you_mean("crn", ["crm"]), Some("crm"));
        assert_eq!(did_you_mean("warehouse", ["crm"]), None);
    }
}

//! `hookloom verify`: judges recorded requests, and says why one is refused.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::{print, say};
use crate::verify::case;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Files of recorded requests, each a JSON list of cases
    #[arg(long = "case", required = true, num_args = 1..)]
    cases: Vec<PathBuf>,
    /// Explain each case
    #[arg(short, long)]
    verbose: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let (mut passed, mut failed) = (0, 0);
    for file in &options.cases {
        let text = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let cases = case::parse(&text).with_context(|| format!("{}", file.display()))?;
        for case in &cases {
            let judged = case.judge();
            let line = format!("{}: {}: {}", file.display(), case.description, judged.explanation);
            if judged.as_expected {
                passed += 1;
                if options.verbose {
                    print(&format!("ok      {line}"));
                }
            } else {
                failed += 1;
                say(&format!("FAILED  {line}"));
            }
        }
    }
    print(&format!("{passed} passed, {failed} failed"));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

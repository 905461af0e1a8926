//! `hookloom verify`: judges recorded requests, or one that a source refused, and says
//! why.

mod dump;
mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};

use super::{print, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::ingest::{Source, SourceScheme};
use crate::model::Millis;
use crate::store::SqliteStore;
use crate::verify::{Documents, Request, Scheme, Verdict, case, registered_url};
use dump::Dump;
use show::Show;

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["cases", "source"])))]
pub(super) struct Options {
    /// Files of recorded requests, each a JSON list of cases
    #[arg(long = "case", num_args = 1..)]
    cases: Vec<PathBuf>,
    /// Judge a request as this source of the configuration would, and explain it
    #[arg(long, requires = "request")]
    source: Option<String>,
    /// The request as it came: its head, an empty line, its body; or a case without secret
    #[arg(long, requires = "source")]
    request: Option<PathBuf>,
    /// When the request is judged, in seconds since 1970 [default: the case's time, or now]
    #[arg(long, requires = "request")]
    now: Option<i64>,
    /// The configuration file
    #[arg(short, long, default_value = "hookloom.toml")]
    config: PathBuf,
    /// Explain each case
    #[arg(short, long)]
    verbose: bool,
    /// Show all bytes that are signed, however many they are
    #[arg(long)]
    full: bool,
    /// Write the bytes that are signed into this folder, a file for each message
    #[arg(long, value_name = "DIR")]
    bytes: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let show = Show { full: options.full, bytes: options.bytes.as_deref() };
    match (&options.source, &options.request) {
        (Some(source), Some(request)) => one(source, request, options, show),
        _ => all(options, show),
    }
}

/// Every case of every file.
fn all(options: &Options, show: Show<'_>) -> anyhow::Result<ExitCode> {
    let explains = options.verbose || options.bytes.is_some();
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for file in &options.cases {
        let text = read(file)?;
        let cases = case::parse(&text).with_context(|| format!("{}", file.display()))?;
        for case in &cases {
            let judged = case.judge();
            let line = format!("{}: {}: {}", file.display(), case.description, judged.explanation);
            if judged.as_expected {
                passed += 1;
                if explains {
                    print(&format!("ok      {line}"));
                }
            } else {
                failed += 1;
                say(&format!("FAILED  {line}"));
            }
            if explains && let Ok(explanation) = case.explain() {
                let stem = file.file_stem().unwrap_or_default().to_string_lossy();
                show.print(&explanation, &format!("{stem}-{}", passed + failed))?;
            }
        }
    }
    print(&format!("{passed} passed, {failed} failed"));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One request, as a source of the configuration would have judged it.
fn one(name: &str, file: &Path, options: &Options, show: Show<'_>) -> anyhow::Result<ExitCode> {
    let config = Config::load(&options.config).map_err(|problems| anyhow!("{problems}"))?;
    let sources = &config.front_door.sources;
    let source =
        sources.get(name).ok_or_else(|| anyhow!("{} has no source \"{name}\"", options.config.display()))?;
    let SourceScheme::Own(scheme) = &source.scheme else {
        bail!("source \"{name}\" is verified by a plugin: try it with `hookloom plugin test`");
    };
    let dump = Dump::parse(&read(file)?).with_context(|| format!("{}", file.display()))?;
    for note in &dump.notes {
        say(&format!("note: {note}"));
    }
    let learnt = learnt(&config, source, scheme)?;
    let scheme = learnt.as_ref().unwrap_or(scheme);
    let seconds = options.now.or(dump.now);
    let now = seconds.map_or_else(|| Clock::system().now(), |seconds| Millis(seconds.saturating_mul(1000)));
    // As the gateway makes it; without a configured one, what the file says was called.
    let below =
        source.public_url.as_deref().map(|base| registered_url(base, &dump.path, dump.query.as_deref()));
    let request = Request {
        method: &dump.method,
        path: &dump.path,
        query: dump.query.as_deref(),
        headers: &dump.headers,
        body: &dump.body,
        public_url: below.as_deref().or(dump.url.as_deref()),
    };
    let explanation = scheme.explain(&request, now, &Documents::default());
    print(&format!("source {name}, scheme {}: {}", scheme.name(), explanation.verdict));
    show.print(&explanation, name)?;
    let is_taken = matches!(explanation.verdict, Verdict::Accepted(_) | Verdict::Handshake(_));
    Ok(if is_taken { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The scheme with what handshakes handed over, as the gateway makes it; `None`: its own.
fn learnt(config: &Config, source: &Source, own: &Scheme) -> anyhow::Result<Option<Scheme>> {
    if !own.learns() {
        return Ok(None);
    }
    let store = &config.store.path;
    let learnt = SqliteStore::learnt(store).with_context(|| {
        format!("{}: the store, which has what was handed over, cannot be read", store.display())
    })?;
    let of_source = learnt.into_iter().filter(|learnt| learnt.source == source.name);
    let secrets: Vec<_> = of_source.map(|learnt| learnt.secret).collect();
    let scheme = own.with_secrets(&secrets);
    let what = match (secrets.len(), &scheme) {
        (0, _) => "no handshake has handed over a secret: only configured ones are tried".to_owned(),
        (count, Ok(_)) => format!("{count} secret(s) that handshakes handed over are tried, too"),
        (count, Err(_)) => {
            format!("{count} secret(s) that handshakes handed over do not fit its scheme any more")
        }
    };
    say(&format!("note: source \"{}\" in {}: {what}", source.name, store.display()));
    Ok(scheme.ok())
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

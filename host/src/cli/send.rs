//! `hookloom send`: signs a webhook as its source's provider would, and posts it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use bytes::Bytes;

use super::samples::{self, Sample};
use super::{block_on, print};
use crate::clock::{Clock, Random};
use crate::config::Config;
use crate::deliver::Poster;
use crate::ingest::Source;
use crate::model::Header;
use crate::verify::{Outgoing, Scheme};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The source's name
    source: String,
    /// The event's type, such as issues.opened
    #[arg(long = "type")]
    event_type: Option<String>,
    /// What to send; - reads stdin; without it, a sample of the provider
    #[arg(long)]
    body: Option<PathBuf>,
    /// Where to; without it, the gateway of the configuration
    #[arg(long)]
    url: Option<String>,
    /// How many, each with an id of its own
    #[arg(short, default_value_t = 1)]
    n: u32,
    /// The configuration file
    #[arg(short, long, default_value = "hookloom.toml")]
    config: PathBuf,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let config = Config::load(&options.config)?;
    let Some(source) = config.front_door.sources.get(&options.source) else {
        let known: Vec<_> = config.front_door.sources.keys().map(String::as_str).collect();
        anyhow::bail!("there is no source \"{}\"; there are: {}", options.source, known.join(", "));
    };
    let Some(scheme) = source.scheme.own() else {
        anyhow::bail!(
            "the source \"{}\" is verified by a plugin ({}): only whoever wrote that knows how to sign for it; post to {} with a tool of your own",
            source.name,
            source.scheme.name(),
            url(options, &config, source)
        );
    };
    let sample = samples::of(scheme.name());
    let event_type =
        options.event_type.as_deref().or(if options.body.is_none() { sample.event_type } else { None });
    let given = options.body.as_deref().map(read).transpose()?;
    let url = url(options, &config, source);
    let requests = (0..options.n)
        .map(|_| request(source, scheme, &sample, given.as_ref(), event_type))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let refused = block_on(async {
        let (poster, mut refused) = (Poster::new()?, 0);
        for (headers, body) in requests {
            let answer = poster
                .post(&url, &headers, body)
                .await
                .with_context(|| format!("{url} cannot be reached"))?;
            print(&format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)));
            refused += u32::from(!(200..300).contains(&answer.status));
        }
        anyhow::Ok(refused)
    })??;
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn url(options: &Options, config: &Config, source: &Source) -> String {
    options.url.clone().unwrap_or_else(|| format!("http://{}/in/{}", config.server.listen, source.name))
}

fn read(path: &Path) -> anyhow::Result<Bytes> {
    if path == Path::new("-") {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body)?;
        return Ok(body.into());
    }
    Ok(std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?.into())
}

/// One signed request with an id that was never used.
fn request(
    source: &Source,
    scheme: &Scheme,
    sample: &Sample,
    given: Option<&Bytes>,
    event_type: Option<&str>,
) -> anyhow::Result<(Vec<Header>, Bytes)> {
    let id = format!("{:032x}", Random::system().bits());
    let body = given.cloned().unwrap_or_else(|| sample.body(&id, event_type).into());
    let outgoing = Outgoing {
        method: "POST",
        url: source.public_url.as_deref(),
        body: &body,
        id: &id,
        event_type,
        now: Clock::system().now(),
    };
    let mut headers = scheme.sign(&outgoing)?;
    if !headers.iter().any(|header| header.name == "content-type") {
        headers.push(Header { name: "content-type".to_owned(), value: "application/json".to_owned() });
    }
    Ok((headers, body))
}

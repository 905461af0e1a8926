//! `hookloom send`: signs a webhook as its source's provider would, and posts it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use bytes::Bytes;

use super::samples;
use super::{block_on, print, protocol};
use crate::clock::{Clock, Random};
use crate::config::Config;
use crate::deliver::Poster;
use crate::ingest::Source;
use crate::model::Header;
use crate::verify::{Given, Outgoing, Scheme, SignError, preset};

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
            url(options, &config, source).unwrap_or_else(|_| "its URL".to_owned())
        );
    };
    let given = options.body.as_deref().map(read).transpose()?;
    let url = url(options, &config, source)?;
    let order = Order {
        source,
        url: source.public_url.as_deref().unwrap_or(&url),
        scheme,
        event_type: options.event_type.as_deref(),
        body: given.as_ref(),
    };
    let requests = (0..options.n).map(|_| order.request()).collect::<anyhow::Result<Vec<_>>>()?;
    let refused = block_on(async {
        let (poster, mut refused) = (Poster::new()?, 0);
        for Signed { query, headers, body } in requests {
            let url = query.map_or_else(|| url.clone(), |query| with_query(&url, &query));
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

/// Where to, if nobody says so: plain at the gateway's own address. Where it speaks TLS
/// that is not enough, for a certificate is for a name.
fn url(options: &Options, config: &Config, source: &Source) -> anyhow::Result<String> {
    let name = &source.name;
    match &options.url {
        Some(url) => Ok(url.clone()),
        None if config.server.tls.is_none() => {
            Ok(format!("{}://{}/in/{name}", protocol(false), config.server.listen))
        }
        None => source.public_url.clone().with_context(|| {
            let port = config.server.listen.port();
            format!(
                "the gateway speaks TLS, and its certificate is for a name: say --url \
                 {}://NAME:{port}/in/{name}, or configure public_url",
                protocol(true)
            )
        }),
    }
}

fn read(path: &Path) -> anyhow::Result<Bytes> {
    if path == Path::new("-") {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body)?;
        return Ok(body.into());
    }
    Ok(std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?.into())
}

fn with_query(url: &str, query: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}{query}")
}

/// What is to be sent.
struct Order<'a> {
    source: &'a Source,
    /// As the provider knows it, or else where it goes.
    url: &'a str,
    scheme: &'a Scheme,
    event_type: Option<&'a str>,
    /// None: a sample of the provider.
    body: Option<&'a Bytes>,
}

/// A request as it goes out.
struct Signed {
    query: Option<String>,
    headers: Vec<Header>,
    body: Bytes,
}

impl Order<'_> {
    /// A signed request with an id that was never used.
    fn request(&self) -> anyhow::Result<Signed> {
        let id = format!("{:032x}", Random::system().bits());
        let sample = samples::of(self.scheme.name());
        let (samples::Request { mut headers, body }, event_type) = match self.body {
            Some(body) => (of_a_file(body, sample), self.event_type),
            None => {
                let event_type = self.event_type.unwrap_or(sample.event_type);
                (sample.request(self.scheme, &id, event_type), Some(event_type))
            }
        };
        let outgoing = Outgoing {
            method: "POST",
            url: Some(self.url),
            body: &body,
            id: &id,
            event_type,
            now: Clock::system().now(),
        };
        let given = Given { headers: &headers, query: None };
        let made = self.scheme.sign_beside(&outgoing, given).map_err(|error| self.explained(error))?;
        // What the signer says counts: it may have changed what the body is.
        headers.retain(|header| !made.headers.iter().any(|own| own.name == header.name));
        headers.extend(made.headers);
        Ok(Signed { query: made.query, headers, body: made.body.unwrap_or(body).into() })
    }

    /// What to do where nobody but the provider can make a request.
    fn explained(&self, error: SignError) -> anyhow::Error {
        let SignError::PublicKey = error else { return error.into() };
        let provider = preset(self.scheme.name());
        let (title, docs) = provider.map_or(("the sender", String::new()), |preset| {
            (preset.title.as_str(), format!(" ({})", preset.docs))
        });
        anyhow::anyhow!(
            "the source \"{}\" has the public half of a key, and only {title} has the half that signs: \
             nobody else can make such a request. Let {title} send a test event itself{docs}; or, to try \
             routes and plugins, send to a source with the scheme \"none\" on the same route",
            self.source.name
        )
    }
}

/// A body that the user has: what the provider sends, or JSON where it is that.
fn of_a_file(body: &Bytes, sample: &samples::Sample) -> samples::Request {
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    let value = if is_json { samples::JSON } else { sample.content_type };
    let content_type = Header { name: "content-type".to_owned(), value: value.to_owned() };
    samples::Request { headers: vec![content_type], body: body.to_vec() }
}

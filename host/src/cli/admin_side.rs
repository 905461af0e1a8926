//! The admin side of a running gateway, as commands ask it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;
use serde_json::Value;
use url::form_urlencoded;

use crate::config::{Config, Secret, resolve_secret};
use crate::deliver::{Answer, Poster};
use crate::model::Header;

/// Items that are asked for at once.
pub(super) const PAGE: usize = 500;

/// Where the gateway is, and how answers are shown.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The gateway's configuration: where its admin side listens, and the token
    #[arg(short, long, default_value = "hookloom.toml")]
    config: PathBuf,
    /// Where the admin side is; then no configuration is read
    #[arg(long, value_name = "http://HOST:PORT")]
    url: Option<String>,
    /// The environment variable that holds the admin token
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}

/// Things of the gateway, by their ids.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Their ids; - reads them from stdin
    #[arg(required = true)]
    pub(super) ids: Vec<String>,
    #[command(flatten)]
    pub(super) admin: Options,
}

/// A client of the admin API.
pub(super) struct AdminSide {
    poster: Poster,
    /// Without a slash at its end.
    base: String,
    headers: Vec<Header>,
}

/// What the gateway would not do, in its words.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(super) struct Refused {
    /// HTTP status.
    pub(super) status: u16,
    why: String,
}

impl AdminSide {
    pub(super) fn open(options: &Options) -> anyhow::Result<Self> {
        let (base, mut token) = match &options.url {
            Some(url) => (url.trim_end_matches('/').to_owned(), None),
            None => {
                let server = Config::load_server(&options.config)?;
                (base(server.admin_listen)?, server.admin_token)
            }
        };
        if let Some(name) = &options.token_env {
            let secret = resolve_secret(&format!("env:{name}"), &PathBuf::new());
            token = Some(secret.map_err(anyhow::Error::msg)?.0);
        }
        let bearer = |token: Secret| Header {
            name: "authorization".into(),
            value: format!("Bearer {}", token.expose()),
        };
        Ok(Self { poster: Poster::new()?, base, headers: token.map(bearer).into_iter().collect() })
    }

    /// `GET /api/v1/{path}` with those of the query's pairs that have a value.
    pub(super) async fn get(&self, path: &str, query: &[(&str, Option<&str>)]) -> anyhow::Result<Value> {
        let pairs = query.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let url = format!("{}/api/v1/{path}?{query}", self.base);
        self.ask(Method::GET, url.trim_end_matches('?'), Bytes::new()).await
    }

    /// `POST /api/v1/{path}`.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}/api/v1/{path}", self.base);
        self.ask(Method::POST, &url, body.to_string().into()).await
    }

    /// Hands up to `limit` items of a list to `take`, page after page.
    pub(super) async fn each(
        &self,
        path: &str,
        filter: &[(&str, Option<&str>)],
        limit: usize,
        mut take: impl FnMut(&Value),
    ) -> anyhow::Result<()> {
        let (mut left, mut cursor) = (limit, None::<String>);
        while left > 0 {
            let page = left.min(PAGE).to_string();
            let mut query = filter.to_vec();
            query.extend([("limit", Some(page.as_str())), ("cursor", cursor.as_deref())]);
            let answer = self.get(path, &query).await?;
            let items = answer["items"].as_array().map_or(&[][..], Vec::as_slice);
            items.iter().for_each(&mut take);
            left = left.saturating_sub(items.len());
            match answer["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        Ok(())
    }

    async fn ask(&self, method: Method, url: &str, body: Bytes) -> anyhow::Result<Value> {
        let Answer { status, body } =
            self.poster.send(method, url, &self.headers, body).await.with_context(|| {
                format!("no gateway answers at {} (is `hookloom serve` running there?)", self.base)
            })?;
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        match answer {
            Some(answer) if (200..300).contains(&status) => Ok(answer),
            Some(answer) if answer["error"].is_string() => {
                let said = answer["error"].as_str().unwrap_or_default();
                let help = if status == 401 { "; --token-env names the variable that holds it" } else { "" };
                Err(Refused { status, why: format!("{said}{help}") }.into())
            }
            _ => anyhow::bail!("{} answered {status}, and not as the admin side of a gateway", self.base),
        }
    }
}

/// A part of a path: what people write as an id must not become another path.
pub(super) fn segment(text: &str) -> String {
    // What a form writes as a plus is a space in a path only as %20.
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn base(listen: SocketAddr) -> anyhow::Result<String> {
    anyhow::ensure!(
        listen.port() != 0,
        "server.admin_listen has no fixed port; say where the gateway is with --url"
    );
    let ip = match listen.ip() {
        // Everywhere is also here.
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    Ok(format!("http://{}", SocketAddr::new(ip, listen.port())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_here() {
        let of = |listen: &str| base(listen.parse().unwrap()).ok();
        assert_eq!(of("0.0.0.0:8081").as_deref(), Some("http://127.0.0.1:8081"));
        assert_eq!(of("[::]:8081").as_deref(), Some("http://[::1]:8081"));
        assert_eq!(of("10.1.2.3:1").as_deref(), Some("http://10.1.2.3:1"));
        assert_eq!(of("127.0.0.1:0"), None);
    }

    #[test]
    fn an_id_stays_one_part_of_a_path() {
        assert_eq!(segment("evt_1"), "evt_1");
        assert_eq!(segment("../a b?c#d"), "..%2Fa%20b%3Fc%23d");
    }
}

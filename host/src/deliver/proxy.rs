//! An outbound proxy, asked by CONNECT for addresses that were judged here.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

/// Of a proxy's answer, so much is read.
const MAX_HEAD_BYTES: usize = 8 * 1024;

/// A proxy that opens tunnels (`CONNECT`). It never shows its credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    host: String,
    port: u16,
    /// What `proxy-authorization` says.
    authorization: Option<String>,
}

/// Why a text names no proxy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyConfigError {
    /// Not `http://HOST:PORT`.
    #[error("this is not the url of a proxy")]
    Url,
    /// It would be shown wherever the URL is.
    #[error("the proxy's url holds a user or a password")]
    Userinfo,
    /// Not `user:password`.
    #[error("the proxy's credentials are not of the form user:password")]
    Credentials,
}

/// Why a proxy opened no tunnel.
#[derive(Debug, thiserror::Error)]
pub(super) enum TunnelError {
    /// It is not there.
    #[error("cannot reach the proxy {0}: {1}")]
    Unreachable(String, #[source] io::Error),
    /// It said no.
    #[error("the proxy {proxy} answered {status} to CONNECT {target}{hint}")]
    Refused { proxy: String, status: String, target: SocketAddr, hint: &'static str },
    /// It is no proxy.
    #[error("the proxy {0} did not answer as one")]
    NotHttp(String),
}

impl Proxy {
    /// `http://proxy.internal:3128`; `credentials` are `user:password`.
    pub fn new(url: &str, credentials: Option<&str>) -> Result<Self, ProxyConfigError> {
        // The text is not repeated: it may hold a password in an unexpected place.
        let parsed = Url::parse(url).map_err(|_| ProxyConfigError::Url)?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(ProxyConfigError::Userinfo);
        }
        let plain = parsed.path() == "/" && parsed.query().is_none() && parsed.fragment().is_none();
        let (Some(host), Some(port), "http", true) =
            (parsed.host_str(), parsed.port_or_known_default(), parsed.scheme(), plain)
        else {
            return Err(ProxyConfigError::Url);
        };
        let authorization = match credentials {
            None => None,
            Some(pair) if pair.contains(':') && !pair.contains(char::is_control) => {
                Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
            }
            Some(_) => return Err(ProxyConfigError::Credentials),
        };
        Ok(Self { host: host.to_owned(), port, authorization })
    }

    /// Its name or address, as a URI writes it.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// What goes wrong before it answers.
    pub(super) fn unreachable(&self, error: io::Error) -> TunnelError {
        TunnelError::Unreachable(self.to_string(), error)
    }

    /// Asks for `target` on a fresh connection to the proxy, which is the tunnel then.
    pub(super) async fn tunnel(
        &self,
        mut stream: TcpStream,
        target: SocketAddr,
    ) -> Result<TcpStream, TunnelError> {
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n");
        if let Some(value) = &self.authorization {
            request.push_str("proxy-authorization: ");
            request.push_str(value);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await.map_err(|error| self.unreachable(error))?;
        let head = read_head(&mut stream).await.map_err(|error| self.unreachable(error))?;
        let status =
            head.as_deref().and_then(status).ok_or_else(|| TunnelError::NotHttp(self.to_string()))?;
        match status.as_bytes() {
            [b'2', ..] => Ok(stream),
            _ => Err(TunnelError::Refused {
                proxy: self.to_string(),
                hint: if status.starts_with("407") { "; see proxy_auth" } else { "" },
                status,
                target,
            }),
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The head of the answer, or `None` where what comes is too long for one, ends early,
/// or goes on behind it: the other side of a tunnel does not speak first.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::with_capacity(512);
    while head.len() < MAX_HEAD_BYTES {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            // A refusal may have a body; it is not read.
            let opened = head.get(9) == Some(&b'2');
            let alone = head.len() == end + 4 || !opened;
            return Ok(alone.then(|| String::from_utf8_lossy(&head[..end]).into_owned()));
        }
    }
    Ok(None)
}

/// `407 Proxy Authentication Required`, of an answer's first line.
fn status(head: &str) -> Option<String> {
    let line = head.lines().next()?;
    let (version, status) = line.split_once(' ')?;
    let code = status.get(..3)?;
    let valid = version.starts_with("HTTP/1.") && code.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| status.trim_end().chars().filter(|c| !c.is_control()).take(80).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_plain_address_and_shows_no_password() {
        let proxy = Proxy::new("http://proxy.internal:3128", Some("u:hunter2")).unwrap();
        assert_eq!((proxy.host(), proxy.port()), ("proxy.internal", 3128));
        assert_eq!(format!("{proxy:?}"), "proxy.internal:3128");
        assert_eq!(Proxy::new("http://[::1]:3128/", None).unwrap().host(), "[::1]");
        assert_eq!(Proxy::new("http://p", None).unwrap().port(), 80);
        for url in
            ["proxy:3128", "https://p:1", "socks5://p:1", "http://p:1/x", "http://p:1/?a", "http://", ""]
        {
            assert_eq!(Proxy::new(url, None), Err(ProxyConfigError::Url), "{url}");
        }
        assert_eq!(Proxy::new("http://u:p@p:1", None), Err(ProxyConfigError::Userinfo));
        for credentials in ["", "user", "u:p\r\nx: y"] {
            let refused = Proxy::new("http://p:1", Some(credentials));
            assert_eq!(refused, Err(ProxyConfigError::Credentials), "{credentials:?}");
        }
    }

    #[test]
    fn an_answers_first_line() {
        let table = [
            ("HTTP/1.1 200 Connection established\r\nvia: x", Some("200 Connection established")),
            ("HTTP/1.0 200", Some("200")),
            ("HTTP/1.1 407 Proxy \u{1b}Auth", Some("407 Proxy Auth")),
            ("HTTP/1.1 20", None),
            ("HTTP/1.1 abc", None),
            ("HTTP/2 200", None),
            ("SSH-2.0-x", None),
            ("", None),
        ];
        for (head, expected) in table {
            assert_eq!(status(head).as_deref(), expected, "{head}");
        }
    }
}

//! Raw bytes at the front door of a gateway in this process.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hookloom::clock::Random;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::{below, one_of, scratch};
use crate::gateway::Gateway;
use crate::sender::{SECRET, borrowed, github};

/// Longest that it may take until an answer has come, or the connection has ended.
const LONGEST: Duration = Duration::from_secs(30);

/// A gateway, and what is needed to knock.
pub(super) struct FrontDoor {
    runtime: Runtime,
    gateway: Gateway,
}

/// Panics of this process, in any task.
static PANICS: AtomicU64 = AtomicU64::new(0);
static COUNTED: Once = Once::new();

impl FrontDoor {
    pub(super) fn open() -> Self {
        COUNTED.call_once(|| {
            let told = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                PANICS.fetch_add(1, Ordering::Relaxed);
                told(info);
            }));
        });
        let runtime = Runtime::new().expect("a runtime");
        let sources: String = ["github", "stripe", "slack"]
            .map(|name| format!("[sources.{name}]\nscheme = \"{name}\"\nsecrets = [\"{SECRET}\"]\n"))
            .concat();
        let gateway = runtime.block_on(Gateway::start(&sources));
        Self { runtime, gateway }
    }

    /// Writes those bytes to a connection of their own; what came of it. Afterwards the
    /// gateway must take a good request.
    pub(super) fn knock(&self, raw: &[u8]) -> String {
        let before = PANICS.load(Ordering::Relaxed);
        let answer = self.runtime.block_on(async {
            let answer = tokio::time::timeout(LONGEST, exchange(&self.gateway, raw)).await;
            let headers = github("push", b"{}");
            let good = self.gateway.post("github", &borrowed(&headers), "{}").await;
            assert_eq!(good.status, 200, "a good request is refused: {}", good.body);
            answer
        });
        assert_eq!(PANICS.load(Ordering::Relaxed), before, "a task of the gateway panicked");
        let answer = answer.expect("the front door answers or closes");
        let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
        format!("door: {}", String::from_utf8_lossy(line))
    }
}

async fn exchange(gateway: &Gateway, raw: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    if let Ok(mut connection) = TcpStream::connect(gateway.listen()).await {
        // It may close before it has read all of it.
        let _ = connection.write_all(raw).await;
        let _ = connection.shutdown().await;
        let _ = connection.read_to_end(&mut answer).await;
    }
    answer
}

/// A request of a provider as bytes, changed in a few places.
pub(super) fn raw(random: &Random) -> Vec<u8> {
    let body = one_of(random, &["{}", "a=1", r#"{"id":"evt_1","type":"a.b"}"#]);
    let mut head = format!(
        "POST /in/{} HTTP/1.1\r\nhost: h\r\n",
        one_of(random, &["github", "stripe", "slack", "none"])
    );
    for (name, value) in github("push", body.as_bytes()) {
        head.extend([name.as_str(), ": ", &value, "\r\n"]);
    }
    head += match below(random, 3) {
        0 => "transfer-encoding: chunked\r\n",
        1 => "content-length: 2\r\n",
        _ => "connection: close\r\n",
    };
    let mut bytes = format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes();
    for _ in 0..below(random, 6) {
        scratch(&mut bytes, random);
    }
    bytes
}

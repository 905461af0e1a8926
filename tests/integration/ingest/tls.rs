//! TLS of the gateway's own: who is served, and certificates that change meanwhile.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use hookloom_testkit::certs::{Authority, Pair};
use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::raw::Raw;
use hookloom_testkit::wait::eventually;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{github_source, rows, wire_request};

const TLS: &str = "tls_cert = \"chain.pem\"\ntls_key = \"key.pem\"\n";

struct Client {
    config: ClientConfig,
}

impl Client {
    fn trusting(authority: &Authority, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        Self { config: config.with_root_certificates(roots).with_no_client_auth() }
    }

    fn offering(mut self, protocols: &[&str]) -> Self {
        self.config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    async fn connect(&self, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("hooks.test").unwrap();
        TlsConnector::from(Arc::new(self.config.clone())).connect(name, stream).await
    }
}

/// Posts on a connection; the status.
async fn post(stream: &mut TlsStream<TcpStream>) -> u16 {
    stream.write_all(&wire_request(b"{}")).await.unwrap();
    let mut said = Vec::new();
    while !said.ends_with(b"}") {
        assert_ne!(stream.read_buf(&mut said).await.unwrap(), 0, "the connection ended");
    }
    String::from_utf8_lossy(&said)[9..12].parse().unwrap()
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

fn put(gateway: &Gateway, pair: &Pair) {
    for (name, text) in [("chain.pem", &pair.cert), ("key.pem", &pair.key)] {
        fs::write(gateway.path(".new"), text).unwrap();
        fs::rename(gateway.path(".new"), gateway.path(name)).unwrap();
    }
}

fn certificate(pair: &Pair) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pair.cert.as_bytes()).unwrap()
}

#[tokio::test]
async fn https_is_served_and_nothing_else() {
    let authority = Authority::new();
    let mut gateway = Gateway::new(&format!("{TLS}{}", github_source("")));
    put(&gateway, &authority.server("hooks.test"));
    gateway.run_here().await;
    for version in [&TLS12, &TLS13] {
        let client = Client::trusting(&authority, &[version]).offering(&["h2", "http/1.1"]);
        let mut stream = client.connect(gateway.listen()).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!([post(&mut stream).await, post(&mut stream).await], [200, 200]);
    }
    let only_http2 = Client::trusting(&authority, &[&TLS13]).offering(&["h2"]);
    assert!(only_http2.connect(gateway.listen()).await.is_err());

    let mut plain = Raw::connect(gateway.listen()).await;
    plain.send(wire_request(b"{}")).await;
    let said = plain.closed().await;
    // An alert at most, and no HTTP.
    assert!(said.len() < 16 && !said.starts_with(b"HTTP"), "{said:?}");
    // TLS 1.1: a record of 3.2 that offers 3.2.
    let mut old = Raw::connect(gateway.listen()).await;
    let hello =
        [[0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2].as_slice(), &[7; 32], &[0, 0, 2, 0, 0x2f, 1, 0]].concat();
    old.send(hello).await;
    let said = old.closed().await;
    assert_eq!(said.first(), Some(&0x15), "{said:?}");
    assert_eq!(gateway.get("/readyz").await.status, 200, "the admin side stays plain");
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_for_new_connections_and_old_ones_go_on() {
    let authority = Authority::new();
    let (first, second, third) =
        (authority.server("hooks.test"), authority.server("hooks.test"), authority.server("hooks.test"));
    let mut gateway = Gateway::new(&format!("{TLS}{}", github_source("")));
    put(&gateway, &first);
    gateway.run_process(env!("CARGO_BIN_EXE_hookloom"));
    let client = Client::trusting(&authority, &[&TLS13]);
    let mut old = client.connect(gateway.listen()).await.unwrap();
    assert_eq!((post(&mut old).await, shown(&old)), (200, certificate(&first)));
    let listen = gateway.listen();
    let shows = async |pair: &Pair| {
        eventually("the new certificate is shown", async || {
            let found = shown(&client.connect(listen).await.unwrap());
            if found == certificate(pair) { Ok(()) } else { Err("another one".to_owned()) }
        })
        .await;
    };
    put(&gateway, &second);
    shows(&second).await;
    assert_eq!(post(&mut old).await, 200);

    // A key that is not its own: refused by a reload, and by whoever looks at the files.
    fs::write(gateway.path("key.pem"), &third.key).unwrap();
    gateway.hang_up();
    let refused = "hookloom_reloads_total{what=\"config\",outcome=\"refused\"}";
    eventually("the reload is refused", async || {
        let count = gateway.count(refused).await;
        if count == 1 { Ok(()) } else { Err(count.to_string()) }
    })
    .await;
    shows(&second).await;
    assert_eq!(gateway.get("/readyz").await.status, 200);
    put(&gateway, &third);
    gateway.hang_up();
    shows(&third).await;
    assert_eq!(post(&mut old).await, 200);
    drop(old);
    assert!(gateway.terminate().success());
}

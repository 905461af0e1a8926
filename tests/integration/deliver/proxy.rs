//! Destinations behind an outbound proxy, which is asked for addresses that were judged.

use hookloom::clock::Clock;
use hookloom::deliver::{Destination, Egress, EgressPolicy, Proxy as Way, ProxyChoice, Reach, TlsSettings};
use hookloom::model::{AttemptError, DeliveryState, Outcome};
use hookloom_testkit::certs::Authority;
use hookloom_testkit::dns::Dns;
use hookloom_testkit::proxy::{Asked, Proxy, Tunnel};
use hookloom_testkit::receiver::Receiver;
use hookloom_testkit::tls_receiver::{TlsOptions, TlsReceiver};

use super::rig::{Rig, destination, loopback};

const NAME: &str = "hooks.test";
const PUBLIC: &str = "93.184.215.14";

/// Through this proxy, with a name that resolves to a public address.
async fn through(proxy: &Proxy, credentials: Option<&str>) -> (Dns, Egress) {
    let dns = Dns::start([(NAME, vec![vec![PUBLIC.parse().unwrap()]])]).await;
    let way = Way::new(&proxy.url(), credentials).unwrap();
    let egress = Egress { policy: EgressPolicy::default(), resolvers: vec![dns.address()], proxy: Some(way) };
    (dns, egress)
}

#[tokio::test]
async fn tls_is_by_name_over_a_tunnel_that_is_by_address() {
    let authority = Authority::new();
    let options = TlsOptions { pair: authority.server(NAME), alpn: vec!["h2"], client_authority: None };
    let receiver = TlsReceiver::start(options, []).await;
    let proxy = Proxy::start(Tunnel::To(receiver.address())).await;
    let (_dns, egress) = through(&proxy, Some("user:pass word")).await;
    let mut tls = TlsSettings::default();
    tls.trust_only(authority.pem().as_bytes()).unwrap();
    let reach = Reach { tls, ..Reach::default() };
    let target = Destination { reach, ..destination("d", &format!("https://{NAME}/hooks"), &[]) };
    let rig = Rig::start_at(Clock::system(), vec![target], egress);
    for _ in 0..3 {
        let id = rig.put("d", 1).await.remove(0);
        let attempts = rig.ended(&id, DeliveryState::Delivered).await;
        assert_eq!(attempts[0].address.unwrap().to_string(), format!("{PUBLIC}:443"));
    }
    // One tunnel carries all of them.
    let asked = Asked {
        line: format!("CONNECT {PUBLIC}:443 HTTP/1.1"),
        authorization: Some("Basic dXNlcjpwYXNzIHdvcmQ=".into()),
    };
    assert_eq!(proxy.asked(), [asked]);
    let request = &receiver.seen()[0];
    assert_eq!((request.host.as_str(), request.server_name.as_deref()), (NAME, Some(NAME)));
    assert_eq!(request.version, http::Version::HTTP_2);
}

#[tokio::test]
async fn plain_http_goes_through_a_tunnel_too() {
    let receiver = Receiver::start([]).await;
    let proxy = Proxy::start(Tunnel::To(receiver.address())).await;
    let (_dns, egress) = through(&proxy, None).await;
    let rig = Rig::start_at(
        Clock::system(),
        vec![destination("d", &format!("http://{NAME}:8080/hooks"), &[])],
        egress,
    );
    let id = rig.put("d", 1).await.remove(0);
    rig.ended(&id, DeliveryState::Delivered).await;
    let asked = Asked { line: format!("CONNECT {PUBLIC}:8080 HTTP/1.1"), authorization: None };
    assert_eq!(proxy.asked(), [asked]);
    let request = &receiver.requests(1).await[0];
    assert_eq!(request.line, "POST /hooks HTTP/1.1");
    assert_eq!(request.header("host"), Some("hooks.test:8080"));
    assert_eq!(request.header("proxy-authorization"), None);
}

#[tokio::test]
async fn a_destination_goes_its_own_way() {
    let receiver = Receiver::start([]).await;
    let (all, own) =
        (Proxy::start(Tunnel::Says("")).await, Proxy::start(Tunnel::To(receiver.address())).await);
    let egress = Egress { proxy: Some(Way::new(&all.url(), None).unwrap()), ..loopback().into() };
    let choosing = |name: &str, proxy: ProxyChoice| {
        let reach = Reach { proxy, ..Reach::default() };
        Destination { reach, ..destination(name, &receiver.url(), &[]) }
    };
    let through = ProxyChoice::Through(Way::new(&own.url(), None).unwrap());
    let targets = vec![choosing("direct", ProxyChoice::Direct), choosing("own", through)];
    let rig = Rig::start_at(Clock::system(), targets, egress);
    for name in ["direct", "own"] {
        let id = rig.put(name, 1).await.remove(0);
        rig.ended(&id, DeliveryState::Delivered).await;
    }
    assert_eq!((all.asked().len(), own.asked().len()), (0, 1));
}

#[tokio::test]
async fn a_proxy_that_says_no_is_a_connection_that_failed() {
    let table = [
        ("HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n", "answered 407"),
        ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 4\r\n\r\nno!\n", "answered 502 Bad Gateway to CONNECT"),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "answered 403"),
        ("HTTP/1.1 200 OK\r\n\r\nand more", "did not answer as one"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "did not answer as one"),
        ("", "did not answer as one"),
    ];
    for (says, why) in table {
        let proxy = Proxy::start(Tunnel::Says(says)).await;
        let (_dns, egress) = through(&proxy, None).await;
        let target = destination("d", &format!("https://{NAME}/"), &[]);
        let rig = Rig::start_at(Clock::system(), vec![target], egress);
        let id = rig.put("d", 1).await.remove(0);
        let attempts = rig.ended(&id, DeliveryState::Dead).await;
        match &attempts[0].outcome {
            Outcome::Error { kind: AttemptError::Connect, detail } => {
                assert!(detail.contains(why), "{says:?}: {detail}");
            }
            other => panic!("{says:?}: {other:?}"),
        }
        assert_eq!(attempts[0].address, None);
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let egress =
        Egress { proxy: Some(Way::new(&format!("http://{closed}"), None).unwrap()), ..loopback().into() };
    let rig = Rig::start_at(Clock::system(), vec![destination("d", "http://127.0.0.1/", &[])], egress);
    let id = rig.put("d", 1).await.remove(0);
    let attempts = rig.ended(&id, DeliveryState::Dead).await;
    match &attempts[0].outcome {
        Outcome::Error { kind: AttemptError::Connect, detail } => {
            assert!(detail.contains(&format!("cannot reach the proxy {closed}")), "{detail}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_proxy_that_says_nothing_is_a_timeout() {
    let proxy = Proxy::start(Tunnel::Silence).await;
    let (_dns, egress) = through(&proxy, None).await;
    let timeout = std::time::Duration::from_millis(200);
    let target = Destination { timeout, ..destination("d", &format!("http://{NAME}/"), &[]) };
    let rig = Rig::start_at(Clock::system(), vec![target], egress);
    let id = rig.put("d", 1).await.remove(0);
    let attempts = rig.ended(&id, DeliveryState::Dead).await;
    assert!(matches!(&attempts[0].outcome, Outcome::Error { kind: AttemptError::Timeout, .. }));
}

//! Destinations behind TLS: certificates, HTTP/2, connections that end.

use hookloom::clock::Clock;
use hookloom::deliver::{Destination, Egress, Reach, TlsSettings};
use hookloom::model::{Attempt, AttemptError, DeliveryState, Outcome};
use hookloom_testkit::certs::{Authority, Pair};
use hookloom_testkit::dns::Dns;
use hookloom_testkit::receiver::Receiver;
use hookloom_testkit::tls_receiver::{TlsAnswer, TlsOptions, TlsReceiver, TlsRequest};

use super::rig::{Rig, destination, loopback};

const NAME: &str = "hooks.test";
const BOTH: [&str; 2] = ["h2", "http/1.1"];

/// Everything resolves to loopback here.
async fn resolving() -> (Dns, Egress) {
    let here = vec![vec!["127.0.0.1".parse().unwrap()]];
    let dns = Dns::start([(NAME, here.clone()), ("other.test", here)]).await;
    let egress = Egress { resolvers: vec![dns.address()], ..loopback().into() };
    (dns, egress)
}

async fn receiver(pair: Pair, alpn: &[&'static str], script: &[TlsAnswer]) -> TlsReceiver {
    let options = TlsOptions { pair, alpn: alpn.to_vec(), client_authority: None };
    TlsReceiver::start(options, script.to_vec()).await
}

fn trusting(authority: &Authority) -> TlsSettings {
    let mut tls = TlsSettings::default();
    tls.trust_only(authority.pem().as_bytes()).unwrap();
    tls
}

fn to(receiver: &TlsReceiver, host: &str, tls: TlsSettings, delays_ms: &[u64]) -> Destination {
    let reach = Reach { tls, ..Reach::default() };
    Destination { reach, ..destination("d", &receiver.url(host), delays_ms) }
}

/// One delivery, and its attempts once it has ended.
async fn delivered(destination: Destination, egress: &Egress) -> (DeliveryState, Vec<Attempt>) {
    let rig = Rig::start_at(Clock::system(), vec![destination], egress.clone());
    let id = rig.put("d", 1).await.remove(0);
    let (record, attempts) = rig.final_state(&id).await;
    (record.state, attempts)
}

fn error(attempt: &Attempt) -> (AttemptError, &str) {
    match &attempt.outcome {
        Outcome::Error { kind, detail } => (*kind, detail),
        other @ Outcome::Status(_) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn many_deliveries_share_one_http2_connection() {
    let (authority, (_dns, egress)) = (Authority::new(), resolving().await);
    let receiver = receiver(authority.server(NAME), &BOTH, &[TlsAnswer::Status(200)]).await;
    let target = to(&receiver, NAME, trusting(&authority), &[]);
    let rig = Rig::start_at(Clock::system(), vec![target], egress);
    let first = rig.put("d", 1).await.remove(0);
    let attempts = rig.ended(&first, DeliveryState::Delivered).await;
    assert_eq!(attempts[0].address, Some(receiver.address()));
    for id in rig.put("d", 40).await {
        rig.ended(&id, DeliveryState::Delivered).await;
    }
    let requests = receiver.seen();
    assert_eq!(requests.len(), 41);
    for TlsRequest { connection, version, host, server_name, .. } in requests {
        assert_eq!((connection, version), (0, http::Version::HTTP_2));
        assert_eq!(host, format!("{NAME}:{}", receiver.address().port()));
        assert_eq!(server_name.as_deref(), Some(NAME));
    }
}

#[tokio::test]
async fn a_burst_that_finds_no_connection_settles_on_one() {
    let (authority, (_dns, egress)) = (Authority::new(), resolving().await);
    let receiver = receiver(authority.server(NAME), &BOTH, &[]).await;
    let target = to(&receiver, NAME, trusting(&authority), &[]);
    let rig = Rig::start_at(Clock::system(), vec![target], egress);
    // Each of the sixteen may dial; none of them fails for it.
    for id in rig.put("d", 16).await {
        rig.ended(&id, DeliveryState::Delivered).await;
    }
    for id in rig.put("d", 16).await {
        rig.ended(&id, DeliveryState::Delivered).await;
    }
    let requests = receiver.seen();
    let settled = requests[16].connection;
    assert!(requests[16..].iter().all(|request| request.connection == settled), "{requests:?}");
}

#[tokio::test]
async fn http2_requests_wait_side_by_side_on_one_connection() {
    let (authority, (_dns, egress)) = (Authority::new(), resolving().await);
    let script = [&[TlsAnswer::Status(200)][..], &[TlsAnswer::Held(200); 8]].concat();
    let receiver = receiver(authority.server(NAME), &BOTH, &script).await;
    let target = Destination { concurrency: 8, ..to(&receiver, NAME, trusting(&authority), &[]) };
    let rig = Rig::start_at(Clock::system(), vec![target], egress);
    let first = rig.put("d", 1).await.remove(0);
    rig.ended(&first, DeliveryState::Delivered).await;
    let ids = rig.put("d", 8).await;
    // All eight are there before one is answered.
    let requests = receiver.requests(9).await;
    assert!(requests.iter().all(|request| request.connection == 0), "{requests:?}");
    receiver.open();
    for id in ids {
        rig.ended(&id, DeliveryState::Delivered).await;
    }
}

#[tokio::test]
async fn servers_without_http2_get_what_they_speak() {
    let (authority, (_dns, egress)) = (Authority::new(), resolving().await);
    for alpn in [&["http/1.1"][..], &[]] {
        let receiver = receiver(authority.server(NAME), alpn, &[]).await;
        let (state, _) = delivered(to(&receiver, NAME, trusting(&authority), &[]), &egress).await;
        assert_eq!(state, DeliveryState::Delivered);
        assert_eq!(receiver.seen()[0].version, http::Version::HTTP_11);
    }
}

#[tokio::test]
async fn a_connection_that_ends_is_a_retry_of_the_same_message() {
    let (authority, (_dns, egress)) = (Authority::new(), resolving().await);
    let table = [(BOTH.as_slice(), TlsAnswer::Cut), (&["http/1.1"], TlsAnswer::Cut)];
    for (alpn, answer) in table {
        let receiver = receiver(authority.server(NAME), alpn, &[answer]).await;
        let (state, attempts) = delivered(to(&receiver, NAME, trusting(&authority), &[1]), &egress).await;
        assert_eq!(state, DeliveryState::Delivered);
        assert_eq!(error(&attempts[0]).0, AttemptError::Reset, "{attempts:?}");
        assert_eq!(attempts[1].outcome, Outcome::Status(200));
        let requests = receiver.seen();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].webhook_id, requests[1].webhook_id);
        assert_ne!(requests[0].connection, requests[1].connection);
    }
}

#[tokio::test]
async fn a_server_that_goes_away_is_tried_again() {
    let (authority, (_dns, egress)) = (Authority::new(), resolving().await);
    let receiver = receiver(authority.server(NAME), &["h2"], &[TlsAnswer::GoAway]).await;
    let (state, attempts) = delivered(to(&receiver, NAME, trusting(&authority), &[1, 1]), &egress).await;
    assert_eq!(state, DeliveryState::Delivered);
    assert_eq!(error(&attempts[0]).0, AttemptError::Reset, "{attempts:?}");
    let requests = receiver.seen();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].connection, attempts.len() - 1);
}

#[tokio::test]
async fn a_head_that_is_too_large_has_its_name_over_http2_too() {
    let (authority, (_dns, egress)) = (Authority::new(), resolving().await);
    for bytes in [256 << 10, 1 << 20] {
        let receiver = receiver(authority.server(NAME), &["h2"], &[TlsAnswer::BigHead(200, bytes)]).await;
        let (state, attempts) = delivered(to(&receiver, NAME, trusting(&authority), &[1]), &egress).await;
        assert_eq!(state, DeliveryState::Delivered);
        assert_eq!(error(&attempts[0]).0, AttemptError::TooLarge, "{bytes}: {attempts:?}");
    }
}

#[tokio::test]
async fn certificates_that_prove_nothing_are_tls_errors_that_say_why() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (_dns, egress) = resolving().await;
    let table = [
        (theirs.server(NAME), trusting(&ours), NAME, "UnknownIssuer"),
        (ours.server(NAME), TlsSettings::default(), NAME, "UnknownIssuer"),
        (ours.server(NAME), trusting(&ours), "other.test", "not valid for name"),
        (ours.server(NAME), trusting(&ours), "127.0.0.1", "not valid for name"),
        (ours.expired(NAME), trusting(&ours), NAME, "expired"),
    ];
    for (pair, tls, host, why) in table {
        let receiver = receiver(pair, &BOTH, &[]).await;
        let (state, attempts) = delivered(to(&receiver, host, tls, &[]), &egress).await;
        assert_eq!(state, DeliveryState::Dead, "{why}");
        let (kind, detail) = error(&attempts[0]);
        assert_eq!(kind, AttemptError::Tls, "{detail}");
        assert!(detail.contains(why), "{detail} does not say {why}");
        assert_eq!(receiver.seen(), []);
    }
}

#[tokio::test]
async fn a_certificate_for_an_address_is_one() {
    let authority = Authority::new();
    let receiver = receiver(authority.server("127.0.0.1"), &BOTH, &[]).await;
    let target = to(&receiver, "127.0.0.1", trusting(&authority), &[]);
    let (state, _) = delivered(target, &loopback().into()).await;
    assert_eq!(state, DeliveryState::Delivered);
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_gets_the_configured_one() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (_dns, egress) = resolving().await;
    let identified = |pair: &Pair| {
        let mut tls = trusting(&ours);
        tls.identify(pair.cert.as_bytes(), pair.key.as_bytes()).unwrap();
        tls
    };
    let table = [
        (identified(&ours.client()), None),
        (trusting(&ours), Some("CertificateRequired")),
        (identified(&theirs.client()), Some("UnknownCA")),
    ];
    for alpn in [&["h2"][..], &["http/1.1"]] {
        for (tls, refused) in &table {
            let options = TlsOptions {
                pair: ours.server(NAME),
                alpn: alpn.to_vec(),
                client_authority: Some(ours.pem()),
            };
            let receiver = TlsReceiver::start(options, []).await;
            let (state, attempts) = delivered(to(&receiver, NAME, tls.clone(), &[]), &egress).await;
            match refused {
                None => {
                    assert_eq!(state, DeliveryState::Delivered);
                    assert!(receiver.seen()[0].identified);
                }
                Some(why) => {
                    let (kind, detail) = error(&attempts[0]);
                    assert_eq!(kind, AttemptError::Tls, "{alpn:?} {why}: {detail}");
                    assert!(detail.contains(why), "{alpn:?}: {detail} does not say {why}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_does_not_speak_tls_is_a_tls_error() {
    let plain = Receiver::start([]).await;
    let url = plain.url().replace("http:", "https:");
    let (state, attempts) = delivered(destination("d", &url, &[]), &loopback().into()).await;
    assert_eq!(state, DeliveryState::Dead);
    assert_eq!(error(&attempts[0]).0, AttemptError::Tls);
}

#[tokio::test]
async fn connections_outlive_a_reload_and_not_another_certificate() {
    let (authority, (_dns, egress)) = (Authority::new(), resolving().await);
    let receiver = receiver(authority.server(NAME), &BOTH, &[]).await;
    let trusting = trusting(&authority);
    let mut identified = trusting.clone();
    let client = authority.client();
    identified.identify(client.cert.as_bytes(), client.key.as_bytes()).unwrap();
    let rig =
        Rig::start_at(Clock::system(), vec![to(&receiver, NAME, trusting.clone(), &[])], egress.clone());
    for tls in [trusting.clone(), trusting, identified] {
        let next =
            rig.targets.borrow().replaced(vec![to(&receiver, NAME, tls, &[])], egress.clone()).unwrap();
        rig.targets.send_replace(std::sync::Arc::new(next));
        let id = rig.put("d", 1).await.remove(0);
        rig.ended(&id, DeliveryState::Delivered).await;
    }
    let connections: Vec<_> = receiver.seen().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 0, 1]);
}

//! DNS answers that change between two queries, and that mix what may be dialled with
//! what may not.

use std::net::{IpAddr, SocketAddr};

use hookloom::clock::Clock;
use hookloom::deliver::{Egress, EgressPolicy};
use hookloom::model::{AttemptError, DeliveryState, Outcome};
use hookloom_testkit::dns::{Dns, Rounds};
use hookloom_testkit::proxy::{Proxy, Tunnel};
use hookloom_testkit::receiver::{Answer, Receiver};

use super::rig::{Rig, destination};

const NAME: &str = "hooks.test";

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A receiver at 127.0.0.2, which the policy opens, and one at 127.0.0.1 with the same
/// port, which it does not.
async fn open_and_forbidden() -> (Receiver, Receiver) {
    loop {
        let open = Receiver::start_at(([127, 0, 0, 2], 0).into(), [], Answer::Status(200)).await;
        let port = open.address().port();
        // Somebody else may have that port on the other address.
        let free = std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        if free {
            let at = SocketAddr::from(([127, 0, 0, 1], port));
            return (open, Receiver::start_at(at, [], Answer::Status(200)).await);
        }
    }
}

async fn dns(rounds: Rounds) -> (Dns, Egress) {
    let dns = Dns::start([(NAME, rounds)]).await;
    let policy = EgressPolicy { allow: vec!["127.0.0.2".parse().unwrap()], ..EgressPolicy::default() };
    let egress = Egress { policy, resolvers: vec![dns.address()], proxy: None };
    (dns, egress)
}

#[tokio::test]
async fn loopback_is_never_dialled_although_every_other_answer_names_it() {
    let (open, forbidden) = open_and_forbidden().await;
    let (dns, egress) = dns(vec![addresses(&["127.0.0.2"]), addresses(&["127.0.0.1"])]).await;
    let url = format!("http://{NAME}:{}/hooks", open.address().port());
    let mut ends = Vec::new();
    for _ in 0..6 {
        // A stage of its own: every attempt resolves, none finds a connection.
        let rig = Rig::start_at(Clock::system(), vec![destination("d", &url, &[])], egress.clone());
        let id = rig.put("d", 1).await.remove(0);
        let (record, attempts) = rig.final_state(&id).await;
        match &attempts[0].outcome {
            Outcome::Status(200) => assert_eq!(attempts[0].address, Some(open.address())),
            Outcome::Error { kind: AttemptError::RefusedByGuard, detail } => {
                assert_eq!(
                    detail,
                    "hooks.test resolves to 127.0.0.1 is loopback; egress.allow can open its network"
                );
            }
            other => panic!("{other:?}"),
        }
        ends.push(record.state);
    }
    assert_eq!(ends, [[DeliveryState::Delivered, DeliveryState::Dead]; 3].concat());
    assert_eq!((open.seen().connections, forbidden.seen().connections), (3, 0));
    // What was judged is what was dialled: one look-up for each attempt, none after it.
    assert_eq!(dns.asked(NAME), 6);
}

#[tokio::test]
async fn a_public_name_that_turns_to_loopback_is_not_asked_of_a_proxy() {
    let receiver = Receiver::start([]).await;
    let proxy = Proxy::start(Tunnel::To(receiver.address())).await;
    let rounds =
        vec![addresses(&["93.184.215.14"]), addresses(&["127.0.0.1"]), addresses(&["169.254.169.254"])];
    let dns = Dns::start([(NAME, rounds)]).await;
    let egress = Egress {
        policy: EgressPolicy::default(),
        resolvers: vec![dns.address()],
        proxy: Some(hookloom::deliver::Proxy::new(&proxy.url(), None).unwrap()),
    };
    let mut states = Vec::new();
    for _ in 0..3 {
        let url = format!("http://{NAME}/hooks");
        let rig = Rig::start_at(Clock::system(), vec![destination("d", &url, &[])], egress.clone());
        let id = rig.put("d", 1).await.remove(0);
        states.push(rig.final_state(&id).await.0.state);
    }
    assert_eq!(states, [DeliveryState::Delivered, DeliveryState::Dead, DeliveryState::Dead]);
    let asked: Vec<_> = proxy.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(asked, ["CONNECT 93.184.215.14:80 HTTP/1.1"]);
}

#[tokio::test]
async fn of_mixed_answers_only_the_permitted_is_dialled() {
    let (open, forbidden) = open_and_forbidden().await;
    let mixed =
        addresses(&["127.0.0.1", "::1", "10.0.0.1", "127.0.0.2", "169.254.169.254", "::ffff:127.0.0.1"]);
    let (_dns, egress) = dns(vec![mixed]).await;
    let url = format!("http://{NAME}:{}/hooks", open.address().port());
    for _ in 0..3 {
        let rig = Rig::start_at(Clock::system(), vec![destination("d", &url, &[])], egress.clone());
        let id = rig.put("d", 1).await.remove(0);
        let attempts = rig.ended(&id, DeliveryState::Delivered).await;
        assert_eq!(attempts[0].address, Some(open.address()));
    }
    assert_eq!((open.seen().connections, forbidden.seen().connections), (3, 0));
}

#[tokio::test]
async fn an_address_that_is_not_there_gives_way_to_the_next() {
    let receiver = Receiver::start([]).await;
    // Nobody listens at 127.0.0.3; both are open here.
    let dns = Dns::start([(NAME, vec![addresses(&["127.0.0.3", "127.0.0.1"])])]).await;
    let egress = Egress { resolvers: vec![dns.address()], ..super::rig::loopback().into() };
    let url = format!("http://{NAME}:{}/hooks", receiver.address().port());
    let rig = Rig::start_at(Clock::system(), vec![destination("d", &url, &[])], egress);
    let id = rig.put("d", 1).await.remove(0);
    let attempts = rig.ended(&id, DeliveryState::Delivered).await;
    assert_eq!(attempts[0].address, Some(receiver.address()));
}

#[tokio::test]
async fn a_name_that_the_server_does_not_know_is_a_dns_error() {
    let (_dns, egress) = dns(vec![addresses(&["127.0.0.2"])]).await;
    let rig = Rig::start_at(Clock::system(), vec![destination("d", "http://other.test/", &[])], egress);
    let id = rig.put("d", 1).await.remove(0);
    let attempts = rig.ended(&id, DeliveryState::Dead).await;
    match &attempts[0].outcome {
        Outcome::Error { kind: AttemptError::Dns, detail } => {
            assert!(detail.contains("other.test"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
}

//! Forbidden targets, each tried as a destination: the same way that every attempt takes.

use hookloom::clock::Clock;
use hookloom::deliver::{Destination, DestinationError, EgressPolicy};
use hookloom::model::{AttemptError, DeliveryState, Outcome};
use hookloom_testkit::receiver::Receiver;

use super::rig::{Rig, destination};

/// Hosts that must never be dialled; `PORT` is that of a receiver on loopback.
#[rustfmt::skip]
const FORBIDDEN: [&str; 71] = [
    // Loopback, as it is usually written, and as no reader would.
    "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "127.255.255.254", "2130706433", "017700000001",
    "0x7f000001", "0x7f.0.0.1", "0x7f.1", "0177.0.0.1", "0177.0.0.01", "0X7F.0x0.0X0.0x1", "127.0.0.0x1",
    "%31%32%37.0.0.1", "127%2e0%2e0%2e1", "127。0。0。1", "①②⑦.0.0.1", "localhost", "LOCALHOST", "localhost.",
    "a.localhost", "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]",
    // This host.
    "0.0.0.0", "0", "0x0", "00.0", "[::]", "0.1.2.3",
    // Loopback and private networks inside IPv6.
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[::7f00:1]",
    "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]", "[2002:a00:1::]", "[2001:0:7f00:1::]", "[2001:0:808:808::80ff:fffe]",
    "[::ffff:10.0.0.1]",
    // Metadata.
    "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]", "[fd00:ec2::254]", "100.100.100.200", "168.63.129.16",
    // Private, shared and special networks.
    "10.0.0.1", "10.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1", "100.64.0.1", "192.0.0.1",
    "198.18.0.1", "203.0.113.7", "224.0.0.1", "255.255.255.255", "240.0.0.1", "[fc00::1]", "[fe80::1]",
    "[ff02::1]", "[fec0::1]",
];

#[tokio::test]
async fn no_form_of_a_forbidden_target_is_dialled() {
    let receiver = Receiver::start([]).await;
    let port = receiver.address().port();
    let urls = FORBIDDEN.map(|host| format!("http://{host}:{port}/hooks"));
    let destinations = urls.iter().map(|url| destination(url, url, &[1, 1])).collect();
    let rig = Rig::start_at(Clock::system(), destinations, EgressPolicy::default());
    for url in &urls {
        let id = rig.put(url, 1).await.remove(0);
        let attempts = rig.ended(&id, DeliveryState::Dead).await;
        let [attempt] = &attempts[..] else { panic!("{url}: a refusal burns no schedule: {attempts:?}") };
        match &attempt.outcome {
            Outcome::Error { kind: AttemptError::RefusedByGuard, detail } => assert!(!detail.is_empty()),
            other => panic!("{url}: {other:?}"),
        }
        assert_eq!(attempt.address, None, "{url}");
    }
    assert_eq!(receiver.seen().connections, 0);
}

#[tokio::test]
async fn a_name_is_open_once_its_network_is() {
    let receiver = Receiver::start([]).await;
    let url = format!("http://localhost:{}/hooks", receiver.address().port());
    let rig = Rig::start(vec![destination("d", &url, &[])]);
    let id = rig.put("d", 1).await.remove(0);
    let attempts = rig.ended(&id, DeliveryState::Delivered).await;
    assert_eq!(attempts[0].address, Some(receiver.address()));
}

#[tokio::test]
async fn another_policy_is_in_force_for_the_next_attempt() {
    let receiver = Receiver::start([]).await;
    let rig = Rig::start(vec![destination("d", &receiver.url(), &[])]);
    let id = rig.put("d", 1).await.remove(0);
    rig.ended(&id, DeliveryState::Delivered).await;
    // The connection is open and idle; it must not serve what may no longer be dialled.
    let name = format!("http://localhost:{}/hooks", receiver.address().port());
    let closed = vec![destination("d", &name, &[])];
    let next = rig.targets.borrow().replaced(closed, EgressPolicy::default()).unwrap();
    rig.targets.send_replace(std::sync::Arc::new(next));
    let id = rig.put("d", 1).await.remove(0);
    rig.ended(&id, DeliveryState::Dead).await;
    assert_eq!(receiver.seen().requests.len(), 1);
}

#[test]
fn a_url_that_hides_its_host_behind_a_user_is_no_destination() {
    for url in ["http://example.com@127.0.0.1/", "http://example.com:80@127.0.0.1/", "http://:x@127.0.0.1/"] {
        let refused = Destination::new("d", url.parse().unwrap()).check();
        assert_eq!(refused, Err(DestinationError::Userinfo), "{url}");
    }
}

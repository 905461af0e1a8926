//! Forbidden targets, each tried as a destination: the same way that every attempt takes.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use hookloom::clock::Clock;
use hookloom::config::Config;
use hookloom::deliver::{Destination, EgressPolicy};
use hookloom::model::{AttemptError, DeliveryState, Outcome};
use hookloom_testkit::dns::Dns;
use hookloom_testkit::proxy::{Proxy, Tunnel};
use hookloom_testkit::receiver::Receiver;

use super::rig::{Rig, destination};
use super::targets::{ALLOWED, FORBIDDEN, NO_DESTINATION};

/// What a file comes to that has these destinations, called by their places.
fn configured(egress: &str, urls: &[String]) -> Config {
    let mut text = format!("[egress]\n{egress}\n");
    for (i, url) in urls.iter().enumerate() {
        let url = toml::Value::String(url.clone());
        writeln!(text, "[destinations.d{i}]\nurl = {url}").unwrap();
    }
    Config::from_text(Path::new("hookloom.toml"), &text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Every forbidden URL ends dead after one attempt that dialled nothing.
async fn all_are_refused(egress: &str, port: u16) {
    let table: Vec<_> = FORBIDDEN
        .iter()
        .flat_map(|(why, urls)| urls.iter().map(|url| (*why, url.replace("PORT", &port.to_string()))))
        .collect();
    assert!(table.len() > 100, "{}", table.len());
    let urls: Vec<_> = table.iter().map(|(_, url)| url.clone()).collect();
    let config = configured(egress, &urls);
    let rig = Rig::start_at(Clock::system(), config.destinations, config.egress);
    let mut ids = Vec::new();
    for i in 0..table.len() {
        ids.push(rig.put(&format!("d{i}"), 1).await.remove(0));
    }
    for ((why, url), id) in table.iter().zip(ids) {
        let attempts = rig.ended(&id, DeliveryState::Dead).await;
        let [attempt] = &attempts[..] else { panic!("{url}: a refusal burns no schedule: {attempts:?}") };
        match &attempt.outcome {
            Outcome::Error { kind: AttemptError::RefusedByGuard, detail } => {
                assert!(detail.contains(why), "{url}: {detail}");
            }
            other => panic!("{url}: {other:?}"),
        }
        assert_eq!(attempt.address, None, "{url}");
    }
}

#[tokio::test]
async fn no_form_of_a_forbidden_target_is_dialled() {
    let receiver = Receiver::start([]).await;
    all_are_refused("", receiver.address().port()).await;
    assert_eq!(receiver.seen().connections, 0);
}

#[tokio::test]
async fn no_form_of_a_forbidden_target_is_asked_of_a_proxy() {
    let receiver = Receiver::start([]).await;
    let proxy = Proxy::start(Tunnel::To(receiver.address())).await;
    all_are_refused(&format!("proxy = \"{}\"", proxy.url()), receiver.address().port()).await;
    assert_eq!(proxy.asked(), []);
}

#[test]
fn a_url_that_hides_its_host_is_no_destination() {
    for (why, url) in NO_DESTINATION {
        let text = format!("[destinations.d]\nurl = '{url}'");
        match Config::from_text(Path::new("hookloom.toml"), &text) {
            Err(problems) => assert!(problems.to_string().contains(why), "{url}: {problems}"),
            Ok(config) => panic!("{url} is a destination: {:?}", config.destinations),
        }
    }
}

#[tokio::test]
async fn what_is_public_is_dialled_where_it_is() {
    let receiver = Receiver::start([]).await;
    // Everything ends at the receiver, and the proxy says where it was to go.
    let proxy = Proxy::start(Tunnel::To(receiver.address())).await;
    let public = vec![vec!["93.184.215.14".parse().unwrap()]];
    let names = ["crm.example.com", "127.0.0.1.example.com", "localhost.example.com"];
    let dns = Dns::start(names.map(|name| (name, public.clone()))).await;
    let egress = format!("proxy = \"{}\"\nresolvers = [\"{}\"]", proxy.url(), dns.address());
    for (url, target) in ALLOWED {
        let config = configured(&egress, &[(*url).to_owned()]);
        assert!(config.warnings.is_empty(), "{url}: {:?}", config.warnings);
        let rig = Rig::start_at(Clock::system(), config.destinations, config.egress);
        let id = rig.put("d0", 1).await.remove(0);
        let attempts = rig.ended(&id, DeliveryState::Delivered).await;
        assert_eq!(attempts[0].address.unwrap().to_string(), *target, "{url}");
        assert_eq!(proxy.asked().last().unwrap().line, format!("CONNECT {target} HTTP/1.1"), "{url}");
    }
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
async fn a_network_that_one_destination_opens_stays_closed_to_others() {
    let receiver = Receiver::start([]).await;
    let port = receiver.address().port();
    let text = format!(
        "[destinations.open]\nurl = \"{url}\"\negress = {{ allow = [\"127.0.0.1\"], ports = [{port}] }}\n\
         [destinations.closed]\nurl = \"{url}\"",
        url = receiver.url()
    );
    let config = Config::from_text(Path::new("hookloom.toml"), &text).unwrap();
    let rig = Rig::start_at(Clock::system(), config.destinations, config.egress);
    let open = rig.put("open", 1).await.remove(0);
    rig.ended(&open, DeliveryState::Delivered).await;
    // The open one's connection is idle, and goes to the same address.
    let closed = rig.put("closed", 1).await.remove(0);
    rig.ended(&closed, DeliveryState::Dead).await;
    assert_eq!(receiver.seen().requests.len(), 1);
}

#[tokio::test]
async fn ports_and_plain_http_are_refused_although_no_file_was_checked() {
    let receiver = Receiver::start([]).await;
    let loopback = super::rig::loopback();
    let table = [
        (EgressPolicy { ports: vec![443], ..loopback.clone() }, "is not one of egress.ports"),
        (EgressPolicy { https_only: true, ..loopback }, "https_only is set"),
    ];
    for (policy, why) in table {
        let rig = Rig::start_at(Clock::system(), vec![destination("d", &receiver.url(), &[1])], policy);
        let id = rig.put("d", 1).await.remove(0);
        let attempts = rig.ended(&id, DeliveryState::Dead).await;
        assert!(attempts[0].reason.contains(why), "{}", attempts[0].reason);
    }
    assert_eq!(receiver.seen().connections, 0);
}

#[tokio::test]
async fn another_policy_is_in_force_for_the_next_attempt() {
    let receiver = Receiver::start([]).await;
    let rig = Rig::start(vec![destination("d", &receiver.url(), &[])]);
    let id = rig.put("d", 1).await.remove(0);
    rig.ended(&id, DeliveryState::Delivered).await;
    // The connection is open and idle; it must not serve what may no longer be dialled.
    let name = format!("http://localhost:{}/hooks", receiver.address().port());
    let closed = |url: &str| -> Vec<Destination> { vec![destination("d", url, &[])] };
    for url in [name, receiver.url()] {
        let next = rig.targets.borrow().replaced(closed(&url), EgressPolicy::default()).unwrap();
        rig.targets.send_replace(Arc::new(next));
        let id = rig.put("d", 1).await.remove(0);
        rig.ended(&id, DeliveryState::Dead).await;
    }
    assert_eq!(receiver.seen().requests.len(), 1);
}

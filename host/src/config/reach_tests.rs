//! `[egress]` and how destinations are reached: what is understood, and what is said of
//! mistakes.

use hookloom_testkit::certs::Authority;
use tempfile::TempDir;

use super::*;
use crate::deliver::{Proxy, ProxyChoice};

/// Where `partner-ca.pem`, `client.pem`, `client.key` and `other.key` are.
pub(super) fn folder_with_certificates() -> TempDir {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let (client, other) = (authority.client(), authority.client());
    for (name, text) in [
        ("partner-ca.pem", authority.pem()),
        ("client.pem", client.cert),
        ("client.key", client.key),
        ("other.key", other.key),
        ("broken.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned()),
    ] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn load(dir: &TempDir, text: &str) -> Result<Config, Problems> {
    Config::from_text(&dir.path().join("hookloom.toml"), text)
}

fn destination(dir: &TempDir, settings: &str) -> Destination {
    let text = format!("[destinations.d]\nurl = \"https://a.example:8443/\"\n{settings}");
    load(dir, &text).unwrap_or_else(|problems| panic!("{problems}")).destinations.remove(0)
}

#[test]
fn what_holds_for_all_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[egress]\nallow = [\"10.0.0.0/8\"]\nports = [443]\nhttps_only = true\n\
                resolvers = [\"10.0.0.2\", \"127.0.0.1:5353\", \"::1\"]\n\
                proxy = \"http://proxy.internal:3128\"\nproxy_auth = \"u:hunter2\"";
    let config = load(&dir, text).unwrap();
    assert_eq!((config.egress.policy.ports.as_slice(), config.egress.policy.https_only), (&[443][..], true));
    let resolvers: Vec<_> = config.egress.resolvers.iter().map(ToString::to_string).collect();
    assert_eq!(resolvers, ["10.0.0.2:53", "127.0.0.1:5353", "[::1]:53"]);
    assert_eq!(config.egress.proxy, Proxy::new("http://proxy.internal:3128", Some("u:hunter2")).ok());
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_destination_has_its_own_way() {
    let dir = folder_with_certificates();
    let own = destination(
        &dir,
        "egress = { allow = [\"10.1.2.3\"], deny = [\"8.8.8.8\"], ports = [8443] }\nhttps_only = true\n\
         proxy = \"none\"\nca = \"partner-ca.pem\"\nclient_cert = \"client.pem\"\n\
         client_key = \"file:client.key\"",
    );
    assert_eq!((own.reach.egress.ports.as_slice(), own.reach.egress.https_only), (&[8443][..], Some(true)));
    assert_eq!(own.reach.proxy, ProxyChoice::Direct);
    assert_eq!(format!("{:?}", own.reach.tls), "TlsSettings { roots: 1, identity: true }");
    assert_eq!(destination(&dir, "").reach, crate::deliver::Reach::default());
    // A certificate that was renewed under the same name is another one.
    let renewed = folder_with_certificates();
    let again = destination(&renewed, "ca = \"partner-ca.pem\"");
    assert_ne!(again.reach.tls, destination(&dir, "ca = \"partner-ca.pem\"").reach.tls);
}

#[test]
fn who_the_gateway_is_to_a_destination_is_a_header_that_is_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let table = [
        ("auth = { bearer = \"hunter2\" }", "Bearer hunter2"),
        ("auth = { basic = { user = \"u\", password = \"hunter2\" } }", "Basic dTpodW50ZXIy"),
    ];
    for (settings, expected) in table {
        let destination = destination(&dir, settings);
        let (name, value) = &destination.headers[0];
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("authorization", expected));
        assert!(value.is_sensitive());
        assert!(!format!("{destination:?} {value:?}").contains("hunter2"));
    }
}

/// A file, and what is said of it.
#[rustfmt::skip]
const MISTAKES: &[(&str, &str)] = &[
    ("[egress]\nports = [0]", ":2:10: there is no port 0"),
    ("[egress]\nports = [70000]", ":2:10: "),
    (
        "[egress]\nresolvers = [\"dns.example\"]",
        ":2:14: `dns.example` is not the address of a DNS server",
    ),
    ("[egress]\nproxy = \"https://p:1\"", ":2:9: this is not the url of a proxy"),
    ("[egress]\nproxy = \"http://u:p@p:1\"", "put them into `proxy_auth`"),
    ("[egress]\nproxy = \"http://p:1\"\nproxy_auth = \"user\"", ":3:14: the proxy's credentials"),
    ("[egress]\nproxy_auth = \"u:p\"", ":2:14: `proxy_auth` without `proxy`"),
    ("[egress]\nhttps_only = true\n[destinations.d]\nurl = \"http://x\"", ":4:7: https_only is set"),
    ("[egress]\nports = [443]\n[destinations.d]\nurl = \"https://x:1\"", ":4:7: port 1 is not one of"),
    ("[destinations.d]\nurl = \"http://x\"\nhttps_only = true", ":2:7: https_only is set"),
    (
        "[destinations.d]\nurl = \"http://x\"\negress = { allow = [\"10\"] }",
        ":3:21: \"10\" is not a network",
    ),
    ("[destinations.d]\nurl = \"http://x\"\negress = { allwo = [] }", "unknown field `allwo`"),
    ("[destinations.d]\nurl = \"http://x\"\nproxy_auth = \"u:p\"", "belongs to a `proxy`"),
    ("[destinations.d]\nurl = \"https://x\"\nca = \"absent.pem\"", ":3:6: "),
    (
        "[destinations.d]\nurl = \"https://x\"\nca = \"client.key\"",
        ":3:6: `client.key` cannot be trusted",
    ),
    (
        "[destinations.d]\nurl = \"https://x\"\nca = \"broken.pem\"",
        ":3:6: `broken.pem` cannot be trusted",
    ),
    ("[destinations.d]\nurl = \"http://x\"\nca = \"partner-ca.pem\"", "where there are no certificates"),
    (
        "[destinations.d]\nurl = \"https://x\"\nclient_cert = \"client.pem\"",
        ":3:15: a client certificate needs its key",
    ),
    ("[destinations.d]\nurl = \"https://x\"\nclient_key = \"file:client.key\"", ":3:14: a key needs"),
    (
        "[destinations.d]\nurl = \"https://x\"\nclient_cert = \"client.pem\"\nclient_key = \"file:other.key\"",
        ":4:14: `client_key` cannot be used: the key does not fit",
    ),
    (
        "[destinations.d]\nurl = \"https://x\"\nclient_cert = \"client.pem\"\nclient_key = \"hunter2\"",
        ":4:14: `client_key` cannot be used: no private key",
    ),
    (
        "[destinations.d]\nurl = \"https://x\"\nclient_cert = \"client.key\"\nclient_key = \"file:client.key\"",
        ":3:15: `client.key` cannot be shown: no certificate",
    ),
    ("[destinations.d]\nurl = \"http://x\"\nauth = {}", ":3:8: `auth` is either"),
    (
        "[destinations.d]\nurl = \"http://x\"\nauth = { bearer = \"t\" }\nheaders = { Authorization = \"x\" }",
        ":4:13: `headers.authorization` and `auth`",
    ),
    (
        "[destinations.d]\nurl = \"http://x\"\nauth = { bearer = \"a\\nb\" }",
        ":3:19: the token is not one",
    ),
    (
        "[destinations.d]\nurl = \"http://x\"\nauth = { basic = { user = \"a:b\", password = \"p\" } }",
        "has no colon",
    ),
];

#[test]
fn mistakes_are_shown_at_their_place() {
    let dir = folder_with_certificates();
    for (text, expected) in MISTAKES {
        match load(&dir, text) {
            Err(problems) => {
                let shown = problems.to_string();
                assert!(shown.contains(expected), "{text}\n  gave: {shown}\n  not: {expected}");
                assert!(!shown.contains("hunter2"), "{shown}");
            }
            Ok(_) => panic!("accepted: {text}"),
        }
    }
}

#[test]
fn an_address_that_the_guard_refuses_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let warnings = |text: &str| -> Vec<String> {
        load(&dir, text).unwrap().warnings.iter().map(ToString::to_string).collect()
    };
    let shown = warnings("[destinations.d]\nurl = \"http://0x7f.1/\"");
    assert!(
        shown[0].contains(":2:7: the guard refuses this destination: 127.0.0.1 is loopback"),
        "{shown:?}"
    );
    assert!(
        warnings("[egress]\nallow = [\"127.0.0.0/8\"]\n[destinations.d]\nurl = \"http://127.1/\"").is_empty()
    );
}

//! How the front door serves and whom, as the file writes it: TLS, addresses, schemas.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hookloom_testkit::certs::Authority;
use tempfile::TempDir;

use super::*;
use crate::ingest::OnInvalid;

/// The files that the examples name.
pub(super) fn put_files(folder: &Path) {
    let (authority, other) = (Authority::new(), Authority::new());
    let (pair, other) = (authority.server("hooks.test"), other.server("hooks.test"));
    for name in ["tls", "schemas"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    for (name, text) in [
        ("tls/chain.pem", pair.cert),
        ("tls/key.pem", pair.key),
        ("tls/other.pem", other.key),
        ("schemas/push.json", r#"{"type":"object"}"#.to_owned()),
        ("schemas/other.json", "true".to_owned()),
        ("schemas/broken.json", "{\"type\":\n".to_owned()),
        ("schemas/wrong.json", r#"{"properties":{"a":{"type":"strin"}}}"#.to_owned()),
        ("schemas/remote.json", r#"{"$ref":"https://example.com/order.json"}"#.to_owned()),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    put_files(dir.path());
    dir
}

fn load(dir: &TempDir, text: &str) -> Result<Config, Problems> {
    Config::from_text(&dir.path().join("hookloom.toml"), text)
}

#[test]
fn what_is_written_is_in_force() {
    let dir = folder();
    let text = "[server]\nmax_connections = 7\nheader_timeout = \"3s\"\nidle_timeout = \"2m\"\n\
         trusted_proxies = [\"::ffff:10.0.0.0/104\"]\ntls_cert = \"tls/chain.pem\"\ntls_key = \"file:tls/key.pem\"\n\
         [sources.a]\nscheme = \"none\"\nmax_body = \"2KiB\"\nmax_decoded_body = \"256MiB\"\nallow_from = [\"192.0.2.0/24\", \"2001:db8::/32\"]\n\
         schema = \"schemas/push.json\"\non_invalid = \"dead\"\n";
    let config = load(&dir, text).unwrap_or_else(|problems| panic!("{problems}"));
    let server = &config.server;
    assert_eq!(
        (server.max_connections, server.header_timeout, server.idle_timeout),
        (7, Duration::from_secs(3), Duration::from_mins(2))
    );
    let tls = server.tls.as_ref().unwrap();
    assert_eq!((&tls.cert, &tls.key), (&dir.path().join("tls/chain.pem"), &dir.path().join("tls/key.pem")));
    assert_eq!(format!("{:?}", config.front_door.trusted_proxies), "[10.0.0.0/8]");
    let source = &config.front_door.sources["a"];
    assert_eq!(format!("{:?}", source.allow_from), "[192.0.2.0/24, 2001:db8::/32]");
    assert_eq!((source.max_body, source.max_decoded_body), (Some(2048), 256 << 20));
    let unsaid = load(&dir, "[sources.a]\nscheme = \"none\"").unwrap();
    assert_eq!(unsaid.front_door.sources["a"].max_decoded_body, 16 << 20);
    let schemas = source.schemas.as_ref().unwrap();
    assert_eq!(schemas.on_invalid, OnInvalid::Dead);
    assert!(schemas.of(None).unwrap().check(b"[]").is_err());
}

#[test]
fn mistakes_name_the_file_and_the_place() {
    let dir = folder();
    let tls = |cert: &str, key: &str| format!("[server]\ntls_cert = \"{cert}\"\ntls_key = \"{key}\"\n");
    let source = |more: &str| format!("[sources.a]\nscheme = \"none\"\n{more}\n");
    for (text, expected) in [
        ("[server]\nmax_connections = 0".to_owned(), ":2:19: without connections nothing is received"),
        ("[server]\nidle_timeout = \"0s\"".to_owned(), ":2:16: in no time nothing arrives"),
        ("[server]\ntls_cert = \"tls/chain.pem\"".to_owned(), ":2:12: a certificate needs its key"),
        ("[server]\ntls_key = \"tls/key.pem\"".to_owned(), ":2:11: a key needs its certificate"),
        (tls("tls/none.pem", "tls/key.pem"), "tls/none.pem cannot be read: "),
        (tls("tls/key.pem", "tls/key.pem"), "tls/key.pem cannot be served: no certificate in PEM form"),
        (tls("tls/chain.pem", "tls/chain.pem"), ":3:11: "),
        (tls("tls/chain.pem", "tls/other.pem"), "tls/other.pem cannot be served: the key does not fit"),
        ("[server]\ntrusted_proxies = [\"proxy\"]".to_owned(), ":2:20: \"proxy\" is not a network"),
        (source("allow_from = [\"192.0.2.1/24\"]"), ":3:15: \"192.0.2.1/24\" has bits behind its prefix"),
        (source("max_decoded_body = \"0B\""), ":3:20: what a compressed body holds has between 1 byte"),
        (source("max_decoded_body = \"257MiB\""), ":3:20: what a compressed body holds has between 1 byte"),
        (source("on_invalid = \"pass\""), ":3:14: without a `schema` nothing is invalid"),
        (
            source("schema = \"schemas/push.json\"\non_invalid = \"drop\""),
            ":4:14: `drop` does not say what becomes of an invalid body",
        ),
        (source("schema = \"schemas/none.json\""), "schemas/none.json cannot be read: "),
        (source("schema = \"schemas/broken.json\""), "schemas/broken.json is not JSON: EOF"),
        (
            source("schema = { \"a\" = \"schemas/wrong.json\" }"),
            "schemas/wrong.json is not a schema: /properties/a/type: ",
        ),
        (
            source("schema = \"schemas/remote.json\""),
            "schemas/remote.json is not a schema: Resource 'https://example.com/order.json'",
        ),
        (source("schema = 7"), ":3:10: "),
    ] {
        let problems = load(&dir, &text).expect_err(&text).to_string();
        assert!(problems.contains(expected), "{text}\n{problems}");
    }
}

#[test]
fn what_a_reload_cannot_change_is_said() {
    let dir = folder();
    let tls = "tls_cert = \"tls/chain.pem\"\ntls_key = \"tls/key.pem\"";
    let config = |server: &str| load(&dir, &format!("[server]\n{server}")).unwrap();
    let before = config("");
    for (server, expected) in [
        ("max_connections = 5", &["server.max_connections"][..]),
        ("header_timeout = \"5s\"", &["server.header_timeout"]),
        ("idle_timeout = \"5s\"", &["server.idle_timeout"]),
        (tls, &["server.tls_cert"]),
        ("trusted_proxies = [\"10.0.0.0/8\"]", &[]),
    ] {
        let after = config(server);
        assert_eq!(before.needs_restart(&after), expected, "{server}");
        assert_eq!(before.needs_restart(&before.without_restart(after)), [""; 0], "{server}");
    }
    let (encrypted, plain) = (config(tls), config(""));
    assert_eq!(encrypted.without_restart(plain).server.tls, encrypted.server.tls);
}

//! `hookloom verify`, as a user runs it.

use std::fs;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use hookloom_testkit::gateway::Gateway;
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;

use super::{file, hookloom};

#[test]
fn verify_judges_recorded_requests() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let (stripe, github) = (vectors.join("stripe.json"), vectors.join("github.json"));
    let count = |path: &Path| -> usize {
        serde_json::from_slice::<Vec<Value>>(&fs::read(path).unwrap()).unwrap().len()
    };
    let all = count(&stripe) + count(&github);
    let (stripe_path, github_path) = (stripe.to_str().unwrap(), github.to_str().unwrap());
    let ended = hookloom(&["verify", "--case", stripe_path, github_path]);
    assert_eq!(
        (ended.code, ended.stdout),
        (Some(0), format!("{all} passed, 0 failed\n")),
        "{}",
        ended.stderr
    );

    let explained = hookloom(&["verify", "-v", "--case", stripe_path]);
    assert_eq!(explained.stdout.lines().filter(|line| line.starts_with("ok  ")).count(), count(&stripe));
    assert!(explained.stdout.contains("failed    timestamp: "), "{}", explained.stdout);
    assert!(
        explained.stdout.contains("tampered body: unauthorized: the signature does not match"),
        "{}",
        explained.stdout
    );

    let mut cases: Vec<Value> = serde_json::from_slice(&fs::read(&stripe).unwrap()).unwrap();
    let valid = cases.iter_mut().find(|case| case["expect"] == "accept").unwrap();
    valid["now"] = json!(valid["now"].as_i64().unwrap() + 100_000);
    let altered = TempDir::new().unwrap();
    let altered = file(&altered, "altered.json", &json!(cases).to_string());
    let ended = hookloom(&["verify", "--case", &altered]);
    assert_eq!((ended.code, ended.stdout), (Some(1), format!("{} passed, 1 failed\n", cases.len() - 1)));
    assert!(ended.stderr.starts_with("FAILED  "), "{}", ended.stderr);
    assert!(ended.stderr.contains("unauthorized: the timestamp is more than 300 s off"), "{}", ended.stderr);

    let ended = hookloom(&["verify", "--case", "/nowhere/cases.json"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("/nowhere/cases.json cannot be read"), "{}", ended.stderr);
}

#[test]
fn verify_explains_what_a_source_refused() {
    let dir = TempDir::new().unwrap();
    // GitHub's published example, and a line break that an editor has added.
    let config = "[sources.github]\nscheme = \"github\"\nsecrets = [\"It's a Secret to Everybody\"]\n";
    let request = "POST /in/github HTTP/1.1\r\nx-hub-signature-256: \
                   sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\r\n\r\nHello, World!\n";
    let config = file(&dir, "hookloom.toml", config);
    let refused = file(&dir, "refused.http", request);
    let bytes = dir.path().join("signed");
    let judge = |source: &str, request: &str| {
        let bytes = bytes.to_str().unwrap();
        hookloom(&["verify", "-c", &config, "--source", source, "--request", request, "--bytes", bytes])
    };
    let ended = judge("github", &refused);
    let transcript: Vec<_> = ended.stdout.lines().filter(|line| !line.contains("written   ")).collect();
    assert_eq!(
        transcript,
        [
            "source github, scheme github: unauthorized: the signature does not match",
            "        ok        signature: header x-hub-signature-256: 1 found, 1 readable as hex (32 bytes)",
            "        ok        message 1: 14 bytes to sign",
            "        failed    secret 1: did not make this signature",
            r#"        signed    message 1, 14 bytes: "Hello, World!\n""#,
            "        hint      it would match with the line break at the body's end removed",
        ]
    );
    assert_eq!(ended.code, Some(1));
    assert_eq!(fs::read(bytes.join("github-1.bytes")).unwrap(), b"Hello, World!\n");
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    assert!(readme.contains(&transcript.join("\n")), "the README shows another transcript");

    let taken = file(&dir, "taken.http", request.trim_end());
    let ended = judge("github", &taken);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.starts_with("source github, scheme github: accepted"), "{}", ended.stdout);

    let ended = judge("gitlab", &refused);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("has no source \"gitlab\""), "{}", ended.stderr);
}

fn signature(key: &str, message: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[test]
fn verify_judges_the_url_that_the_gateway_judges() {
    const VERIFY: &str = "verify = { message = \"{url}{body}\", signature = { header = \"x-sig\" } }\n";
    let dir = TempDir::new().unwrap();
    let config = format!(
        "[sources.shop]\nsecrets = [\"k\"]\npublic_url = \"https://shop.example.com/hooks\"\n{VERIFY}\
         [sources.unregistered]\nsecrets = [\"k\"]\nverify = {{ signature = {{ header = \"x-sig\" }} }}\n"
    );
    let config = file(&dir, "hookloom.toml", &config);
    for (target, signed, is_taken) in [
        ("/in/shop", "https://shop.example.com/hooks", true),
        ("/in/shop?b=2&a=%201", "https://shop.example.com/hooks?b=2&a=%201", true),
        ("/in/shop/eu/?a", "https://shop.example.com/hooks/eu/?a", true),
        ("/in/shop?b=2", "https://shop.example.com/hooks", false),
        ("/in/shop", "https://shop.example.com/hooks?b=2", false),
    ] {
        let signature = signature("k", &format!("{signed}{{}}"));
        let request = format!("POST {target} HTTP/1.1\r\nx-sig: {signature}\r\n\r\n{{}}");
        let request = file(&dir, "request.http", &request);
        let ended = hookloom(&["verify", "-c", &config, "--source", "shop", "--request", &request]);
        assert_eq!(ended.code, Some(i32::from(!is_taken)), "{target}: {}{}", ended.stdout, ended.stderr);
        assert!(!ended.stderr.contains("note:"), "{}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_tries_what_handshakes_handed_over() {
    const SECRET: &str = "handed-over-and-never-shown";
    const SOURCES: &str = "[sources.asana]\nscheme = \"asana\"\n[sources.other]\nscheme = \"asana\"\n";
    let mut gateway = Gateway::start(SOURCES).await;
    let config = gateway.config_file();
    let body = r#"{"events":[]}"#;
    let dir = TempDir::new().unwrap();
    let judge = |source: &str, key: &str, code: i32, note: &str| {
        let signature = signature(key, body);
        let request = format!("POST /in/{source} HTTP/1.1\r\nx-hook-signature: {signature}\r\n\r\n{body}");
        let request = file(&dir, "request.http", &request);
        let config = config.to_str().unwrap();
        let ended = hookloom(&["verify", "-c", config, "--source", source, "--request", &request]);
        assert_eq!(ended.code, Some(code), "{source}, {key}: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.contains(note), "{}", ended.stderr);
        assert!(!ended.stdout.contains(SECRET) && !ended.stderr.contains(SECRET), "the secret is shown");
    };
    let none = "no handshake has handed over a secret: only configured ones are tried";
    let one = "1 secret(s) that handshakes handed over are tried, too";
    judge("other", SECRET, 1, none);
    assert_eq!(gateway.command("/api/v1/sources/asana/arm", &json!({})).await.status, 200);
    assert_eq!(gateway.post("asana", &[("x-hook-secret", SECRET)], "").await.status, 200);
    // Beside the gateway, and without one.
    judge("asana", SECRET, 0, one);
    gateway.stop().await;
    judge("asana", SECRET, 0, one);
    judge("asana", "another", 1, one);
    judge("other", SECRET, 1, none);
    // A configured secret is tried with or without a store.
    fs::remove_dir_all(gateway.path("data")).unwrap();
    gateway.write_config(&SOURCES.replace("\"asana\"\n", "\"asana\"\nsecrets = [\"k\"]\n"));
    judge("other", "k", 0, none);
    assert!(!gateway.path("data").exists(), "a store was made");
    fs::create_dir(gateway.path("data")).unwrap();
    fs::write(gateway.path("data/hookloom.db"), "not a store").unwrap();
    let request = file(&dir, "request.http", "x-hook-signature: 00\n\n{}");
    let ended =
        hookloom(&["verify", "-c", config.to_str().unwrap(), "--source", "asana", "--request", &request]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(
        ended.stderr.contains("the store, which has what was handed over, cannot be read"),
        "{}",
        ended.stderr
    );
}

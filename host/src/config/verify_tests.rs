//! `[sources.NAME.verify]` and what stands beside it: what is understood, and which line a
//! mistake is in.

use super::*;
use crate::ingest::SourceScheme;

fn load(text: &str) -> Result<Config, Problems> {
    Config::from_text(Path::new("hookloom.toml"), text)
}

fn problems(text: &str) -> String {
    load(text).expect_err("the file was accepted").to_string()
}

/// `@` stands for the beginning of a scheme that is spelled out, three lines.
const SPELLED: &str = "[sources.a]\nsecrets = [\"s3cret\"]\n[sources.a.verify]\n";

#[test]
fn mistakes_are_in_the_line_of_their_key() {
    for (text, expected) in [
        (
            "@signature = { header = \"s\" }\nmessage = \"{method}\"",
            "5:1: source \"a\": verify.message: does not sign",
        ),
        (
            "@signature = { header = \"s\" }\n\ntimestamp = { header = \"t\" }",
            "6:1: source \"a\": verify.timestamp: is not signed",
        ),
        (
            "@signature = { header = \"s\" }\nmessage = \"{url}{body}\"",
            "5:1: source \"a\": verify.message: has {url}",
        ),
        ("@encoding = \"hex\"", "3:12: source \"a\": verify.signature: is missing"),
        (
            "@signature = { header = \"s\" }\nid = { json = \"x\" }",
            "5:1: source \"a\": verify.id: \"x\" is not",
        ),
        (
            "@all = [\n  { preset = \"github\" },\n  { preset = \"gihub\" },\n]",
            "6:5: source \"a\": verify.all[1].preset: there is no scheme \"gihub\"",
        ),
        (
            "@any = [\n  { preset = \"standard-webhooks\", secrets = [\n    \"a b\",\n  ] },\n  { preset = \"github\" },\n]",
            "6:5: source \"a\": verify.any[0].secrets[0]: is not base64",
        ),
        (
            "@any = [{ preset = \"github\", secrets = [\n\"env:HOOKLOOM_TEST_NOT_SET\"] }]",
            "5:1: the environment variable HOOKLOOM_TEST_NOT_SET is not set",
        ),
        (
            "[sources.a]\nscheme = \"github\"\nsecrets = [\"s\",\n  \"whpk_aG+I\"]",
            "4:3: source \"a\": secrets[1]: is one key of a pair",
        ),
        (
            "[sources.a]\nscheme = \"github\"\nsecrets = [\"s\"]\naudience = \"x\"",
            "4:1: source \"a\": audience: is of no use: scheme \"github\" does not take it",
        ),
        (
            "[sources.a]\nscheme = \"gihub\"\nsecrets = [\"s\"]",
            "2:1: source \"a\": there is no scheme \"gihub\"",
        ),
        (
            "[sources.a]\nscheme = \"hubspot-v3\"\nsecrets = [\"s\"]",
            "1:10: source \"a\": public_url: is missing: scheme",
        ),
        (
            "[sources.a]\nscheme = \"plugin:p\"\naudience = \"x\"",
            "3:12: this key is for schemes of the gateway's own",
        ),
        (
            "[sources.a]\nscheme = \"none\"\npublic_url = \"https://h.test/in/a?x=1\"",
            "3:14: `public_url` is a URL without query and fragment\n    help: leave the query out",
        ),
        (
            "[sources.a]\nscheme = \"none\"\npublic_url = \"h.test\"",
            "3:14: `h.test` is not the URL of a receiver",
        ),
        (
            "[server]\npublic_url = \"https://h.test/#a\"",
            "2:14: `public_url` is a URL without query and fragment",
        ),
        ("[server]\npublic_url = \"ftp://h.test\"", "2:14: `ftp://h.test` is not the URL of a receiver"),
    ] {
        let said = problems(&text.replace('@', SPELLED));
        assert!(said.starts_with(&format!("hookloom.toml:{expected}")), "{text}\n{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn checks_have_secrets_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("token"), "from file\n").unwrap();
    let text = "[sources.a]\n[sources.a.verify]\nid = { header = \"x-id\" }\n\
                all = [{ preset = \"github\", secrets = [\"s\"] },\n\
                { preset = \"gitlab-token\", secrets = [\"file:token\"] }]";
    let config = Config::from_text(&dir.path().join("hookloom.toml"), text).unwrap();
    let SourceScheme::Own(scheme) = &config.front_door.sources["a"].scheme else { panic!("not its own") };
    assert_eq!(scheme.credentials().headers, ["x-gitlab-token"]);
    let headers = http::HeaderMap::from_iter([
        ("x-id".parse().unwrap(), "i".parse().unwrap()),
        ("x-gitlab-token".parse::<http::HeaderName>().unwrap(), "from file".parse().unwrap()),
        // printf %s body | openssl dgst -sha256 -hmac s
        (
            "x-hub-signature-256".parse().unwrap(),
            "sha256=42b8bcd495dedaa647a9447f9bf55ad006326c2ab94ab26360ac9935a4340f95".parse().unwrap(),
        ),
    ]);
    let request = crate::verify::Request {
        method: "POST",
        path: "/in/a",
        query: None,
        headers: &headers,
        body: b"body",
        public_url: None,
    };
    let now = crate::model::Millis(0);
    let verdict = scheme.verify(&request, now, &crate::verify::Documents::default());
    assert_eq!(verdict.to_string(), "accepted: id i, type -");
    let other = crate::verify::Request { body: b"bodY", ..request };
    let verdict = scheme.verify(&other, now, &crate::verify::Documents::default());
    assert_eq!(verdict.to_string(), "unauthorized: the signature does not match");
}

/// What is fresh for longer than repeats are known otherwise could be sent again.
#[test]
fn repeats_are_known_as_long_as_a_request_is_fresh() {
    let spelled = "[sources.a.verify]\nsignature = { header = \"s\" }\nmessage = \"{timestamp}{body}\"\n";
    let signed = |tolerance: u32| {
        format!("secrets = [\"s\"]\n{spelled}timestamp = {{ header = \"t\", tolerance = {tolerance} }}")
    };
    let checks = "secrets = [\"s\"]\n[sources.a.verify]\nany = [{ preset = \"github\" }, { preset = \"dropbox-sign\" }]";
    for (source, hours) in [
        ("scheme = \"github\"\nsecrets = [\"s\"]", 24),
        ("scheme = \"stripe\"\nsecrets = [\"s\"]", 24),
        ("scheme = \"dropbox-sign\"\nsecrets = [\"s\"]", 96),
        ("scheme = \"dropbox-sign\"\nsecrets = [\"s\"]\ndedupe = \"1h\"", 1),
        (&signed(60), 24),
        (&signed(7 * 24 * 3600), 7 * 24),
        (checks, 96),
    ] {
        let config = load(&format!("[sources.a]\n{source}")).unwrap();
        let window = config.front_door.sources["a"].dedupe.window;
        assert_eq!(window, Duration::from_hours(hours), "{source}");
    }
}

#[test]
fn the_url_of_a_source_is_taken_as_it_is_written() {
    for (server, source, expected) in [
        ("https://h.test/", "", Some("https://h.test/in/a")),
        ("https://H.test:443/%7Ex", "", Some("https://H.test:443/%7Ex/in/a")),
        (
            "https://h.test",
            "public_url = \"https://u:p@X.test:443/a/../b%2f\"",
            Some("https://u:p@X.test:443/a/../b%2f"),
        ),
    ] {
        let text = format!("[server]\npublic_url = \"{server}\"\n[sources.a]\nscheme = \"none\"\n{source}");
        assert_eq!(load(&text).unwrap().front_door.sources["a"].public_url.as_deref(), expected);
    }
}

//! The verdict on whole requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName};

use super::*;
use crate::verify::testing::{self, compile};
use crate::verify::{Setup, VerifyConfig};

const NOW: Millis = Millis(1_700_000_000_000);

fn judge(scheme: &Scheme, headers: &[(&str, &str)], body: &[u8]) -> Verdict {
    let map = testing::headers(headers);
    let request = Request {
        method: "POST",
        path: "/in/x",
        query: Some("key=s%20t"),
        headers: &map,
        body,
        public_url: Some("https://h.test/in/x"),
    };
    scheme.verify(&request, NOW, &Documents::default())
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    testing::mac(key, message.as_bytes())
}

fn reason(verdict: Verdict) -> String {
    match verdict {
        Verdict::Unauthorized(reason) => format!("401 {reason}"),
        Verdict::Malformed(reason) => format!("400 {reason}"),
        other => other.to_string(),
    }
}

/// The example of the documentation.
const INHOUSE: &str = r#"
    algorithm = "hmac-sha256"
    encoding  = "hex"
    signature = { header = "x-acme-signature", split = ",", prefix = "v1=" }
    timestamp = { header = "x-acme-signature", split = ",", prefix = "t=", unit = "s", tolerance = 300 }
    message   = "{timestamp}.{body}"
    id        = { header = "x-acme-delivery" }
    type      = { json = "/type" }
"#;

#[test]
fn the_generic_example() {
    let scheme = compile(None, INHOUSE, &["old", "new"]);
    let body = r#"{"type":"order.paid"}"#;
    let signed =
        |time: &str, key: &[u8]| format!("t={time},v1={}", hex::encode(mac(key, &format!("{time}.{body}"))));
    let good = signed("1700000000", b"new");
    let accepted = "accepted: id d-1, type order.paid";
    for (signature, expected) in [
        (good.as_str(), accepted),
        (&signed("1699999700", b"old"), accepted),
        (&format!("{good},v1=00"), accepted),
        (&good.replace(',', " , "), accepted),
        (&signed("1699999699", b"new"), "401 the timestamp is more than 300 s off"),
        (&signed("soon", b"new"), "400 the timestamp cannot be read"),
        (&signed("1700000000", b"other"), "401 the signature does not match"),
        (&good.replace("t=17", "t=16"), "401 the timestamp is more than 300 s off"),
        (&good[13..], "401 the timestamp is missing"),
        ("t=1700000000", "401 the signature is missing"),
        ("t=1700000000,v1=xyz", "401 the signature cannot be decoded"),
    ] {
        let headers = [("x-acme-signature", signature), ("x-acme-delivery", "d-1")];
        assert_eq!(reason(judge(&scheme, &headers, body.as_bytes())), expected, "{signature}");
    }
}

#[test]
fn a_header_of_separators_costs_one_look() {
    let scheme = compile(Some("stripe"), "", &["whsec_secret"]);
    for (value, expected) in [
        (",".repeat(400_000), "401 the signature is missing"),
        ("v1=zz,".repeat(70_000), "401 the signature cannot be decoded"),
    ] {
        assert_eq!(reason(judge(&scheme, &[("stripe-signature", &value)], b"{}")), expected);
    }
}

#[test]
fn a_public_key_is_no_hmac_key() {
    let public = "aG+IPl4AsoailbJrQpMGOuqX4oO9qc3e+CoXY0xiEpE=";
    let prefixed = format!("whpk_{public}");
    let forged = |key: &[u8]| STANDARD.encode(mac(key, "m.1700000000.{}"));
    for name in ["standard-webhooks", "standard-webhooks-v1a"] {
        let scheme = compile(Some(name), "", &[&prefixed]);
        for key in [STANDARD.decode(public).unwrap(), public.into(), prefixed.clone().into_bytes()] {
            for version in ["v1", "v1a"] {
                let signature = format!("{version},{}", forged(&key));
                let headers = [
                    ("webhook-id", "m"),
                    ("webhook-timestamp", "1700000000"),
                    ("webhook-signature", signature.as_str()),
                ];
                let verdict = judge(&scheme, &headers, b"{}");
                assert!(matches!(verdict, Verdict::Unauthorized(_)), "{name} {version}: {verdict}");
            }
        }
    }
}

#[test]
fn tokens() {
    let verify = |place: &str| format!("algorithm = \"token\"\nbody_unsigned = true\n{place}");
    let header = compile(None, &verify("signature = { header = \"X-Token\" }"), &["a", "b, c"]);
    let query = compile(None, &verify("signature = { query = \"key\" }"), &["s t"]);
    let bearer =
        compile(None, &verify("signature = { header = \"authorization\", prefix = \"Bearer \" }"), &["a"]);
    let basic = "signature = { header = \"authorization\", prefix = \"Basic \" }\nencoding = \"base64\"";
    let basic = compile(None, &verify(basic), &["user:pass"]);
    let accepted = "accepted: id -, type -";
    let wrong = "401 the signature does not match";
    for (scheme, headers, expected) in [
        (&header, &[("x-token", "a")][..], accepted),
        (&header, &[("x-token", "b, c")], accepted),
        (&header, &[("x-token", "b")], wrong),
        (&header, &[("x-token", "aa")], wrong),
        (&header, &[("x-token", "A")], wrong),
        (&header, &[("x-token", "")], "401 the signature is missing"),
        (&header, &[], "401 the signature is missing"),
        (&query, &[], accepted),
        (&bearer, &[("authorization", "Bearer a")], accepted),
        (&bearer, &[("authorization", "bearer a")], accepted),
        (&bearer, &[("authorization", "a")], "401 the signature is missing"),
        (&basic, &[("authorization", "Basic dXNlcjpwYXNz")], accepted),
        (&basic, &[("authorization", "Basic dXNlcjpwYXNx")], wrong),
        (&basic, &[("authorization", "Basic user:pass")], "401 the signature cannot be decoded"),
    ] {
        assert_eq!(reason(judge(scheme, headers, b"x")), expected, "{headers:?}");
    }
}

#[test]
fn any_template_may_match_and_plain_hashes_take_the_secret() {
    let verify = "algorithm = \"sha256\"\nsignature = { header = \"s\" }\n\
                  message = [\"{secret}{header:x-a}{body}\", \"{secret}{method}{url}{body}\"]\n\
                  require = { x-version = \"2\" }";
    let scheme = compile(None, verify, &["k"]);
    let first = hex::encode(Sha256::digest("kab"));
    let second = hex::encode(Sha256::digest("kPOSThttps://h.test/in/xb"));
    let accepted = "accepted: id -, type -";
    for (headers, expected) in [
        (&[("s", first.as_str()), ("x-a", "a"), ("x-version", "2")][..], accepted),
        (&[("s", &second), ("x-version", "2")], accepted),
        (&[("s", &first), ("x-version", "2")], "401 header x-a is missing"),
        (&[("s", &second)], "401 header x-version is missing or not the expected one"),
        (&[("s", &second), ("x-version", "1")], "401 header x-version is missing or not the expected one"),
    ] {
        assert_eq!(reason(judge(&scheme, headers, b"b")), expected);
    }
}

#[test]
fn proof_inside_the_body() {
    let verify = "signature = { json = \"/sig\" }\nbody_unsigned = true\n\
                  timestamp = { json = \"/at\" }\nmessage = \"{timestamp}{json:/token}\"";
    let scheme = compile(None, verify, &["k"]);
    let signature = hex::encode(mac(b"k", "1700000000t"));
    let good = format!(r#"{{"sig":"{signature}","at":1700000000,"token":"t"}}"#);
    for (body, expected) in [
        (good.as_str(), "accepted: id -, type -"),
        (&good.replace("\"t\"", "\"u\""), "401 the signature does not match"),
        (&good.replace("\"t\"", "[]"), "401 /token in the body is missing"),
        ("{}", "401 the signature is missing"),
        ("not json", "400 the body is not JSON"),
    ] {
        assert_eq!(reason(judge(&scheme, &[], body.as_bytes())), expected, "{body}");
    }
}

#[test]
fn the_time_may_be_inside_a_signed_body() {
    let verify =
        "signature = { header = \"s\" }\ntimestamp = { json = \"/at\", unit = \"ms\", tolerance = 60 }";
    let scheme = compile(None, verify, &["k"]);
    for (body, expected) in [
        (r#"{"at":1699999940000}"#, "accepted: id -, type -"),
        (r#"{"at":1699999939999}"#, "401 the timestamp is more than 60 s off"),
        (r#"{"at":1.5}"#, "400 the timestamp cannot be read"),
        ("{}", "401 the timestamp is missing"),
        ("", "400 the body is not JSON"),
    ] {
        let signature = hex::encode(mac(b"k", body));
        assert_eq!(reason(judge(&scheme, &[("s", &signature)], body.as_bytes())), expected, "{body}");
    }
}

#[test]
fn ids_and_types() {
    let long = "x".repeat(MAX_NAME + 1);
    let fits = "x".repeat(MAX_NAME);
    for (verify, headers, body, expected) in [
        ("id = { header = \"i\" }", &[("i", "a")][..], "", "accepted: id a, type -"),
        ("id = { header = \"i\" }", &[("i", "")], "", "accepted: id -, type -"),
        ("id = { header = \"i\" }", &[("i", &long)], "", "accepted: id -, type -"),
        ("id = { header = \"i\" }", &[("i", &fits)], "", &format!("accepted: id {fits}, type -")),
        ("id = { json = \"/i\" }", &[], "no json", "accepted: id -, type -"),
        ("id = { json = \"/i\" }", &[], r#"{"i":5}"#, "accepted: id 5, type -"),
        ("id = { json = \"/i\" }", &[], r#"{"i":"a\nb"}"#, "accepted: id -, type -"),
        (
            "id = [{ header = \"i\" }, { json = \"/n\" }]",
            &[("i", "a")],
            r#"{"n":1}"#,
            "accepted: id a.1, type -",
        ),
        ("id = [{ header = \"i\" }, { json = \"/n\" }]", &[("i", "a")], "{}", "accepted: id -, type -"),
        ("type = [{ header = \"t\" }, { json = \"/a\" }]", &[("t", "a")], "{}", "accepted: id -, type a"),
        (
            "type = [{ header = \"t\" }, { json = \"/a\" }]",
            &[("t", "a")],
            r#"{"a":"b"}"#,
            "accepted: id -, type a.b",
        ),
        ("type = [{ header = \"t\" }, { json = \"/a\" }]", &[], r#"{"a":"b"}"#, "accepted: id -, type -"),
        ("type = { json = [\"/e/t\", \"/t\"] }", &[], r#"{"t":"b","e":{}}"#, "accepted: id -, type b"),
        ("type = { json = [\"/e/t\", \"/t\"] }", &[], r#"{"t":"b","e":{"t":"c"}}"#, "accepted: id -, type c"),
        ("type = { json = \"/t\" }", &[], "{\"t\":\"a\u{7f}\"}", "accepted: id -, type -"),
    ] {
        let scheme = compile(Some("none"), verify, &[]);
        assert!(scheme.is_open());
        assert_eq!(
            judge(&scheme, headers, body.as_bytes()).to_string(),
            expected,
            "{verify} {headers:?} {body}"
        );
    }
}

#[test]
fn form_encoded_deliveries_keep_their_type() {
    let scheme = compile(Some("github"), "", &["k"]);
    let body = "payload=%7B%22action%22%3A%22opened%22%7D";
    let signature = format!("sha256={}", hex::encode(mac(b"k", body)));
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-github-event", "issues"),
        ("x-github-delivery", "d"),
        ("x-hub-signature-256", signature.as_str()),
    ];
    assert_eq!(judge(&scheme, &headers, body.as_bytes()).to_string(), "accepted: id d, type issues.opened");
}

#[test]
fn a_preset_with_overrides() {
    let verify = "id = { json = \"/delivery\" }\nsignature = { header = \"x-my-signature\" }";
    let scheme = compile(Some("github"), verify, &["k"]);
    let body = r#"{"delivery":"d","action":"opened"}"#;
    let signature = hex::encode(mac(b"k", body));
    let headers = [("x-my-signature", signature.as_str()), ("x-github-event", "issues")];
    assert_eq!(judge(&scheme, &headers, body.as_bytes()).to_string(), "accepted: id d, type issues.opened");
}

#[test]
fn only_so_many_signatures_are_tried() {
    let scheme = compile(Some("stripe"), "", &["k"]);
    let good = hex::encode(mac(b"k", "1700000000.{}"));
    for (before, is_accepted) in [(99, true), (100, false)] {
        let wrong = format!("v1={},", "0".repeat(64)).repeat(before);
        let headers = [("stripe-signature", format!("t=1700000000,{wrong}v1={good}"))];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let verdict = judge(&scheme, &headers, b"{}");
        assert_eq!(matches!(verdict, Verdict::Accepted(_)), is_accepted, "after {before}: {verdict}");
    }
}

fn answers(scheme: &Scheme, headers: &[(&str, &str)], body: &[u8]) -> String {
    reason(judge(scheme, headers, body))
}

/// Rule 14 of the providers, and what keeps a batch together: every item counts.
#[test]
fn rule_14_every_element_must_have_the_token() {
    let verify = "algorithm = \"token\"\nbody_unsigned = true\ntoken_stored = true\n\
                  signature = { json = \"/value/*/state\" }\nid = { json = \"/value/*/id\" }";
    let scheme = compile(None, verify, &["a", "b"]);
    let wrong = "401 the signature does not match";
    let missing = "401 the signature is missing";
    for (body, expected) in [
        (r#"{"value":[{"state":"a","id":"1"}]}"#, "accepted: id 1, type -"),
        (r#"{"value":[{"state":"a","id":"1"},{"state":"b","id":"2"}]}"#, "accepted: id 1.2, type -"),
        (r#"{"value":[{"state":"a","id":"1"},{"state":"a"}]}"#, "accepted: id -, type -"),
        (r#"{"value":[{"state":"a"},{"state":"c"}]}"#, wrong),
        (r#"{"value":[{"state":"c"},{"state":"a"}]}"#, wrong),
        (r#"{"value":[{"state":"a"},{}]}"#, missing),
        (r#"{"value":[{"state":"a"},{"state":""}]}"#, missing),
        (r#"{"value":[{"state":"a"},"x"]}"#, missing),
        (r#"{"value":[]}"#, missing),
        (r#"{"value":{"0":{"state":"a"}}}"#, missing),
        (r#"{"value":[{"state":"c"}],"value":[{"state":"a"}]}"#, missing),
        ("{}", missing),
        ("", "400 the body is not JSON"),
    ] {
        assert_eq!(answers(&scheme, &[], body.as_bytes()), expected, "{body}");
    }
}

#[test]
fn the_id_of_a_batch_is_hashed_where_it_is_long() {
    let scheme = compile(Some("none"), "id = { json = \"/*/id\" }", &[]);
    let batch = |count: usize| format!("[{}]", vec![r#"{"id":"0123456789"}"#; count].join(","));
    let joined = vec!["0123456789"; 23].join(".");
    assert_eq!(answers(&scheme, &[], batch(23).as_bytes()), format!("accepted: id {joined}, type -"));
    // Python: hashlib.sha256(b'.'.join([b'0123456789'] * 24)).hexdigest()
    let hashed = "ac6d5849a986b18df7488ccddc2298c371cb71b065835e6edfc98b6059e8ca50";
    assert_eq!(answers(&scheme, &[], batch(24).as_bytes()), format!("accepted: id {hashed}, type -"));
    assert_eq!(answers(&scheme, &[], br#"[{"id":"a"},{}]"#), "accepted: id -, type -");
    let control = format!("[{}]", vec![r#"{"id":"0123456789\n"}"#; 24].join(","));
    assert_eq!(answers(&scheme, &[], control.as_bytes()), "accepted: id -, type -");
}

/// Rules 1, 2, 6 and 7 of the providers.
#[test]
fn rules_1_2_6_and_7() {
    // 1: bytes, not text.
    let github = compile(Some("github"), "", &["old", "new"]);
    let body = b"\xff\xfe{\x00";
    let sign = |key: &[u8], body: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(body);
        mac.finalize().into_bytes().to_vec()
    };
    let (old, new) = (hex::encode(sign(b"old", body)), hex::encode(sign(b"new", body)));
    let other = "0".repeat(64);
    let wrong = "401 the signature does not match";
    for (values, expected) in [
        (&[format!("sha256={new}")][..], "accepted"),
        // 2: decoded, then compared.
        (&[format!("sha256={}", old.to_uppercase())], "accepted"),
        (&[format!("sha256={} ", &new[..62])], wrong),
        (&[format!("sha256= {new}")], "401 the signature cannot be decoded"),
        // 6: every secret with every signature, repeated or joined.
        (&[format!("sha256={other}"), format!("sha256={old}")], "accepted"),
        (&[format!("sha256={other}, sha256={new}")], "accepted"),
        (&[format!("sha256={other},sha256={new}")], "accepted"),
        (&[format!("sha256={other}"), format!("sha256={other}")], wrong),
    ] {
        let headers: Vec<_> = values.iter().map(|value| ("x-hub-signature-256", value.as_str())).collect();
        let said = answers(&github, &headers, body);
        assert!(said.starts_with(expected), "{values:?}: {said}");
    }
    // 2: base64 is strict.
    let shopify = compile(Some("shopify"), "", &["k"]);
    let good = STANDARD.encode(sign(b"k", b"{}"));
    for (value, is_accepted) in [
        (good.clone(), true),
        (good.trim_end_matches('=').to_owned(), false),
        (format!("{}\t{}", &good[..8], &good[8..]), false),
    ] {
        let verdict = judge(&shopify, &[("x-shopify-hmac-sha256", &value)], b"{}");
        assert_eq!(matches!(verdict, Verdict::Accepted(_)), is_accepted, "{value}: {verdict}");
    }
    // 7: whsec_ is part of Stripe's key, and a prefix of that of Standard Webhooks.
    let secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
    let text = hex::encode(sign(secret.as_bytes(), b"1700000000.{}"));
    let bytes = STANDARD.encode(sign(b"012345678901234567890123", b"m.1700000000.{}"));
    let stripe = compile(Some("stripe"), "", &[secret]);
    let standard = compile(Some("standard-webhooks"), "", &[secret]);
    let stripe = answers(&stripe, &[("stripe-signature", &format!("t=1700000000,v1={text}"))], b"{}");
    let headers = [
        ("webhook-id", "m"),
        ("webhook-timestamp", "1700000000"),
        ("webhook-signature", &format!("v1,{bytes}")),
    ];
    let standard = answers(&standard, &headers, b"{}");
    assert!(stripe.starts_with("accepted") && standard.starts_with("accepted"), "{stripe}, {standard}");
}

/// Rules 3, 4 and 5 of the providers.
#[test]
fn rules_3_4_and_5() {
    let scheme = compile(Some("slack"), "", &["k"]);
    for (time, expected) in [
        ("1700000000", "accepted"),
        ("1699999700", "accepted"),
        ("1699999699", "401 the timestamp is more than 300 s off"),
        ("1700000300", "accepted"),
        ("1700000301", "401 the timestamp is more than 300 s off"),
        ("1700000000abc", "400 the timestamp cannot be read"),
        ("+1700000000", "400 the timestamp cannot be read"),
        ("1700000000.0", "400 the timestamp cannot be read"),
    ] {
        let signature = format!("v0={}", hex::encode(mac(b"k", &format!("v0:{time}:{{}}"))));
        let headers = [("x-slack-request-timestamp", time), ("x-slack-signature", signature.as_str())];
        let said = answers(&scheme, &headers, b"{}");
        assert!(said.starts_with(expected), "{time}: {said}");
    }
}

/// Rule 8 of the providers: the URL is the registered one, and its bytes are not tidied up.
#[test]
fn rule_8_the_url_is_signed_as_it_is() {
    let scheme = compile(None, "signature = { header = \"s\" }\nmessage = \"{url}{body}\"", &["k"]);
    let signed = |url: &str| hex::encode(mac(b"k", &format!("{url}b")));
    for url in ["https://u:p@H.test:443/a/../%7e?b=%20&a=+", "https://h.test", "https://h.test/?"] {
        for (of, is_accepted) in [(url.to_owned(), true), (url.to_lowercase(), url.to_lowercase() == url)] {
            let headers =
                HeaderMap::from_iter([(HeaderName::from_static("s"), signed(&of).parse().unwrap())]);
            let request = Request {
                method: "POST",
                path: "/seen/behind/a/proxy",
                query: Some("x"),
                headers: &headers,
                body: b"b",
                public_url: Some(url),
            };
            let verdict = scheme.verify(&request, NOW, &Documents::default());
            assert_eq!(matches!(verdict, Verdict::Accepted(_)), is_accepted, "{url}, signed {of}: {verdict}");
        }
    }
}

#[test]
fn all_and_any_of_several_checks() {
    let check = |header: &str, secret: &str| {
        format!("{{ signature = {{ header = \"{header}\" }}, secrets = [\"{secret}\"] }}")
    };
    let token = "{ preset = \"gitlab-token\" }";
    let both = format!("all = [{}, {token}]\nid = {{ header = \"i\" }}", check("a", "k"));
    let one = format!("any = [{}, {}, {token}]", check("a", "k"), check("b", "l"));
    let nested = format!("all = [{}, {{ any = [{}, {token}] }}]", check("a", "k"), check("b", "l"));
    let (mac_k, mac_l) = (hex::encode(mac(b"k", "{}")), hex::encode(mac(b"l", "{}")));
    let (a, b, t) = (("a", mac_k.as_str()), ("b", mac_l.as_str()), ("x-gitlab-token", "t"));
    let named = ("idempotency-key", "k-1");
    let (missing, wrong) = ("401 the signature is missing", "401 the signature does not match");
    for (verify, headers, expected) in [
        (&both, &[a, t][..], "accepted: id -, type -"),
        (&both, &[a, t, named], "accepted: id k-1, type -"),
        (&both, &[a, t, named, ("i", "own")], "accepted: id own, type -"),
        (&both, &[a], missing),
        (&both, &[t], missing),
        (&both, &[("a", mac_l.as_str()), t], wrong),
        (&one, &[a], "accepted: id -, type -"),
        (&one, &[b], "accepted: id -, type -"),
        (&one, &[t, named], "accepted: id k-1, type -"),
        (&one, &[], missing),
        (
            &one,
            &[("a", mac_l.as_str()), ("x-gitlab-token", "k")],
            "401 the signature does not match; the signature is missing",
        ),
        (&nested, &[a, b], "accepted: id -, type -"),
        (&nested, &[a, t], "accepted: id -, type -"),
        (&nested, &[b, t], missing),
        (&nested, &[a], missing),
    ] {
        assert_eq!(answers(&compile(None, verify, &["t"]), headers, b"{}"), expected, "{verify} {headers:?}");
    }
    let credentials = compile(None, &nested, &["t"]).credentials().clone();
    assert_eq!(credentials.headers, ["x-gitlab-token"]);
}

#[test]
fn a_second_key_signs_in_its_own_place() {
    let verify = "signature = { header = \"one\" }\nsecondary = { header = \"two\" }";
    let config: VerifyConfig = toml::from_str(verify).unwrap();
    let make = |secrets: &[&str], second: Option<&str>| {
        let extras = crate::verify::Extras { secondary_secret: second, ..crate::verify::Extras::default() };
        Scheme::compile(&Setup { verify: Some(&config), secrets, extras, ..Setup::default() }).unwrap()
    };
    let (apart, together) = (make(&["k"], Some("l")), make(&["k", "l"], None));
    let (k, l) = (hex::encode(mac(b"k", "b")), hex::encode(mac(b"l", "b")));
    for (headers, is_apart, is_together) in [
        (&[("one", k.as_str())][..], true, true),
        (&[("two", l.as_str())], true, true),
        (&[("one", l.as_str())], false, true),
        (&[("two", k.as_str())], false, true),
        (&[("one", "00"), ("two", l.as_str())], true, true),
        (&[("three", k.as_str())], false, false),
    ] {
        for (scheme, expected) in [(&apart, is_apart), (&together, is_together)] {
            let verdict = judge(scheme, headers, b"b");
            assert_eq!(matches!(verdict, Verdict::Accepted(_)), expected, "{headers:?}: {verdict}");
        }
    }
}

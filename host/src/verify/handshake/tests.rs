//! Every handshake with what is wrong in every way; the exact answers of whole ones are
//! recorded, in `tests/vectors/`.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::{Documents, Effect, Extras, Reply, Scheme, Setup, Verdict, VerifyConfig};
use super::given::MAX;
use super::*;
use crate::model::Millis;

/// A request in one line.
#[derive(Clone, Copy)]
struct Told<'a> {
    method: &'a str,
    query: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
}

const GET: Told<'_> = Told { method: "GET", query: "", headers: &[], body: "" };
const POST: Told<'_> = Told { method: "POST", ..GET };

fn scheme(handshake: &str, secrets: &[&str]) -> Scheme {
    let verify = format!("signature = {{ header = \"x-s\" }}\nhandshake = \"{handshake}\"");
    let verify: VerifyConfig = toml::from_str(&verify).unwrap();
    let extras = Extras {
        verify_token: (handshake == "meta-subscribe").then_some("t0ken"),
        public_key: (handshake == "braintree-challenge").then_some("pub"),
        ..Extras::default()
    };
    let setup = Setup { verify: Some(&verify), secrets, extras, ..Setup::default() };
    Scheme::compile(&setup).unwrap()
}

fn ask(handshake: &str, told: Told<'_>) -> Verdict {
    let mut headers = HeaderMap::new();
    for (name, value) in told.headers {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
    }
    let request = Request {
        method: told.method,
        path: "/in/x",
        query: (!told.query.is_empty()).then_some(told.query),
        headers: &headers,
        body: told.body.as_bytes(),
        public_url: Some("https://h.test/in/x"),
    };
    scheme(handshake, &["s3cret"]).verify(&request, Millis(1_700_000_000_000), &Documents::default())
}

/// Status, content type and body of an answer, or the refusal.
fn said(handshake: &str, told: Told<'_>) -> String {
    match ask(handshake, told) {
        Verdict::Handshake(reply) => {
            format!("{} {} {}", reply.status, reply.content_type.unwrap_or("-"), reply.body)
        }
        other => other.to_string(),
    }
}

/// What is no handshake is an event, and proves nothing here.
const NOT_ONE: &str = "unauthorized: the signature is missing";

#[test]
fn challenges_of_the_query_are_whole_or_refused() {
    let long = "x".repeat(MAX);
    let longer = "x".repeat(MAX + 1);
    for (handshake, name, told) in
        [("query-challenge", "challenge", GET), ("ms-graph-validation", "validationToken", POST)]
    {
        let plain = |body: &str| format!("200 text/plain {body}");
        for (value, expected) in [
            ("abc", plain("abc")),
            ("a%20b+c", plain("a b c")),
            ("%3Cscript%3Ealert(1)%3C/script%3E", plain("<script>alert(1)</script>")),
            (&long, plain(&long)),
            (&longer, format!("malformed: {name} is longer than {MAX} bytes")),
            ("", format!("malformed: {name} is empty")),
            ("a%0D%0Aset-cookie:%20x", format!("malformed: {name} has control characters")),
            ("a%00", format!("malformed: {name} has control characters")),
            ("a%C2%85", format!("malformed: {name} has control characters")),
        ] {
            let query = format!("x=1&{name}={value}");
            assert_eq!(said(handshake, Told { query: &query, ..told }), expected, "{query}");
        }
        let twice = format!("{name}=a&{name}=b");
        let refused = format!("malformed: {name} is given twice");
        assert_eq!(said(handshake, Told { query: &twice, ..told }), refused);
        for other in ["", "other=abc", "Challenge=abc"] {
            assert_eq!(said(handshake, Told { query: other, ..told }), NOT_ONE, "{other}");
        }
        let elsewhere = if told.method == "GET" { POST } else { GET };
        let query = format!("{name}=abc");
        assert_eq!(said(handshake, Told { query: &query, ..elsewhere }), NOT_ONE);
    }
    let sharepoint = Told { query: "validationtoken=abc", ..POST };
    assert_eq!(said("ms-graph-validation", sharepoint), "200 text/plain abc");
    let both = Told { query: "validationtoken=abc&validationToken=abc", ..POST };
    assert_eq!(said("ms-graph-validation", both), "malformed: validationToken is given twice");
}

#[test]
fn meta_wants_its_token_first() {
    for (query, expected) in [
        ("hub.mode=subscribe&hub.challenge=1&hub.verify_token=t0ken", "200 text/plain 1"),
        ("hub.mode=subscribe&hub.challenge=1&hub.verify_token=t0kem", "forbidden"),
        ("hub.mode=subscribe&hub.challenge=1&hub.verify_token=", "malformed: hub.verify_token is empty"),
        ("hub.mode=subscribe&hub.challenge=1", "forbidden"),
        ("hub.challenge=%0d%0a", "malformed: hub.challenge has control characters"),
        ("hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=t0ken", "malformed: hub.mode is not"),
        ("hub.challenge=1&hub.verify_token=t0ken", "malformed: hub.mode is not"),
        ("hub.mode=subscribe&hub.verify_token=t0ken", "malformed: hub.challenge is missing"),
        (
            "hub.mode=subscribe&hub.challenge=1&hub.challenge=2&hub.verify_token=t0ken",
            "malformed: hub.challenge is given",
        ),
        (
            "hub.mode=subscribe&hub.challenge=1&hub.verify_token=t0ken&hub.verify_token=x",
            "malformed: hub.verify_token is",
        ),
        ("mode=subscribe", "not found"),
        ("", "not found"),
    ] {
        let said = said("meta-subscribe", Told { query, ..GET });
        assert!(said.starts_with(expected), "{query}: {said}");
    }
    let posted = Told { query: "hub.mode=subscribe&hub.challenge=1&hub.verify_token=t0ken", ..POST };
    assert_eq!(said("meta-subscribe", posted), NOT_ONE);
    assert!(!scheme("meta-subscribe", &["s"]).lacks_verify_token());
}

#[test]
fn a_challenge_in_a_header_is_visible_ascii() {
    const NAME: &str = "x-okta-verification-challenge";
    let longer = "x".repeat(MAX + 1);
    for (value, expected) in [
        ("abc", "200 application/json {\"verification\":\"abc\"}"),
        ("<b>\"", "200 application/json {\"verification\":\"<b>\\\"\"}"),
        ("", "malformed: x-okta-verification-challenge is empty"),
        ("a b", "malformed: x-okta-verification-challenge has characters that it cannot have"),
        ("é", "malformed: x-okta-verification-challenge has characters that it cannot have"),
        (&longer, "malformed: x-okta-verification-challenge is longer than 512 bytes"),
    ] {
        assert_eq!(said("okta-challenge", Told { headers: &[(NAME, value)], ..GET }), expected, "{value}");
    }
    let twice = Told { headers: &[(NAME, "a"), (NAME, "b")], ..GET };
    assert_eq!(said("okta-challenge", twice), "malformed: x-okta-verification-challenge is given twice");
    assert_eq!(said("okta-challenge", GET), NOT_ONE);
    assert_eq!(said("okta-challenge", Told { headers: &[(NAME, "abc")], ..POST }), NOT_ONE);
}

#[test]
fn mondays_challenge_comes_back_in_json() {
    for (body, expected) in [
        (r#"{"challenge":"3eZ"}"#, r#"200 application/json {"challenge":"3eZ"}"#),
        (r#"{"challenge":"<i>\u0022"}"#, r#"200 application/json {"challenge":"<i>\""}"#),
        (r#"{"challenge":""}"#, "malformed: challenge is empty"),
        (r#"{"challenge":"a\r\nb"}"#, "malformed: challenge has control characters"),
        (r#"{"challenge":"a","event":{"type":"create_item"}}"#, NOT_ONE),
        (r#"{"challenge":{}}"#, NOT_ONE),
        ("{}", NOT_ONE),
        ("[", NOT_ONE),
    ] {
        assert_eq!(said("monday-challenge", Told { body, ..POST }), expected, "{body}");
    }
}

/// What anybody may have signed must be of no use: neither JSON nor what stands before
/// it in a signed message.
#[test]
fn macs_are_given_of_nothing_that_an_event_signs() {
    for (handshake, name) in [
        ("x-crc", "crc_token"),
        ("linkedin-challenge", "challengeCode"),
        ("braintree-challenge", "bt_challenge"),
    ] {
        for value in ["%7B%7D", "%22a%22", "hmacsha256%3D%7B%7D", "a%0Ab", "%5B%5D", "a.b", "a:b", "a%20b"] {
            let query = format!("{name}={value}");
            let said = said(handshake, Told { query: &query, ..GET });
            assert!(said.starts_with("malformed: "), "{query}: {said}");
        }
        for query in
            [format!("{name}="), format!("{name}={}", "a".repeat(MAX + 1)), format!("{name}=ab&{name}=ab")]
        {
            let said = said(handshake, Told { query: &query, ..GET });
            assert!(said.starts_with("malformed: "), "{query}: {said}");
        }
        assert_eq!(said(handshake, GET), NOT_ONE, "without {name}");
        let posted = format!("{name}={}", "a".repeat(20));
        assert_eq!(said(handshake, Told { query: &posted, ..POST }), NOT_ONE);
    }
    let query = format!("bt_challenge={}", "a".repeat(33));
    let said = said("braintree-challenge", Told { query: &query, ..GET });
    assert_eq!(said, "malformed: bt_challenge is not 20 to 32 hexadecimal digits");
}

/// The oracle's other side: a body that it would sign is no event. The signatures are
/// another program's (Python's hmac), by the key `s3cret`.
#[test]
fn a_body_like_a_challenge_is_refused_though_it_is_signed() {
    const ACCEPTED: &str = "accepted: id -, type -";
    for (body, signature, expected) in [
        (
            "foobar",
            "f3087be0f4918283c497bc1060783b871047b8563a21b75e772d90cd35ad648e",
            "unauthorized: a body like a challenge proves nothing",
        ),
        ("{}", "adbde1ce40c89c14215687d5d762a47df6dfaefcfad61e2e86718ffc8498571b", ACCEPTED),
        ("", "91dfac70c5348b04e1babb8b421ac92cec08b565b49ca16130dccb72503647b7", ACCEPTED),
    ] {
        for handshake in ["x-crc", "linkedin-challenge"] {
            let told = Told { headers: &[("x-s", signature)], body, ..POST };
            assert_eq!(said(handshake, told), expected, "{handshake}: {body}");
        }
    }
}

#[test]
fn secrets_are_learnt_from_whole_handshakes_only() {
    let learnt = |handshake: &str, told| match ask(handshake, told) {
        Verdict::Handshake(Reply {
            status: 200, effect: Some(Effect::Learn(secret)), headers, body, ..
        }) => {
            assert_eq!(body, "");
            let echoed: Vec<_> =
                headers.iter().map(|header| format!("{}: {}", header.name, header.value)).collect();
            format!("{} {}", secret.expose(), echoed.join(", "))
        }
        other => other.to_string(),
    };
    let longer = "x".repeat(MAX + 1);
    let too_long = [("x-hook-secret", longer.as_str())];
    for (headers, expected) in [
        (&[("x-hook-secret", "abc")][..], "abc x-hook-secret: abc"),
        (&[("x-hook-secret", "abc"), ("x-hook-signature", "00")], NOT_ONE),
        (&[("x-hook-secret", "abc"), ("x-hook-secret", "abd")], "malformed: x-hook-secret is given twice"),
        (&[("x-hook-secret", "")], "malformed: x-hook-secret is empty"),
        (&[("x-hook-secret", "a b")], "malformed: x-hook-secret has characters that it cannot have"),
        (&too_long, "malformed: x-hook-secret is longer than 512 bytes"),
        (&[], NOT_ONE),
    ] {
        assert_eq!(learnt("hook-secret", Told { headers, ..POST }), expected, "{headers:?}");
    }
    assert_eq!(learnt("hook-secret", Told { headers: &[("x-hook-secret", "abc")], ..GET }), NOT_ONE);
    let long = format!(r#"{{"verification_token":"{longer}"}}"#);
    for (body, expected) in [
        (r#"{"verification_token":"secret_a"}"#, "secret_a "),
        (r#"{"verification_token":"secret_a","id":"1"}"#, NOT_ONE),
        (r#"{"verification_token":""}"#, "malformed: verification_token is empty"),
        (r#"{"verification_token":"a\r\nb"}"#, "malformed: verification_token has control characters"),
        (
            r#"{"verification_token":"a b"}"#,
            "malformed: verification_token has characters that it cannot have",
        ),
        (&long, "malformed: verification_token is longer than 512 bytes"),
        ("{}", NOT_ONE),
    ] {
        assert_eq!(learnt("notion-verification-token", Told { body, ..POST }), expected, "{body}");
    }
}

#[test]
fn what_is_learnt_is_tried_beside_what_is_configured() {
    let awaiting = scheme("hook-secret", &[]);
    assert!(awaiting.has_no_secret() && awaiting.learns() && !awaiting.shows_secret());
    // Python's hmac: HMAC-SHA256 of "{}" by `s3cret`.
    let mut headers = HeaderMap::new();
    headers.insert(
        "x-s",
        HeaderValue::from_static("adbde1ce40c89c14215687d5d762a47df6dfaefcfad61e2e86718ffc8498571b"),
    );
    let request =
        Request { method: "POST", path: "/", query: None, headers: &headers, body: b"{}", public_url: None };
    let judged = |scheme: &Scheme| scheme.verify(&request, Millis(0), &Documents::default()).to_string();
    let secrets = |texts: &[&str]| texts.iter().map(|text| Secret::from_text(*text)).collect::<Vec<_>>();
    assert_eq!(judged(&awaiting), "unauthorized: there is no secret yet");
    for (own, more, expected) in [
        (&[][..], &["s3cret"][..], "accepted: id -, type -"),
        (&[], &["other", "s3cret"], "accepted: id -, type -"),
        (&["s3cret"], &["other"], "accepted: id -, type -"),
        (&["other"], &["another"], "unauthorized: the signature does not match"),
    ] {
        let learnt = scheme("hook-secret", own).with_secrets(&secrets(more)).unwrap();
        assert!(!learnt.has_no_secret());
        assert_eq!(judged(&learnt), expected, "{own:?} {more:?}");
        assert_eq!(judged(&learnt.with_secrets(&[]).unwrap()), expected, "made again");
    }
    let refused = awaiting.with_secrets(&secrets(&["whpk_aaaa"])).unwrap_err().to_string();
    assert!(refused.starts_with("secrets[0]: is one key of a pair"), "{refused}");
    assert!(!refused.contains("aaaa"));
    assert!(scheme("notion-verification-token", &[]).shows_secret());
}

#[test]
fn a_scheme_without_a_secret_is_checked_all_the_same() {
    for (verify, expected) in [
        ("message = \"x\"", "verify.message: does not sign the {body}"),
        ("algorithm = \"ed25519\"\nsecret = \"hex\"", "secrets[0]: is not an Ed25519 public key"),
        ("secret = \"hex\"", ""),
        ("secret = \"base64\"", ""),
        ("secret = \"whsec\"", ""),
    ] {
        let verify = format!("signature = {{ header = \"x-s\" }}\nhandshake = \"hook-secret\"\n{verify}");
        let verify: VerifyConfig = toml::from_str(&verify).unwrap();
        let made = Scheme::compile(&Setup { verify: Some(&verify), ..Setup::default() });
        let said = made.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(said.starts_with(expected) && said.is_empty() == expected.is_empty(), "{said}");
    }
}

#[test]
fn unsigned_pings_are_exactly_that() {
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    for (headers, body, expected) in [
        (&[FORM][..], "webhook_id=7", "200 - "),
        (&[FORM], "webhook_id=", NOT_ONE),
        (&[FORM], "webhook_id=7&x=1", NOT_ONE),
        (&[FORM], "webhook_id=123456789012345678901", NOT_ONE),
        (&[FORM], "webhook_id=a", NOT_ONE),
        (&[("content-type", "application/json")], "webhook_id=7", NOT_ONE),
        (&[], "webhook_id=7", NOT_ONE),
    ] {
        assert_eq!(said("woocommerce-ping", Told { headers, body, ..POST }), expected, "{body}");
    }
    assert_eq!(said("get-probe", GET), "200 - ");
    assert_eq!(said("get-probe", POST), NOT_ONE);
    let origin = |value| [("webhook-request-origin", value)];
    let asked = Told { method: "OPTIONS", ..GET };
    assert_eq!(said("cloudevents", Told { headers: &origin("events.example"), ..asked }), "200 - ");
    assert_eq!(said("cloudevents", asked), NOT_ONE);
    let crooked = said("cloudevents", Told { headers: &origin("a b"), ..asked });
    assert_eq!(crooked, "malformed: webhook-request-origin has characters that it cannot have");
    let posted = Told { headers: &origin("events.example"), ..POST };
    assert_eq!(said("cloudevents", posted), NOT_ONE);
}

const EVENT: &str = "accepted: id -, type -";

/// What a scheme with that handshake says to whoever has its token. Who has another is
/// unauthorized, whatever it asks.
fn proven(handshake: &str, headers: &[(&str, &str)], body: &str) -> String {
    let verify = format!("id = {{ json = \"/id\" }}\nhandshake = \"{handshake}\"");
    let verify: VerifyConfig = toml::from_str(&verify).unwrap();
    let token = "algorithm = \"token\"\nbody_unsigned = true\nsignature = { header = \"x-s\" }";
    let verify = toml::from_str::<VerifyConfig>(token).unwrap().overridden_by(&verify);
    let setup = Setup { verify: Some(&verify), secrets: &["s3cret"], ..Setup::default() };
    let scheme = Scheme::compile(&setup).unwrap();
    let judge = |token: &'static str| {
        let mut map =
            HeaderMap::from_iter([(HeaderName::from_static("x-s"), HeaderValue::from_static(token))]);
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
        }
        let request = Request {
            method: "POST",
            path: "/",
            query: None,
            headers: &map,
            body: body.as_bytes(),
            public_url: None,
        };
        scheme.verify(&request, Millis(0), &Documents::default())
    };
    assert!(matches!(judge("forged"), Verdict::Unauthorized(_)), "{handshake} {body}");
    match judge("s3cret") {
        Verdict::Handshake(reply) => format!("{} {}", reply.status, reply.body),
        other => other.to_string(),
    }
}

#[test]
fn signed_challenges_come_back_to_who_is_proven_only() {
    let long = "x".repeat(MAX + 1);
    let verification = [("twitch-eventsub-message-type", "webhook_callback_verification")];
    let revocation = [("twitch-eventsub-message-type", "revocation")];
    for (handshake, headers, body, expected) in [
        ("slack-url-verification", &[][..], r#"{"type":"url_verification","challenge":"x"}"#, "200 x"),
        (
            "slack-url-verification",
            &[],
            r#"{"type":"url_verification"}"#,
            "malformed: url_verification without a challenge",
        ),
        (
            "slack-url-verification",
            &[],
            r#"{"type":"url_verification","challenge":""}"#,
            "malformed: challenge is empty",
        ),
        (
            "slack-url-verification",
            &[],
            &format!(r#"{{"type":"url_verification","challenge":"{long}"}}"#),
            "malformed: challenge is longer than 512 bytes",
        ),
        ("slack-url-verification", &[], r#"{"type":"event_callback","challenge":"x"}"#, EVENT),
        ("slack-url-verification", &[], r#"{"challenge":"x"}"#, EVENT),
        ("twitch-verification", &verification, r#"{"challenge":"x"}"#, "200 x"),
        ("twitch-verification", &verification, "{}", "malformed: a verification without a challenge"),
        (
            "twitch-verification",
            &verification,
            r#"{"challenge":"a\nb"}"#,
            "malformed: challenge has control characters",
        ),
        ("twitch-verification", &revocation, r#"{"challenge":"x"}"#, EVENT),
        ("twitch-verification", &[], r#"{"challenge":"x"}"#, EVENT),
    ] {
        assert_eq!(proven(handshake, headers, body), expected, "{handshake}: {body}");
    }
}

#[test]
fn signed_pings_are_answered_to_who_is_proven_only() {
    for (handshake, headers, body, expected) in [
        (
            "zoom-url-validation",
            &[][..],
            r#"{"event":"meeting.started","payload":{"plainToken":"x"}}"#,
            EVENT,
        ),
        (
            "zoom-url-validation",
            &[],
            r#"{"event":"endpoint.url_validation"}"#,
            "malformed: endpoint.url_validation without a plainToken",
        ),
        (
            "zoom-url-validation",
            &[],
            r#"{"event":"endpoint.url_validation","payload":{"plainToken":""}}"#,
            "malformed: plainToken is empty",
        ),
        ("discord-ping", &[], r#"{"type":0}"#, "204 "),
        ("discord-ping", &[], r#"{"type":1}"#, r#"200 {"type":1}"#),
        ("discord-ping", &[], r#"{"type":1,"event":{"type":"ENTITLEMENT_CREATE"}}"#, EVENT),
        ("discord-ping", &[], r#"{"type":2}"#, EVENT),
        ("discord-ping", &[], "{}", EVENT),
        ("empty-events", &[], r#"{"destination":"U1","events":[]}"#, "200 "),
        ("empty-events", &[], r#"{"events":[{"type":"message"}]}"#, EVENT),
        ("empty-events", &[], r#"{"events":{}}"#, EVENT),
        ("empty-events", &[], "{}", EVENT),
        ("empty-events", &[], "", EVENT),
    ] {
        assert_eq!(proven(handshake, headers, body), expected, "{handshake}: {body}");
    }
}

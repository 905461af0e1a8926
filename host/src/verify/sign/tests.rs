//! What is signed is accepted, and looks as the provider writes it.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::super::key::Key;
use super::super::{Documents, Request, Setup, Verdict, VerifyConfig, preset_names};
use super::*;

const NOW: Millis = Millis(1_700_000_000_000);
const OWN_KEY: &str = "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn compile(scheme: Option<&str>, verify: &str, secret: &str) -> Scheme {
    let verify: VerifyConfig = toml::from_str(verify).unwrap();
    let secrets = [secret];
    let setup =
        Setup { scheme, verify: Some(&verify), secrets: &secrets, has_public_url: true, ..Setup::default() };
    Scheme::compile(&setup).unwrap()
}

/// Every preset that a shared secret can sign for and whose signature is of the whole
/// body; the asymmetric variant, too.
fn schemes() -> Vec<Scheme> {
    let compiled = |name, secret| {
        let setup = Setup { has_public_url: true, ..Setup::preset(name, secret) };
        Scheme::compile(&setup).ok()
    };
    let mut schemes: Vec<_> =
        preset_names().filter_map(|name| compiled(name, &["c2VjcmV0LXNlY3JldA=="])).collect();
    schemes.retain(|scheme| signs_the_body(scheme) && scheme.sign(&outgoing(b"\xff")).is_ok());
    assert!(schemes.len() >= 6, "schemes were lost");
    schemes.push(compile(Some("standard-webhooks"), "", OWN_KEY));
    schemes.push(compile(Some("standard-webhooks-v1a"), "", OWN_KEY));
    schemes
}

fn signs_the_body(scheme: &Scheme) -> bool {
    let Proof::Signed(signed) = &scheme.proof else { return false };
    !signed.groups[0].is_token && signed.templates.iter().all(|template| template.has(Word::Body))
}

/// A hash of the secret proves nothing of a body that is no text: it may be an extended one.
fn takes(scheme: &Scheme, body: &[u8]) -> bool {
    let Proof::Signed(signed) = &scheme.proof else { return false };
    let hashes_secret = matches!(signed.groups[0].keys[0], Key::Sha256(_));
    !hashes_secret || std::str::from_utf8(body).is_ok()
}

fn outgoing(body: &[u8]) -> Outgoing<'_> {
    Outgoing {
        method: "POST",
        url: Some("https://h.test/in"),
        body,
        id: "id-1",
        event_type: Some("a.b"),
        now: NOW,
    }
}

fn verify(scheme: &Scheme, headers: &[Header], body: &[u8]) -> Option<Verdict> {
    let mut map = HeaderMap::new();
    for header in headers {
        map.append(HeaderName::try_from(&header.name).ok()?, HeaderValue::try_from(&header.value).ok()?);
    }
    let request = Request {
        method: "POST",
        path: "/in",
        query: None,
        headers: &map,
        body,
        public_url: Some("https://h.test/in"),
    };
    Some(scheme.verify(&request, NOW, &Documents::default()))
}

fn accepts(scheme: &Scheme, headers: &[Header], body: &[u8]) -> bool {
    matches!(verify(scheme, headers, body), Some(Verdict::Accepted(_)))
}

proptest! {
    #[test]
    fn what_is_signed_is_accepted_and_any_other_body_is_not(
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 1..200),
            "\\PC{1,100}".prop_map(String::into_bytes),
        ],
        place in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        // What a handshake would sign for anybody is refused by design, and never JSON.
        let body = [b"{".as_slice(), &body].concat();
        for scheme in schemes() {
            let headers = scheme.sign(&outgoing(&body)).unwrap().headers;
            prop_assert_eq!(accepts(&scheme, &headers, &body), takes(&scheme, &body), "{}", scheme.name());
            let mut other = body.clone();
            other[place.index(body.len())] ^= flip;
            let is_other = scheme.name() != "mandrill" || fields(&body) != fields(&other);
            prop_assert!(!is_other || !accepts(&scheme, &headers, &other), "{}", scheme.name());
        }
    }

    #[test]
    fn any_other_signed_header_is_refused(place in any::<prop::sample::Index>(), with in 0x20_u8..0x7f) {
        let body = br#"{"id":"id-1","type":"a.b"}"#;
        for scheme in schemes() {
            let good = scheme.sign(&outgoing(body)).unwrap().headers;
            for at in (0..good.len()).filter(|at| is_signed(&good[*at].name)) {
                let mut headers = good.clone();
                let value = &mut headers[at].value;
                let index = place.index(value.len());
                let was = value.as_bytes()[index];
                // Hexadecimal digits have no case.
                prop_assume!(!was.eq_ignore_ascii_case(&with));
                value.replace_range(index..=index, &char::from(with).to_string());
                prop_assert!(!accepts(&scheme, &headers, body), "{}: {:?}", scheme.name(), headers[at]);
            }
        }
    }
}

/// What Mandrill signs of a form: its fields by name, joined. Some bytes say the same as others.
fn fields(form: &[u8]) -> String {
    let mut pairs: Vec<_> = url::form_urlencoded::parse(form).collect();
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    pairs.into_iter().flat_map(|(name, value)| [name, value]).collect()
}

fn is_signed(header: &str) -> bool {
    let standard = header.starts_with("webhook-") || header.starts_with("svix-");
    standard || header.contains("signature") || header.contains("hmac") || header.contains("timestamp")
}

#[test]
fn what_is_added_looks_as_the_provider_writes_it() {
    let names = |name: &str| -> Vec<_> {
        let scheme = compile(Some(name), "", "c2VjcmV0");
        scheme.sign(&outgoing(b"{}")).unwrap().headers.into_iter().map(|header| header.name).collect()
    };
    assert_eq!(names("github"), ["x-github-delivery", "x-github-event", "x-hub-signature-256"]);
    assert_eq!(names("stripe"), ["stripe-signature"]);
    assert_eq!(names("shopify"), ["x-shopify-webhook-id", "x-shopify-topic", "x-shopify-hmac-sha256"]);
    assert_eq!(names("slack"), ["x-slack-request-timestamp", "x-slack-signature"]);
    assert_eq!(names("standard-webhooks"), ["webhook-id", "webhook-timestamp", "webhook-signature"]);
}

#[test]
fn ids_and_types_come_back() {
    for (name, body, event_type, expected) in [
        ("github", r#"{"action":"opened"}"#, "issues.opened", "accepted: id id-1, type issues.opened"),
        ("github", "{}", "push", "accepted: id id-1, type push"),
        ("shopify", "{}", "orders/create", "accepted: id id-1, type orders/create"),
        ("shopify", "{}", "a.b.c", "accepted: id id-1, type a.b.c"),
        ("stripe", r#"{"id":"evt","type":"a.b.c"}"#, "ignored", "accepted: id evt, type a.b.c"),
    ] {
        let scheme = compile(Some(name), "", "secret");
        let outgoing = Outgoing { event_type: Some(event_type), ..outgoing(body.as_bytes()) };
        let headers = scheme.sign(&outgoing).unwrap().headers;
        assert_eq!(verify(&scheme, &headers, body.as_bytes()).unwrap().to_string(), expected, "{name}");
    }
}

#[test]
fn generic_schemes() {
    let token = "algorithm = \"token\"\nbody_unsigned = true\n";
    for verify in [
        format!("{token}signature = {{ header = \"authorization\", prefix = \"Bearer \" }}"),
        format!(
            "{token}encoding = \"base64\"\nsignature = {{ header = \"authorization\", prefix = \"Basic \" }}"
        ),
        "signature = { header = \"s\" }\nmessage = \"{method}{url}{body}\"\nalgorithm = \"hmac-sha512\""
            .to_owned(),
        "signature = { header = \"s-*\" }\nalgorithm = \"hmac-sha1\"\nencoding = \"base64url\"".to_owned(),
        "signature = { header = \"s\" }\nalgorithm = \"sha256\"\nmessage = \"{secret}{body}\"".to_owned(),
        "signature = { header = \"s\" }\ntimestamp = { header = \"t\", unit = \"rfc3339\" }\n\
         message = \"{body}{timestamp}\"\nrequire = { x-version = \"1\" }"
            .to_owned(),
        "signature = { header = \"s\", split = \",\" }\n\
         timestamp = { header = \"s\", split = \",\", index = 0, unit = \"ms\" }\n\
         message = \"{timestamp}.{body}\""
            .to_owned(),
    ] {
        let scheme = compile(None, &verify, "user:pass");
        let headers = scheme.sign(&outgoing(b"body")).unwrap().headers;
        assert!(accepts(&scheme, &headers, b"body"), "{verify}: {headers:?}");
    }
}

/// Verifies a whole request as it was made.
fn verify_made(scheme: &Scheme, given: Given<'_>, body: &[u8], made: &Made) -> Verdict {
    let mut headers = HeaderMap::new();
    for header in given.headers.iter().chain(&made.headers) {
        let name = HeaderName::try_from(&header.name).unwrap();
        headers.append(name, HeaderValue::try_from(&header.value).unwrap());
    }
    let request = Request {
        method: "POST",
        path: "/in",
        query: made.query.as_deref(),
        headers: &headers,
        body: made.body.as_deref().unwrap_or(body),
        public_url: Some("https://h.test/in"),
    };
    scheme.verify(&request, NOW, &Documents::default())
}

#[test]
fn signatures_in_every_place() {
    const IN_QUERY: &str = "algorithm = \"token\"\nbody_unsigned = true\nsignature = { query = \"key\" }";
    const IN_FORM: &str = "signature = { form = \"sign\", prefix = \"v1=\" }\n\
                           message = \"{form:a}.{form:b}\"\nbody_unsigned = true";
    const JSON: &str = "application/json";
    const FORM: &str = "application/x-www-form-urlencoded";
    // The order of fields in a document is nobody's business.
    for (verify, content_type, body, pieces) in [
        (IN_QUERY, JSON, "{}", &["{}"][..]),
        (
            INSIDE,
            JSON,
            r#"{"s":{"token":"t","timestamp":1}}"#,
            &[r#""timestamp":1700000000"#, r#""signature":""#],
        ),
        (
            INSIDE,
            FORM,
            "a=1&json=%7B%22s%22%3A%7B%22token%22%3A%22t%22%7D%7D",
            &["a=1&json=%7B", "%22timestamp%22%3A%221700000000%22", "%22signature%22%3A%22"],
        ),
        (IN_FORM, FORM, "a=1&b=2", &["a=1&b=2&sign=v1%3D"]),
    ] {
        let scheme = compile(None, verify, "k");
        let headers = [header("content-type", content_type)];
        let given = Given { headers: &headers, query: None };
        let made = scheme.sign_beside(&outgoing(body.as_bytes()), given).unwrap();
        let verdict = verify_made(&scheme, given, body.as_bytes(), &made);
        assert!(matches!(verdict, Verdict::Accepted(_)), "{verify}: {verdict}");
        let text = String::from_utf8(made.body.unwrap_or_else(|| body.into())).unwrap();
        assert!(pieces.iter().all(|piece| text.contains(piece)), "{text}");
    }
}

const INSIDE: &str = "signature = { json = \"/s/signature\" }\ntimestamp = { json = \"/s/timestamp\" }\n\
                      message = \"{timestamp}.{method}\"\nbody_unsigned = true\njson_field = \"json\"";

fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: value.to_owned() }
}

#[test]
fn what_the_request_has_is_signed_and_stays() {
    let verify =
        "signature = { header = \"s\" }\nid = { header = \"i\" }\nmessage = \"{header:i}{query:q}{body}\"";
    let scheme = compile(None, verify, "k");
    let headers = [header("i", "own")];
    let made = scheme.sign_beside(&outgoing(b"b"), Given { headers: &headers, query: Some("q=1") }).unwrap();
    let names: Vec<_> = made.headers.iter().map(|header| header.name.as_str()).collect();
    assert_eq!((names, made.query.clone()), (vec!["s"], None));
    let made = Made { query: Some("q=1".to_owned()), ..made };
    let given = Given { headers: &headers, query: None };
    assert_eq!(verify_made(&scheme, given, b"b", &made).to_string(), "accepted: id own, type -");
}

#[test]
fn names_are_put_into_a_body_that_has_none() {
    let verify =
        "id = [{ json = \"/id\" }, { json = \"/n\" }]\ntype = [{ header = \"t\" }, { json = \"/e/*/t\" }]";
    let setup_verify: VerifyConfig = toml::from_str(verify).unwrap();
    let setup = Setup { scheme: Some("none"), verify: Some(&setup_verify), ..Setup::default() };
    let scheme = Scheme::compile(&setup).unwrap();
    for (body, expected) in [
        ("null", r#"{"e":[{"t":"b"}],"id":"i","n":"i"}"#),
        (r#"{"id":"own"}"#, r#"{"e":[{"t":"b"}],"id":"own","n":"i"}"#),
        ("no json", "no json"),
    ] {
        let named = scheme.named(body.as_bytes(), Given::default(), "i", Some("a.b"));
        // The order of fields is nobody's business.
        let parsed = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
        let same = parsed(&named)
            .map_or(named == expected.as_bytes(), |value| Some(value) == parsed(expected.as_bytes()));
        assert!(same, "{}", String::from_utf8_lossy(&named));
    }
}

#[test]
fn what_cannot_be_signed() {
    let public = compile(Some("standard-webhooks"), "", "whpk_aG+IPl4AsoailbJrQpMGOuqX4oO9qc3e+CoXY0xiEpE=");
    assert_eq!(public.sign(&outgoing(b"")), Err(SignError::PublicKey));
    let in_body = compile(None, "signature = { json = \"/sig\" }", "k");
    let error = in_body.sign(&outgoing(b"{}")).unwrap_err();
    let expected = "the scheme reads /sig in the body, but signs the whole body: a signature that signs";
    assert!(error.to_string().starts_with(expected), "{error}");
    let inside = "signature = { json = \"/sig\" }\nmessage = \"{method}\"\nbody_unsigned = true";
    let error = compile(None, inside, "k").sign(&outgoing(b"x")).unwrap_err();
    assert_eq!(error.to_string(), "the scheme reads /sig in the body, but the body is not JSON");
    let other = compile(None, "signature = { header = \"s\" }\nmessage = \"{header:x-a}{body}\"", "k");
    assert_eq!(other.sign(&outgoing(b"{}")), Err(SignError::Missing("header x-a".to_owned())));
    let github = compile(Some("github"), "", "k");
    let bad = Outgoing { id: "a\nb", ..outgoing(b"") };
    assert_eq!(github.sign(&bad), Err(SignError::BadValue("x-github-delivery".to_owned())));
}

//! What one verification costs: nanoseconds of one thread for a body of 1 KiB, by scheme.
//! `cargo bench --bench verify`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use hookloom::model::Millis;
use hookloom::verify::{Documents, Outgoing, Request, Scheme, Setup, Verdict, VerifyConfig};
use http::{HeaderMap, HeaderName, HeaderValue};

const NOW: Millis = Millis(1_700_000_000_000);
const URL: &str = "https://hooks.example.test/in/bench?a=1";
const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const OWN_KEY: &str = "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// How long a scheme is measured.
const SPAN: Duration = Duration::from_millis(500);

// Made by node:crypto, over the bytes of `json()`.
const RSA_KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA2pKmSY52z+hOnOGJsmcK7mbBxZlHp/QWcwnxI9lZBnEtHIsK\
     /xLeGDngLXPn/s5mpAkbAXhCku49JZVMB1t7AIYh90IdHy7Kp3TQsNv6w9/B7Z9OnqbZxrn/et5GJLIyGJadYhIz26vv\
     ga5tfaXpTsg7dI6o9LewZA20NB3NMmWmxYs8Na/f5s/yuxi8C1ES/nCkaRfDQoHi3MAMntWTKqDOwtA811hnGx//VZ9z\
     YgtHObXpxsnz7upZ3xHlRmdSCHDuOJEGUx0opbLofFMTDEtj81VmKWxS44woqEE3tfxX7mYo4IZbnQeHTia4M44tyVgp\
     fKEY1fOvkp8qTE6z3wIDAQAB";
const RSA_SIGNATURE: &str = "iFN/ewDNz8CLyaCfJBHtHW/X7CtDUDIzZw2L16GRCeh4mn60TTfbaQR/fM8YngKxc08FNV9gBL4uYrSiQk6O90cxbtnb\
     QsJ1lDVD2oYbgTCWbkZmLPaYPHVaYXt0wvH2d2lZw48nUIoht4lDYqcIvdAl3m4dFeL+Pp/mlt9ekp21OoyirbMTmpTf\
     lRMzkG6MCEZ5U91KhF9lUoK8BkWM0a7Nxx/nhNXvoNfZ2B6FPbGzMaq8XjO1cPUryEiSPhBGj6iSiqy7ZzbK5HKJZspn\
     EIYbjvlBycNB2tADdBcxkmE08Pj7fTZuBhTdIN4c4Ifc3fATzmSwGWj8qTDd5v9Iwg==";
const EC_KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE68HIflHRD+bqbFX+y/UEgsWZuinUSEDb2DBw2sEAGsBnTMAMBQxC2be5\
     5iK1fEZs9uhshgxVgMlEKp2cXyjEDQ==";
const EC_SIGNATURE: &str = "MEUCIQC2vTT9sbV+PH9YZvM11bvM/xiDJkzDcd/Wkie2GjP+VwIgN4xEwFo9y3VAoy3plAzZXaGjCLAPyVE540fFWHum\
     yGE=";

/// A scheme to measure: a preset, or the words of one.
struct Case {
    name: &'static str,
    preset: Option<&'static str>,
    verify: &'static str,
    secret: &'static str,
    body: Vec<u8>,
    /// Where only the provider can sign.
    signature: Option<&'static str>,
}

const FORM: &str = "signature = { header = \"s\" }\nalgorithm = \"hmac-sha1\"\nencoding = \"base64\"\n\
                    message = \"{url}{form_sorted}\"";
const RSA: &str =
    "signature = { header = \"s\" }\nalgorithm = \"rsa-sha256\"\nencoding = \"base64\"\nsecret = \"spki\"";
const ECDSA: &str = "signature = { header = \"s\" }\nalgorithm = \"ecdsa-p256-sha256\"\nencoding = \"base64\"\nsecret = \"spki\"";

fn cases() -> Vec<Case> {
    let preset =
        |name, secret| Case { name, preset: Some(name), verify: "", secret, body: json(), signature: None };
    let words = |name, verify, secret, signature| Case {
        name,
        preset: None,
        verify,
        secret,
        body: json(),
        signature: Some(signature),
    };
    vec![
        preset("github", SECRET),
        preset("stripe", SECRET),
        preset("standard-webhooks", SECRET),
        Case { body: form(), signature: None, ..words("url and sorted form", FORM, SECRET, "") },
        Case { name: "ed25519", ..preset("standard-webhooks-v1a", OWN_KEY) },
        words("ecdsa p-256", ECDSA, EC_KEY, EC_SIGNATURE),
        words("rsa 2048", RSA, RSA_KEY, RSA_SIGNATURE),
    ]
}

fn json() -> Vec<u8> {
    let head = r#"{"id":"evt_1","type":"order.paid","pad":""#;
    format!("{head}{}\"}}", "x".repeat(1024 - head.len() - 2)).into_bytes()
}

/// Thirty-two pairs, the first of the names last.
fn form() -> Vec<u8> {
    let pairs: Vec<_> = (0..32).rev().map(|at| format!("Name{at:02}={}", "v%20".repeat(6))).collect();
    pairs.join("&").into_bytes()
}

fn main() {
    println!("{:<22} {:>12} {:>14}", "scheme", "ns", "a second");
    for case in cases() {
        let took = measure(&case);
        println!("{:<22} {took:>12.0} {:>14.0}", case.name, 1e9 / took);
    }
}

/// Nanoseconds of one verification.
fn measure(case: &Case) -> f64 {
    let verify: Option<VerifyConfig> =
        (!case.verify.is_empty()).then(|| toml::from_str(case.verify).expect("the words of a scheme"));
    let secrets = [case.secret];
    let setup = Setup {
        scheme: case.preset,
        verify: verify.as_ref(),
        secrets: &secrets,
        has_public_url: true,
        ..Setup::default()
    };
    let scheme = Scheme::compile(&setup).expect("a scheme");
    let headers = headers(case, &scheme);
    let request = Request {
        method: "POST",
        path: "/in/bench",
        query: Some("a=1"),
        headers: &headers,
        body: &case.body,
        public_url: Some(URL),
    };
    let documents = Documents::default();
    let once = || scheme.verify(black_box(&request), NOW, &documents);
    assert!(matches!(once(), Verdict::Accepted(_)), "{}: {}", case.name, once());
    let (started, mut count) = (Instant::now(), 0_u32);
    while started.elapsed() < SPAN {
        for _ in 0..16 {
            black_box(once());
        }
        count += 16;
    }
    started.elapsed().as_secs_f64() * 1e9 / f64::from(count)
}

fn headers(case: &Case, scheme: &Scheme) -> HeaderMap {
    if let Some(signature) = case.signature {
        return HeaderMap::from_iter([(HeaderName::from_static("s"), HeaderValue::from_static(signature))]);
    }
    let outgoing = Outgoing {
        method: "POST",
        url: Some(URL),
        body: &case.body,
        id: "evt_1",
        event_type: Some("order.paid"),
        now: NOW,
    };
    let made = scheme.sign(&outgoing).expect("it signs");
    let pair = |header: hookloom::model::Header| {
        (
            HeaderName::try_from(header.name).expect("a name"),
            HeaderValue::try_from(header.value).expect("a value"),
        )
    };
    made.headers.into_iter().map(pair).collect()
}

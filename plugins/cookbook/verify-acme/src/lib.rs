//! Verifies a provider whose scheme no preset knows: `x-acme-signature` is
//! `<seconds>:<base64 of HMAC-SHA-256 over "<seconds>\n<body>">`, and `x-acme-ping` asks for
//! an echo before the first event.
//!
//! ```toml
//! [plugin.verify-acme]
//! grants = ["secrets:ACME_KEY"]
//! [secrets]
//! ACME_KEY = "env:ACME_KEY"
//! [sources.acme]
//! scheme = "plugin:verify-acme"
//! config = { tolerance_s = 300 }
//! ```
//!
//! 401 for a signature that is missing, wrong or too old; 400 for a body that is no JSON.

use hookloom_sdk::*;

#[config]
struct Config {
    #[serde(default = "five_minutes")]
    tolerance_s: u64,
}

fn five_minutes() -> u64 {
    300
}

#[verify]
fn acme(request: &Request, config: &Config) -> Result<Verification, Verification> {
    if let Some(ping) = request.header("x-acme-ping") {
        return Ok(respond(200).text(ping).into());
    }
    let header = request.header("x-acme-signature").ok_or_else(|| unauthorized("no signature"))?;
    let (seconds, signature) = header.split_once(':').ok_or_else(|| unauthorized("no time"))?;
    let signed_at: u64 = seconds.parse().map_err(|_| unauthorized("the time is no number"))?;
    let signed = [seconds.as_bytes(), b"\n", &request.body].concat();
    let expected = encoding::to_base64(secrets::hmac_sha256("ACME_KEY", signed)?);
    if !same_bytes(expected, signature) {
        return Err(unauthorized("the signature is wrong"));
    }
    if signed_at.abs_diff(request.now_ms / 1000) > config.tolerance_s {
        return Err(unauthorized("signed too long ago"));
    }
    let body: serde_json::Value = request.json()?;
    let text = |key: &str| body[key].as_str().map(str::to_owned);
    let mut accepted = accept().attribute("signed-at", seconds);
    (accepted.id, accepted.event_type) = (text("id"), text("event"));
    Ok(accepted.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Now, by the mock's clock.
    const NOW: &str = "1767225600";

    fn sent(seconds: &str, signed_body: &str, body: &str) -> Verification {
        testing::set_secret("ACME_KEY", "s3cret");
        let signed = format!("{seconds}\n{signed_body}");
        let signature = encoding::to_base64(secrets::hmac_sha256("ACME_KEY", signed).unwrap());
        let request = testing::request()
            .body(body)
            .header("X-Acme-Signature", format!("{seconds}:{signature}"))
            .build();
        acme(&request, &Config { tolerance_s: 300 }).unwrap_or_else(|refusal| refusal)
    }

    #[test]
    fn what_acme_signed_is_accepted_with_its_id_and_type() {
        let body = r#"{"id":"7","event":"order.paid"}"#;
        let accepted = accept().id("7").event_type("order.paid").attribute("signed-at", NOW);
        assert_eq!(sent(NOW, body, body), Verification::Accepted(accepted));
    }

    #[test]
    fn everything_else_is_refused() {
        assert_eq!(sent(NOW, "{}", "{ }"), unauthorized("the signature is wrong"));
        assert_eq!(sent("1767225299", "{}", "{}"), unauthorized("signed too long ago"));
        assert_eq!(sent("now", "{}", "{}"), unauthorized("the time is no number"));
        assert!(matches!(sent(NOW, "x", "x"), Verification::Malformed(_)));
        let unsigned = testing::request().body("{}").build();
        assert_eq!(acme(&unsigned, &Config { tolerance_s: 300 }), Err(unauthorized("no signature")));
    }

    #[test]
    fn a_missing_grant_is_503_and_a_ping_is_echoed() {
        let request = testing::request().header("x-acme-signature", format!("{NOW}:x")).build();
        assert!(matches!(acme(&request, &Config { tolerance_s: 300 }), Err(Verification::Unavailable(_))));
        let ping = testing::request().header("x-acme-ping", "abc").build();
        assert_eq!(acme(&ping, &Config { tolerance_s: 300 }), Ok(respond(200).text("abc").into()));
    }
}

//! The same requests before a provider's SDK and before the gateway: both must say the
//! same, of good ones and of those with one thing changed.

use std::collections::BTreeSet;

use hookloom::model::{Header, Millis};
use hookloom::verify::{Documents, Outgoing, Request, Scheme, Setup, Verdict, preset_names};
use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::Receiver;
use hookloom_testkit::sender::borrowed;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::packages::{NODE, packages};
use super::sdk::{Asked, Sdks};

/// A provider whose SDK is there. A row counts from the day that its preset does.
struct Row {
    provider: &'static str,
    secret: &'static str,
    other_secret: &'static str,
    body: &'static str,
    /// What the event is called.
    event_type: &'static str,
    /// Whether the SDK itself signs; where it only judges, the script does, with
    /// node:crypto.
    sdk_signs: bool,
}

const ROWS: [Row; 9] = [
    Row {
        provider: "stripe",
        body: "{\n  \"id\": \"evt_1\",\n  \"type\": \"charge.succeeded\",\n  \"note\": \"grüße \u{1f9f5}\"\n}",
        event_type: "charge.succeeded",
        ..TEXT_SECRET
    },
    Row {
        provider: "github",
        body: "{\"action\": \"opened\", \"title\": \"grüße \u{1f9f5}\", \"n\": 1}",
        event_type: "issues.opened",
        ..TEXT_SECRET
    },
    Row { provider: "svix", ..WHSEC },
    Row { provider: "standard-webhooks", ..WHSEC },
    Row {
        provider: "slack",
        body: r#"{"type":"event_callback","event_id":"Ev1","event":{"type":"app_mention","text":"ü"}}"#,
        event_type: "app_mention",
        sdk_signs: false,
        ..TEXT_SECRET
    },
    Row {
        provider: "shopify",
        body: r#"{"id":820982911946154508,"note":"grüße"}"#,
        event_type: "orders/create",
        sdk_signs: false,
        ..TEXT_SECRET
    },
    Row {
        provider: "twilio",
        body: "MessageSid=SM1&MessageStatus=delivered&To=%2B15551230000&Body=a+b&Tag=z&Tag=a&Tag=z",
        event_type: "delivered",
        ..TEXT_SECRET
    },
    Row {
        provider: "square",
        body: r#"{"merchant_id":"M1","type":"payment.created","event_id":"e-1","note":"grüße"}"#,
        event_type: "payment.created",
        sdk_signs: false,
        ..TEXT_SECRET
    },
    Row {
        provider: "discord",
        // The public halves of the key pairs of RFC 8032 §7.1, tests 1 and 2.
        secret: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        other_secret: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        body: r#"{"version":1,"type":1,"event":{"type":"APPLICATION_AUTHORIZED"}}"#,
        event_type: "APPLICATION_AUTHORIZED",
        sdk_signs: false,
    },
];

const TEXT_SECRET: Row = Row {
    provider: "",
    secret: "whsec_c2VjcmV0",
    other_secret: "whsec_c2VjcmV1",
    body: "",
    event_type: "",
    sdk_signs: true,
};

const WHSEC: Row = Row {
    secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    other_secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    body: r#"{"type":"order.paid","note":"grüße"}"#,
    event_type: "order.paid",
    ..TEXT_SECRET
};

/// Where SDK and gateway differ, and why that is meant: provider, how the change begins,
/// whether the SDK accepts.
const DIFFERENCES: &[(&str, &str, bool, &str)] = &[
    ("stripe", "judged 301 s before", true, "the SDK checks the age only"),
    ("slack", "judged 301 s before", true, "the SDK checks the age only"),
    ("svix", "svix-timestamp: longer", true, "the SDK reads 1700000000x as a number"),
    ("standard-webhooks", "webhook-timestamp: longer", true, "the SDK reads 1700000000x as a number"),
    ("twilio", "content-type", true, "the SDK is told by its caller that a body is a form"),
    ("shopify", "x-shopify-topic", false, "the SDK wants headers that nobody signs"),
    ("shopify", "x-shopify-webhook-id", false, "the SDK wants headers that nobody signs"),
    ("shopify", "x-shopify-shop-domain", false, "the SDK wants headers that nobody signs"),
    ("shopify", "x-shopify-api-version", false, "the SDK wants headers that nobody signs"),
];

const NOW: i64 = 1_700_000_000;
const URL: &str = "https://hooks.example.test/in/source?a=1";
/// What is configured: the query is the request's own.
const PUBLIC_URL: &str = "https://hooks.example.test/in/source";

fn rows() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(|row| preset_names().any(|name| name == row.provider))
}

fn asked(row: &Row) -> Asked {
    Asked {
        provider: row.provider,
        secret: row.secret.to_owned(),
        now: NOW,
        url: URL.to_owned(),
        headers: Vec::new(),
        body: row.body.as_bytes().to_owned(),
    }
}

fn scheme(row: &Row, secret: &str) -> Scheme {
    let secrets = [secret];
    let setup = Setup { has_public_url: true, ..Setup::preset(row.provider, &secrets) };
    Scheme::compile(&setup).unwrap_or_else(|error| panic!("{}: {error}", row.provider))
}

/// What the gateway says.
fn verdict(row: &Row, asked: &Asked) -> Verdict {
    let mut headers = HeaderMap::new();
    for (name, value) in &asked.headers {
        headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
    }
    let url = url::Url::parse(&asked.url).unwrap();
    let request = Request {
        method: "POST",
        path: url.path(),
        query: url.query(),
        headers: &headers,
        body: &asked.body,
        public_url: Some(&asked.url),
    };
    scheme(row, &asked.secret).verify(&request, Millis(asked.now * 1000), &Documents::default())
}

/// The request with one thing changed, in every way there is.
fn changed(row: &Row, good: &Asked) -> Vec<(String, Asked)> {
    let mut all = Vec::new();
    let mut with = |what: &str, change: &dyn Fn(&mut Asked)| {
        let mut changed = good.clone();
        change(&mut changed);
        all.push((what.to_owned(), changed));
    };
    with("nothing", &|_| {});
    with("another byte in the body", &|asked| {
        let place = asked.body.len() / 2;
        asked.body[place] = if asked.body[place] == b'a' { b'b' } else { b'a' };
    });
    with("a byte behind the body", &|asked| asked.body.push(b'\n'));
    with("a byte less of the body", &|asked| asked.body.truncate(row.body.len() - 1));
    with("no body", &|asked| asked.body.clear());
    with("another secret", &|asked| row.other_secret.clone_into(&mut asked.secret));
    with("another path", &|asked| asked.url = asked.url.replace("/in/", "/out/"));
    with("another query", &|asked| asked.url.push('0'));
    // The request is as old as the clock is ahead.
    for late in [300, 301, -300, -301_i64] {
        let what = format!("judged {} s {}", late.abs(), if late > 0 { "later" } else { "before" });
        with(&what, &|asked| asked.now += late);
    }
    for (place, (name, value)) in good.headers.iter().enumerate() {
        with(&format!("{name}: gone"), &|asked| drop(asked.headers.remove(place)));
        with(&format!("{name}: empty"), &|asked| asked.headers[place].1.clear());
        with(&format!("{name}: cut"), &|asked| asked.headers[place].1.truncate(value.len() - 1));
        with(&format!("{name}: longer"), &|asked| asked.headers[place].1.push('x'));
        with(&format!("{name}: upper case"), &|asked| asked.headers[place].1.make_ascii_uppercase());
        for at in [0, value.len() / 2, value.len() - 3] {
            with(&format!("{name}: another character"), &|asked| {
                let text = &mut asked.headers[place].1;
                let other = if &text[at..=at] == "1" { "2" } else { "1" };
                text.replace_range(at..=at, other);
            });
        }
    }
    all
}

#[test]
fn sdk_and_gateway_say_the_same_of_every_changed_request() {
    let Some(folder) = packages(&NODE, "sdk_and_gateway_say_the_same_of_every_changed_request") else {
        return;
    };
    let mut sdks = Sdks::start(&folder);
    let (mut judged, mut met, mut failures) = (0, BTreeSet::new(), Vec::new());
    for row in rows() {
        let mut good = asked(row);
        good.headers = sdks.sign(&good);
        for (what, request) in changed(row, &good) {
            let theirs = sdks.verify(&request);
            let ours = verdict(row, &request);
            let accepted = matches!(ours, Verdict::Accepted(_) | Verdict::Handshake(_));
            judged += 1;
            if what == "nothing" {
                assert!(accepted && theirs.is_ok(), "{}: {theirs:?}, {ours}", row.provider);
            }
            if accepted == theirs.is_ok() {
                continue;
            }
            let known = DIFFERENCES.iter().position(|(provider, change, accepts, _)| {
                *provider == row.provider && what.starts_with(change) && *accepts == theirs.is_ok()
            });
            match known {
                Some(at) => drop(met.insert(at)),
                None => failures.push(format!("{}, {what}: SDK {theirs:?}, gateway {ours}", row.provider)),
            }
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(judged > 150, "only {judged} were judged");
    for (at, (provider, change, _, why)) in DIFFERENCES.iter().enumerate() {
        let is_there = rows().any(|row| row.provider == *provider);
        assert!(!is_there || met.contains(&at), "{provider}, {change}: no longer differs ({why})");
    }
}

/// Headers that the SDK wants beside those that are signed.
fn beside(provider: &str) -> Vec<(String, String)> {
    let names: &[(&str, &str)] = match provider {
        "shopify" => {
            &[("x-shopify-shop-domain", "example.myshopify.com"), ("x-shopify-api-version", "2026-10")]
        }
        _ => &[],
    };
    names.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn what_the_gateway_signs_as_a_provider_is_what_the_sdk_accepts() {
    let Some(folder) = packages(&NODE, "what_the_gateway_signs_as_a_provider_is_what_the_sdk_accepts") else {
        return;
    };
    let mut sdks = Sdks::start(&folder);
    // Discord's key is the public one.
    for row in rows().filter(|row| row.provider != "discord") {
        let mut request = asked(row);
        let outgoing = Outgoing {
            method: "POST",
            url: Some(URL),
            body: &request.body,
            id: "id-1",
            event_type: Some(row.event_type).filter(|text| !text.is_empty()),
            now: Millis(NOW * 1000),
        };
        let made =
            scheme(row, row.secret).sign(&outgoing).unwrap_or_else(|e| panic!("{}: {e}", row.provider));
        assert_eq!((made.body, made.query), (None, None), "{}", row.provider);
        request.headers = beside(row.provider);
        request.headers.extend(made.headers.into_iter().map(|Header { name, value }| (name, value)));
        assert_eq!(sdks.verify(&request), Ok(()), "{}: {:?}", row.provider, request.headers);
    }
}

#[tokio::test]
async fn what_an_sdk_signs_goes_through_the_gateway() {
    let Some(folder) = packages(&NODE, "what_an_sdk_signs_goes_through_the_gateway") else { return };
    let mut sdks = Sdks::start(&folder);
    let receiver = Receiver::start([]).await;
    let signed: Vec<_> = rows().filter(|row| row.sdk_signs).collect();
    let mut gateway = Gateway::start(&config(&receiver, &signed)).await;
    for (n, row) in signed.iter().enumerate() {
        let now = hookloom::clock::Clock::system().now().as_secs();
        let mut request = Asked { now, url: PUBLIC_URL.to_owned(), ..asked(row) };
        request.headers = sdks.sign(&request);
        let headers = borrowed(&request.headers);
        let tampered =
            gateway.post(row.provider, &headers, row.body.replace('1', "2").replace('p', "q")).await;
        assert_eq!(tampered.status, 401, "{}: {}", row.provider, tampered.body);
        let accepted = gateway.post(row.provider, &headers, row.body).await;
        assert_eq!(accepted.status, 200, "{}: {}", row.provider, accepted.body);
        // Twilio is answered in XML, which names no event.
        let events = gateway.get(&format!("/api/v1/events?source={}", row.provider)).await.json();
        let id = events["items"][0]["id"].as_str().expect("an event is stored").to_owned();
        let event = gateway.event_when(&id, "delivered").await;
        assert_eq!(event["type"].as_str().unwrap_or_default(), row.event_type, "{}", row.provider);
        let repeat = gateway.post(row.provider, &headers, row.body).await;
        assert_eq!(repeat.status, 200, "{}", row.provider);
        let events = gateway.get(&format!("/api/v1/events?source={}", row.provider)).await.json();
        assert_eq!(
            events["items"].as_array().map(Vec::len),
            Some(1),
            "{}: a repeat is no event",
            row.provider
        );
        assert_eq!(receiver.requests(n + 1).await[n].body, row.body.as_bytes());
    }
    gateway.stop().await;
    assert_eq!(receiver.seen().requests.len(), signed.len());
}

fn config(receiver: &Receiver, rows: &[&Row]) -> String {
    let source = |row: &&Row| {
        let (name, secret) = (row.provider, row.secret);
        format!(
            "[sources.{name}]\nscheme = \"{name}\"\nsecrets = [\"{secret}\"]\npublic_url = \"{PUBLIC_URL}\"\n"
        )
    };
    let text: String = rows.iter().map(source).collect();
    let names: Vec<_> = rows.iter().map(|row| format!("\"{}\"", row.provider)).collect();
    let names = names.join(", ");
    let url = receiver.url();
    text + &format!(
        "[destinations.crm]\nurl = \"{url}\"\n[[routes]]\nname = \"all\"\nfrom = [{names}]\nto = [\"crm\"]\n"
    )
}

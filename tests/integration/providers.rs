//! Every provider from the outside: a sample of each through a gateway, and the table.

use std::path::Path;
use std::process::Command;

use hookloom::model::Millis;
use hookloom::verify::{
    Documents, Extras, Request, Scheme, Setup, Verdict, VerifyConfig, preset, preset_names,
};
use hookloom_testkit::gateway::Gateway;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::cli::{BINARY, Ended, hookloom};

/// What a sample says it is; of the others it is `test.event`.
const TYPES: [(&str, &str); 28] = [
    ("adyen", "AUTHORISATION"),
    ("calendly", "invitee.created"),
    ("dropbox-sign", "signature_request_sent"),
    ("github", "issues.opened"),
    ("gitlab", "push"),
    ("gitlab-token", "push"),
    ("hubspot-v3", "contact.creation"),
    ("intercom", "conversation.user.created"),
    ("linear", "Issue.create"),
    ("mailgun", "delivered"),
    ("meta", "whatsapp_business_account.messages"),
    ("paddle", "transaction.completed"),
    ("pagerduty", "incident.triggered"),
    ("sentry", "issue.created"),
    ("shopify", "orders/create"),
    ("slack", "app_mention"),
    ("square", "payment.created"),
    ("standard-webhooks", "user.created"),
    ("standard-webhooks-v1a", "user.created"),
    ("stripe", "payment_intent.succeeded"),
    ("svix", "user.created"),
    ("telegram", "message"),
    ("twilio", "delivered"),
    ("twilio-sharedkey", "delivered"),
    ("typeform", "form_response"),
    ("woocommerce", "order.created"),
    ("x-twitter", "tweet_create_events"),
    ("zoom", "meeting.started"),
];

/// Secrets of every kind, the commonest first; public keys come last.
const SECRETS: [&str; 10] = [
    "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0",
    "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "44782def547aaa06c910c43932b1eb0c71fc68d9d0c057550c48ec2acf6ba056",
    "user:password",
    "arn:aws:sns:eu-west-1:123456789012:hooks",
    "sender@project.iam.gserviceaccount.com",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==",
    "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "-----BEGIN PUBLIC KEY-----\n\
     MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA3Cb7sL3dYOcZL9iBlSWt\n\
     d6J/9Be1Fvv8M41mM27C95dgR137EG9XRnidLO0sPPy54lwxK7Tpnp2BjQcMo+oX\n\
     JMlzM14cPI8KEuPAKKvK7Tbr0c+BXLq/+E/EDh4OqRU2Q9Gq6LUXpKOlyo7yMRO3\n\
     c4CgZJANCvIOMFcRjkOxAf5mpylAyJNrOsLJrFkWIP0FAbgrq33oMSqVptOTWhKh\n\
     y3LEn2nE/tXZlgFpYGnhBcTbhsH22NBn0ZWBQc3Ol1yvAbc1nrjphTg+t67WJC6u\n\
     RsaM2teDu7HtKJugB7KFEVJHf5+gthrnaJ00Y8ppXY91hGnlye9uWv8yXOreLXXx\n\
     nwIDAQAB\n\
     -----END PUBLIC KEY-----\n",
];

const EXTRAS: Extras<'_> = Extras {
    public_key: Some("public"),
    audience: Some("https://hooks.example.com"),
    pin_algorithm: None,
    secondary_secret: None,
    verify_token: Some("verify-me"),
};

/// The presets whose samples cannot be sent, and why: what signs them is the provider's alone.
const UNSENT: [(&str, &str); 8] = [
    ("aws-sns", "the key of a certificate that the provider publishes"),
    ("discord", "the other half of the public key that is configured"),
    ("google-pubsub", "the other half of a key that the provider publishes"),
    ("paddle-classic", "the other half of the public key that is configured"),
    ("paypal", "the key of a certificate that the provider publishes"),
    ("plaid", "the other half of a key that the provider is asked for"),
    ("sendgrid", "the other half of the public key that is configured"),
    ("telnyx", "the other half of the public key that is configured"),
];

/// What `send` says of them.
const TOLD: &str = "has the public half of a key, and only";

/// The keys of a source of that preset, with a secret that fits.
fn source(name: &str) -> String {
    let needs = &preset(name).unwrap().needs;
    let fits = |secret: &&&str| {
        let secrets = [**secret];
        let extras = Extras {
            public_key: EXTRAS.public_key.filter(|_| needs.iter().any(|key| key == "public_key")),
            audience: EXTRAS.audience.filter(|_| needs.iter().any(|key| key == "audience")),
            verify_token: EXTRAS.verify_token.filter(|_| needs.iter().any(|key| key == "verify_token")),
            ..Extras::default()
        };
        let setup = Setup { has_public_url: true, extras, ..Setup::preset(name, &secrets) };
        Scheme::compile(&setup).is_ok()
    };
    let secret = SECRETS.iter().find(fits).unwrap_or_else(|| panic!("no secret here fits {name}"));
    let mut text = format!("[sources.{name}]\nscheme = \"{name}\"\nsecrets = [{secret:?}]\n");
    for key in needs {
        let value = match key.as_str() {
            "public_url" => Some("https://hooks.example.com/in/source"),
            "public_key" => EXTRAS.public_key,
            "audience" => EXTRAS.audience,
            "verify_token" => EXTRAS.verify_token,
            _ => None,
        };
        let value = value.unwrap_or_else(|| panic!("{name} needs {key}, which has no value here"));
        text.extend([key.as_str(), " = \"", value, "\"\n"]);
    }
    text
}

async fn send(config: &Path, gateway: &Gateway, name: &str) -> Ended {
    let (config, url) = (config.to_owned(), gateway.source_url(name));
    let name = name.to_owned();
    let run = move || {
        Command::new(BINARY).args(["send", &name, "--url", &url, "-c"]).arg(config).output().expect("it runs")
    };
    tokio::task::spawn_blocking(run).await.unwrap().into()
}

#[tokio::test]
async fn a_sample_of_every_provider_comes_through_under_its_own_name() {
    let text: String = preset_names().map(source).collect();
    let mut gateway = Gateway::start(&text).await;
    let mut failures = Vec::new();
    for name in preset_names() {
        let ended = send(&gateway.config_file(), &gateway, name).await;
        let said = format!("{name}: {}{}", ended.stdout, ended.stderr);
        match (ended.code, UNSENT.iter().find(|(own, _)| *own == name)) {
            (Some(0), None) => failures.extend(wrong_with_event(&gateway, name).await),
            (Some(1), Some(_)) if ended.stderr.contains(TOLD) => {}
            (_, None) => failures.push(said),
            (_, Some((_, what))) => failures.push(format!("{said} (what signs it is {what})")),
        }
    }
    gateway.stop().await;
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    for (name, _) in UNSENT {
        assert!(preset(name).is_some(), "there is no preset {name}");
    }
}

/// What is wrong with the event that a sample has become.
async fn wrong_with_event(gateway: &Gateway, name: &str) -> Option<String> {
    let events = gateway.get(&format!("/api/v1/events?source={name}")).await.json();
    let Some(event) = events["items"].get(0) else { return Some(format!("{name}: no event came of it")) };
    let verify = &preset(name).unwrap().verify;
    let due = TYPES.iter().find(|(own, _)| *own == name).map_or("test.event", |(_, due)| *due);
    if verify.event_type.is_some() && event["type"] != due {
        return Some(format!("{name}: the type is {}, not {due}", event["type"]));
    }
    (verify.id.is_some() && id_of(gateway, event).await.is_none())
        .then(|| format!("{name}: the sample has no id"))
}

/// What the preset reads as the id out of the event as it was stored.
async fn id_of(gateway: &Gateway, event: &Value) -> Option<String> {
    let shown = gateway.get(&format!("/api/v1/events/{}", event["id"].as_str()?)).await.json();
    let mut headers = HeaderMap::new();
    for (name, value) in shown["headers"].as_object()? {
        let name = HeaderName::try_from(name).ok()?;
        headers.append(name, HeaderValue::try_from(value.as_str()?).ok()?);
    }
    let body = match shown["body_text"].as_str() {
        Some(text) => text.to_owned(),
        None => shown["body"].to_string(),
    };
    let config = &preset(shown["source"].as_str()?)?.verify;
    let verify = VerifyConfig {
        id: config.id.clone(),
        json_field: config.json_field.clone(),
        ..VerifyConfig::default()
    };
    let setup = Setup { scheme: Some("none"), verify: Some(&verify), ..Setup::default() };
    let query = shown["query"].as_str();
    let request = Request {
        method: "POST",
        path: "/",
        query,
        headers: &headers,
        body: body.as_bytes(),
        public_url: None,
    };
    match Scheme::compile(&setup).ok()?.verify(&request, Millis(0), &Documents::default()) {
        Verdict::Accepted(accepted) => accepted.id,
        _ => None,
    }
}

#[test]
fn a_public_key_cannot_sign_and_the_error_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hookloom.toml");
    let source = "[sources.shipping]\nscheme = \"standard-webhooks-v1a\"\n\
                  secrets = [\"whpk_aG+IPl4AsoailbJrQpMGOuqX4oO9qc3e+CoXY0xiEpE=\"]\n";
    std::fs::write(&path, source).unwrap();
    let ended = hookloom(&["send", "shipping", "-c", path.to_str().unwrap()]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    for piece in ["\"shipping\" has the public half of a key", "send a test event itself", "scheme \"none\""]
    {
        assert!(ended.stderr.contains(piece), "{}", ended.stderr);
    }
}

#[test]
fn the_table_of_providers_is_written_anew_when_presets_change() {
    let ended = hookloom(&["providers", "--markdown"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("PROVIDERS.md");
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        kept == ended.stdout,
        "write it anew: cargo run -p hookloom -- providers --markdown > host/PROVIDERS.md"
    );
    for name in preset_names() {
        assert!(kept.contains(&format!("| `{name}` | ")), "{name}");
    }
}

#[test]
fn providers_are_listed_and_explained() {
    let list = hookloom(&["providers"]);
    assert_eq!(list.code, Some(0), "{}", list.stderr);
    for name in preset_names() {
        assert!(list.stdout.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}");
        assert_eq!(hookloom(&["providers", name]).code, Some(0), "{name}");
    }
    let github = hookloom(&["providers", "github"]);
    assert!(github.stdout.contains("\n[sources.github]\nscheme = \"github\"\n"), "{}", github.stdout);
    let unknown = hookloom(&["providers", "gihtub"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("there is no preset \"gihtub\""), "{}", unknown.stderr);
}

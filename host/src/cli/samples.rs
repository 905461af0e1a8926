//! Requests in the shape of real providers, for `send` and `demo`: a file each beside
//! this one, as the provider's documentation shows them, and here what surrounds them.
//!
//! In a file, `{id}` stands for a fresh id, `"{number}"` for a fresh number, `{type}` for
//! the event's type. What the scheme reads and no file says is put there by the scheme.

use serde_json::{Value, json};

use crate::model::Header;
use crate::verify::{Given, Scheme};

/// One provider's sample.
#[derive(Debug)]
pub(super) struct Sample {
    preset: &'static str,
    /// What it says it is, as the scheme would read it.
    pub(super) event_type: &'static str,
    pub(super) content_type: &'static str,
    /// Beside those that the scheme adds; names in lower case.
    headers: &'static [(&'static str, &'static str)],
    /// Empty: made of what the scheme reads.
    text: &'static str,
}

/// A sample's request, before it is signed.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) headers: Vec<Header>,
    pub(super) body: Vec<u8>,
}

pub(super) const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const PARTS: &str = "multipart/form-data; boundary=hookloom-sample";

macro_rules! sample {
    ($preset:literal, $file:literal, $event_type:literal, $content_type:expr $(, $name:literal: $value:literal)*) => {
        Sample {
            preset: $preset,
            event_type: $event_type,
            content_type: $content_type,
            headers: &[$(($name, $value)),*],
            text: include_str!(concat!("samples/", $file)),
        }
    };
}

/// By preset; tests hold each against its scheme.
const SAMPLES: &[Sample] = &[
    sample!("adyen", "adyen.json", "AUTHORISATION", JSON),
    sample!("braintree", "braintree.xml", "subscription_charged_successfully", "application/xml"),
    sample!("calendly", "calendly.json", "invitee.created", JSON, "user-agent": "Calendly"),
    sample!("dropbox-sign", "dropbox-sign.parts", "signature_request_sent", PARTS),
    sample!(
        "github", "github.json", "issues.opened", JSON,
        "user-agent": "GitHub-Hookshot/044aadd",
        "x-github-hook-id": "292430182",
        "x-github-hook-installation-target-id": "1296269",
        "x-github-hook-installation-target-type": "repository"
    ),
    sample!(
        "gitlab", "gitlab.json", "push", JSON,
        "user-agent": "GitLab/18.6.0",
        "idempotency-key": "{id}",
        "webhook-id": "{id}",
        "x-gitlab-event": "Push Hook",
        "x-gitlab-event-uuid": "{id}",
        "x-gitlab-instance": "https://gitlab.example.com"
    ),
    sample!(
        "gitlab-token", "gitlab.json", "push", JSON,
        "user-agent": "GitLab/18.6.0",
        "idempotency-key": "{id}",
        "x-gitlab-event": "Push Hook",
        "x-gitlab-event-uuid": "{id}",
        "x-gitlab-instance": "https://gitlab.example.com"
    ),
    sample!("hubspot-v3", "hubspot-v3.json", "contact.creation", JSON, "user-agent": "HubSpot Connect 2.0"),
    sample!("intercom", "intercom.json", "conversation.user.created", JSON, "user-agent": "intercom-webhooks/1.0"),
    sample!("linear", "linear.json", "Issue.create", JSON, "user-agent": "Linear-Webhook"),
    sample!("mailgun", "mailgun.json", "delivered", JSON),
    sample!("meta", "meta.json", "whatsapp_business_account.messages", JSON, "user-agent": "facebookexternalua"),
    sample!("paddle", "paddle.json", "transaction.completed", JSON, "user-agent": "Paddle"),
    sample!(
        "pagerduty", "pagerduty.json", "incident.triggered", JSON,
        "user-agent": "PagerDuty-Webhook/V3.0",
        "x-webhook-id": "PWEBHOOK"
    ),
    sample!("sentry", "sentry.json", "issue.created", JSON, "sentry-hook-timestamp": "1700000000"),
    sample!(
        "shopify", "shopify.json", "orders/create", JSON,
        "x-shopify-shop-domain": "example.myshopify.com",
        "x-shopify-api-version": "2026-10",
        "x-shopify-event-id": "{id}",
        "x-shopify-triggered-at": "2026-11-14T22:13:20Z"
    ),
    sample!("slack", "slack.json", "app_mention", JSON, "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)"),
    sample!("square", "square.json", "payment.created", JSON, "square-environment": "Sandbox"),
    sample!("standard-webhooks", "standard-webhooks.json", "user.created", JSON),
    sample!("standard-webhooks-v1a", "standard-webhooks.json", "user.created", JSON),
    sample!("stripe", "stripe.json", "payment_intent.succeeded", JSON, "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)"),
    sample!("svix", "standard-webhooks.json", "user.created", JSON, "user-agent": "Svix-Webhooks/1.0"),
    sample!("telegram", "telegram.json", "message", JSON),
    sample!("twilio", "twilio.form", "delivered", FORM, "user-agent": "TwilioProxy/1.1", "i-twilio-idempotency-token": "{id}"),
    sample!("twilio-sharedkey", "twilio.form", "delivered", FORM, "user-agent": "TwilioProxy/1.1", "i-twilio-idempotency-token": "{id}"),
    sample!("typeform", "typeform.json", "form_response", JSON, "user-agent": "Typeform Webhooks"),
    sample!(
        "woocommerce", "woocommerce.json", "order.created", JSON,
        "user-agent": "WooCommerce/10.3 Hookshot (WordPress/6.9)",
        "x-wc-webhook-source": "https://shop.example.com/",
        "x-wc-webhook-id": "142"
    ),
    sample!("x-twitter", "x-twitter.json", "tweet_create_events", JSON),
    sample!("zoom", "zoom.json", "meeting.started", JSON, "user-agent": "Zoom Marketplace/1.0a"),
];

/// Of a scheme that has none of its own: what it reads, and a greeting.
const PLAIN: Sample =
    Sample { preset: "", event_type: "test.event", content_type: JSON, headers: &[], text: "" };

/// The sample of a preset, or one of no provider.
pub(super) fn of(preset: &str) -> &'static Sample {
    SAMPLES.iter().find(|sample| sample.preset == preset).unwrap_or(&PLAIN)
}

impl Sample {
    /// A request with that id, which is hexadecimal, and of that type: the sample's own
    /// or another, which changes what it says of itself.
    pub(super) fn request(&self, scheme: &Scheme, id: &str, event_type: &str) -> Request {
        let filled = |text: &str| fill(text, id, event_type);
        let is_form = self.text.is_empty() && scheme.reads_forms();
        let content_type = if is_form { FORM } else { self.content_type };
        let own = self.headers.iter().map(|(name, value)| header(name, filled(value)));
        let headers: Vec<_> =
            [header("content-type", content_type.to_owned())].into_iter().chain(own).collect();
        let given = Given { headers: &headers, query: None };
        let named = |body: &[u8]| scheme.named(body, given, id, Some(event_type));
        let body = if is_form {
            named(b"message=Hello+from+hookloom+send")
        } else if self.text.is_empty() {
            plain(&named, id, event_type)
        } else {
            let text = filled(self.text.trim_end());
            let text = if content_type == PARTS { text.replace('\n', "\r\n") } else { text };
            named(text.as_bytes())
        };
        Request { headers, body }
    }
}

fn header(name: &str, value: String) -> Header {
    Header { name: name.to_owned(), value }
}

fn fill(text: &str, id: &str, event_type: &str) -> String {
    // Eight hexadecimal digits fit into every provider's number.
    let number = u32::from_str_radix(&id[..id.len().min(8)], 16).unwrap_or_default();
    text.replace("\"{number}\"", &number.to_string()).replace("{id}", id).replace("{type}", event_type)
}

/// A greeting with the id and the type where the scheme reads them.
fn plain(named: &impl Fn(&[u8]) -> Vec<u8>, id: &str, event_type: &str) -> Vec<u8> {
    let alone = named(b"null");
    if matches!(serde_json::from_slice(&alone), Ok(Value::Array(_))) {
        return alone;
    }
    let greeting = json!({ "id": id, "type": event_type, "data": { "message": "Hello from hookloom send" } });
    named(greeting.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{Setup, preset_names};

    #[test]
    fn samples_are_in_order_and_whole() {
        assert!(SAMPLES.is_sorted_by(|one, next| one.preset < next.preset));
        for sample in SAMPLES {
            let filled = fill(sample.text, "0123456789abcdef", sample.event_type);
            assert!(!filled.contains("{id}") && !filled.contains("{number}"), "{}", sample.preset);
            if sample.content_type == JSON {
                assert!(serde_json::from_str::<Value>(&filled).is_ok(), "{}", sample.preset);
            }
            assert!(sample.headers.iter().all(|(name, _)| *name == name.to_lowercase()), "{}", sample.preset);
        }
    }

    #[test]
    fn a_type_is_what_the_body_says_of_itself() {
        let scheme = Scheme::compile(&Setup::preset("stripe", &["s"])).unwrap();
        let request = of("stripe").request(&scheme, "00000010", "charge.failed");
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(
            (body["type"].as_str(), body["id"].as_str()),
            (Some("charge.failed"), Some("evt_00000010"))
        );
        let scheme = Scheme::compile(&Setup::preset("github", &["s"])).unwrap();
        for (event_type, action) in [("issues.closed", Some("closed")), ("push", None)] {
            let request = of("github").request(&scheme, "00000010", event_type);
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            assert_eq!(body["action"].as_str(), action, "{event_type}");
        }
    }

    #[test]
    fn a_scheme_without_a_sample_gets_what_it_reads() {
        for (verify, expected) in [
            ("id = { json = \"/a/id\" }", "\"a\":{\"id\":\"0f\"}"),
            (
                "id = { json = \"/0/id\" }\ntype = { json = \"/0/t\" }",
                "[{\"t\":\"test.event\",\"id\":\"0f\"}]",
            ),
            ("id = { form = \"i\" }", "message=Hello+from+hookloom+send&i=0f"),
            ("id = { header = \"i\" }", "\"type\":\"test.event\""),
        ] {
            let verify = toml::from_str(verify).unwrap();
            let setup = Setup { scheme: Some("none"), verify: Some(&verify), ..Setup::default() };
            let request = of("none").request(&Scheme::compile(&setup).unwrap(), "0f", "test.event");
            let body = String::from_utf8(request.body).unwrap();
            assert!(body.contains(expected), "{body}");
        }
    }

    #[test]
    fn every_sample_is_that_of_a_preset() {
        for sample in SAMPLES {
            assert!(preset_names().any(|name| name == sample.preset), "there is no preset {}", sample.preset);
        }
    }
}

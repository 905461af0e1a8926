//! The presets: schemes of real providers, in the words that users write under
//! `[sources.NAME.verify]`, and what a user has to know of each. One file each; to add
//! one, add it to the list here and its recorded requests to `tests/vectors/`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::SchemeError;
use super::config::VerifyConfig;

/// One provider.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// The provider's name for people.
    pub title: String,
    /// Where it says how it signs.
    pub docs: String,
    /// What is pasted where: what goes into `secrets`, and where the provider shows it.
    pub paste: String,
    /// What else is worth knowing; what is not signed, for one.
    #[serde(default)]
    pub note: Option<String>,
    /// Keys of a source that are needed beside `secrets`: `public_url`, `audience`, …
    #[serde(default)]
    pub needs: Vec<String>,
    /// Keys of a source that may stand beside `secrets`, and do without.
    #[serde(default)]
    pub takes: Vec<String>,
    /// How sure a fact is, where it was not read in the provider's own words: by the
    /// fact (`signature`, `id`, `type`, `handshake`, `secret`, `reply`), one of `2` (two
    /// or more independent readings), `1` (one) and `u` (unverified).
    #[serde(default)]
    pub marks: BTreeMap<String, String>,
    /// What events come with where it is not POST alone.
    #[serde(default)]
    pub methods: Option<Vec<String>>,
    /// The answer to an accepted request where it is not the gateway's own JSON.
    #[serde(default)]
    pub reply: Option<PresetReply>,
    /// What makes a repeat where it is not the id.
    #[serde(default)]
    pub dedupe: Option<PresetDedupe>,
    /// The scheme.
    pub verify: VerifyConfig,
}

/// The answer that a provider wants.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresetReply {
    /// 2xx.
    pub status: u16,
    /// None: no content type.
    pub content_type: Option<String>,
    /// As it is sent.
    #[serde(default)]
    pub body: String,
}

/// What makes a repeat where the provider names its events badly or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PresetDedupe {
    /// The body's bytes.
    Content,
}

macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("presets/", $name, ".toml")))),*]
    };
}

/// Every preset's text, by name.
const TEXTS: &[(&str, &str)] = presets![
    "ably",
    "adyen",
    "adyen-platform",
    "airtable",
    "asana",
    "auth0",
    "aws-sns",
    "bigcommerce",
    "bitbucket",
    "box",
    "braintree",
    "calendly",
    "circleci",
    "coinbase-commerce",
    "contentful",
    "customerio",
    "discord",
    "docusign",
    "dropbox",
    "dropbox-sign",
    "easypost",
    "front",
    "github",
    "gitlab",
    "gitlab-token",
    "gocardless",
    "google-pubsub",
    "heroku",
    "hubspot-v1",
    "hubspot-v2",
    "hubspot-v3",
    "intercom",
    "jira",
    "lemonsqueezy",
    "line",
    "linear",
    "linkedin",
    "mailgun",
    "mandrill",
    "mercadopago",
    "messagebird",
    "meta",
    "mollie",
    "ms-graph",
    "mux",
    "netlify",
    "notion",
    "nylas",
    "okta",
    "onfido",
    "paddle",
    "paddle-classic",
    "pagerduty",
    "paypal",
    "paystack",
    "plaid",
    "plivo-v3",
    "postmark",
    "pusher",
    "razorpay",
    "recurly",
    "sanity",
    "sendgrid",
    "sentry",
    "shopify",
    "slack",
    "square",
    "standard-webhooks",
    "standard-webhooks-v1a",
    "stripe",
    "svix",
    "tebex",
    "telegram",
    "telnyx",
    "trello",
    "twilio",
    "twilio-sharedkey",
    "twitch",
    "typeform",
    "vercel",
    "webflow",
    "woocommerce",
    "workos",
    "x-twitter",
    "xero",
    "zendesk",
    "zoom",
];

static PRESETS: LazyLock<BTreeMap<&str, Preset>> = LazyLock::new(|| {
    let parse = |&(name, text)| match toml::from_str(text) {
        Ok(preset) => (name, preset),
        Err(error) => panic!("presets/{name}.toml, which is tested to parse: {error}"),
    };
    TEXTS.iter().map(parse).collect()
});

/// The names of all presets, in alphabetical order.
pub fn preset_names() -> impl Iterator<Item = &'static str> {
    PRESETS.keys().copied()
}

/// The preset of that name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.get(name)
}

/// The preset of that name.
pub(super) fn find(name: &str) -> Result<&'static Preset, SchemeError> {
    preset(name).ok_or_else(|| SchemeError::Unknown { name: name.to_owned() })
}

/// The text that a preset is written in, for tests that change it.
pub fn preset_text(name: &str) -> Option<&'static str> {
    TEXTS.iter().find(|(own, _)| *own == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a mark can be about, and whether a preset says anything of it.
    fn says(preset: &Preset, fact: &str) -> Option<bool> {
        let verify = &preset.verify;
        Some(match fact {
            "signature" | "secret" | "reply" => true,
            "timestamp" => verify.timestamp.is_some(),
            "id" => verify.id.is_some() || verify.code.is_some(),
            "type" => verify.event_type.is_some() || verify.code.is_some(),
            "handshake" => verify.handshake.is_some(),
            _ => return None,
        })
    }

    #[test]
    fn every_preset_is_described() {
        for (name, preset) in PRESETS.iter() {
            assert!(!preset.title.is_empty(), "{name}");
            assert!(url::Url::parse(&preset.docs).is_ok_and(|url| url.scheme() == "https"), "{name}");
            for text in [Some(&preset.paste), preset.note.as_ref()].into_iter().flatten() {
                assert!(text.ends_with('.') && !text.contains('\n'), "{name}: {text}");
            }
            for (fact, mark) in &preset.marks {
                assert_eq!(says(preset, fact), Some(true), "{name}: a mark on {fact}");
                assert!(["2", "1", "u"].contains(&mark.as_str()), "{name}: {fact} = {mark}");
            }
        }
    }

    #[test]
    fn names_are_in_order() {
        assert!(TEXTS.is_sorted_by(|(one, _), (next, _)| one < next));
    }

    /// Presets that sign the URL cannot be used without it.
    #[test]
    fn what_is_needed_is_said() {
        for (name, preset) in PRESETS.iter() {
            let texts = preset.verify.message.iter().flat_map(|texts| &texts.0);
            if texts.into_iter().any(|text| text.contains("{url")) {
                assert!(preset.needs.iter().any(|key| key == "public_url"), "{name}");
            }
        }
    }
}

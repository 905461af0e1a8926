//! What a preset's words amount to, for people: what proves a request, what keeps an old
//! one from being sent again, what names an event.

use super::config::{Algorithm, ExtractorConfig, OneOrMany, VerifyConfig};
use super::presets::{Preset, PresetDedupe};
use super::timestamp::DEFAULT_TOLERANCE;

/// A preset in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What proves who sent it, and where that is.
    pub proof: String,
    /// What keeps a recorded request from being sent again.
    pub replay: String,
    /// What makes a repeat.
    pub dedupe: String,
    /// Where the event's type is.
    pub event_type: String,
    /// What is answered before events come.
    pub handshake: Option<String>,
}

const NO_TIME: &str = "no time checked";

/// What of a scheme in code its preset does not say.
struct Coded {
    preset: &'static str,
    proof: &'static str,
    /// What is checked of the signed time, where that is no tolerance.
    time: Option<&'static str>,
    /// What is known of a repeat, where the body is not what is compared.
    repeat: &'static str,
    /// Where the id is, if code finds it.
    id: Option<&'static str>,
    /// Where the type is, if code finds it.
    event_type: Option<&'static str>,
    /// A handshake that is code, too.
    handshake: Option<&'static str>,
}

const SIGNED_ID: &str = "a repeat of the signed id is recognised";
const UNSIGNED_ID: &str = "the id is not signed";

/// A scheme that says nothing but what proves a request; the others differ from it.
const fn coded(preset: &'static str, proof: &'static str) -> Coded {
    Coded { preset, proof, time: None, repeat: SIGNED_ID, id: None, event_type: None, handshake: None }
}

/// Where both schemes of Twilio have the id.
const TWILIO_ID: Option<&str> = Some(
    "form field MessageSid + MessageStatus or SmsStatus, or CallSid + CallStatus + SequenceNumber; else \
     header i-twilio-idempotency-token",
);
const TWILIO_REPEAT: &str = "a repeat of a signed id (of a message, of a numbered callback of a call) is recognised; the header is not signed";

/// By preset.
const CODED: &[Coded] = &[
    Coded {
        id: Some("body pspReference + eventCode + success, of every item"),
        ..coded("adyen", "HMAC-SHA256 of eight fields of every item, in the body")
    },
    Coded {
        handshake: Some("signed subscription confirmation, confirmed by a GET of its SubscribeURL"),
        ..coded("aws-sns", "RSA of the listed fields, in the body, by a published certificate")
    },
    Coded {
        id: Some("hash of the payload"),
        repeat: "a repeat of the payload is recognised",
        event_type: Some("kind, in the XML of the payload"),
        ..coded("braintree", "HMAC-SHA1 of the payload, in the form")
    },
    Coded {
        repeat: "the id is signed where x-contentful-signed-headers lists its header",
        ..coded("contentful", "HMAC-SHA256 of method, path, listed headers and body")
    },
    Coded {
        time: Some("signed times of the token"),
        repeat: UNSIGNED_ID,
        ..coded("google-pubsub", "a token of Google's for this audience and account")
    },
    Coded {
        time: Some("signed times of the token"),
        id: Some("jti of the token"),
        ..coded("messagebird", "a JWT with hashes of the URL and the body")
    },
    coded("netlify", "a JWS with a hash of the body"),
    coded("paddle-classic", "RSA-SHA1 of all fields, in the form"),
    Coded {
        repeat: "a repeat of the id is recognised, which is signed by the checksum alone",
        ..coded("paypal", "RSA-SHA256 of id, time and checksum of the body, by a published certificate")
    },
    Coded {
        id: Some("time of the token + hash of the body"),
        ..coded("plaid", "a JWT with a hash of the body, by a published key")
    },
    coded("plivo-v3", "HMAC-SHA256 of URL, form and nonce"),
    Coded {
        id: TWILIO_ID,
        repeat: TWILIO_REPEAT,
        ..coded("twilio", "HMAC of URL and form, or of the URL with a hash of the body")
    },
    Coded {
        id: TWILIO_ID,
        repeat: TWILIO_REPEAT,
        ..coded("twilio-sharedkey", "HMAC-SHA256 of URL and form, or of the URL with a hash of the body")
    },
];

impl Preset {
    /// This preset in a few words.
    pub fn facts(&self, name: &str) -> Facts {
        let verify = &self.verify;
        let mut facts = match CODED.iter().find(|own| own.preset == name) {
            Some(own) if verify.code.is_some() => own.facts(verify),
            _ => of_checks(verify).unwrap_or_else(|| of_fields(verify)),
        };
        if self.dedupe == Some(PresetDedupe::Content) {
            facts.replay = replay(verify, "a repeat of the body is recognised");
            "the body's bytes, of a form its fields".clone_into(&mut facts.dedupe);
        }
        facts
    }
}

impl Coded {
    fn facts(&self, verify: &VerifyConfig) -> Facts {
        let fields = of_fields(verify);
        let or = |own: Option<&str>, otherwise: String| own.map_or(otherwise, str::to_owned);
        Facts {
            proof: self.proof.to_owned(),
            replay: self
                .time
                .map_or_else(|| replay(verify, self.repeat), |time| format!("{time}; {}", self.repeat)),
            dedupe: or(self.id, fields.dedupe),
            event_type: or(self.event_type, fields.event_type),
            handshake: self.handshake.map(str::to_owned).or(fields.handshake),
        }
    }
}

/// Of several checks, what each says: once, where they say the same.
fn of_checks(verify: &VerifyConfig) -> Option<Facts> {
    let (checks, joint) = match (&verify.all, &verify.any) {
        (Some(all), _) => (all, " and "),
        (None, any) => (any.as_ref()?, " or "),
    };
    let each: Vec<_> = checks.iter().map(of_fields).collect();
    let said = |fact: fn(&Facts) -> &str| {
        let mut words: Vec<_> = each.iter().map(fact).collect();
        words.dedup();
        words.join(joint)
    };
    Some(Facts {
        proof: said(|facts| &facts.proof),
        replay: said(|facts| &facts.replay),
        dedupe: said(|facts| &facts.dedupe),
        event_type: said(|facts| &facts.event_type),
        handshake: handshake(verify),
    })
}

fn of_fields(verify: &VerifyConfig) -> Facts {
    let id = verify.id.as_ref();
    let repeat = match id.map(|id| covers(verify, id)) {
        Some(true) => SIGNED_ID,
        Some(false) => UNSIGNED_ID,
        None => "repeats are not recognised",
    };
    Facts {
        proof: proof(verify),
        replay: replay(verify, repeat),
        dedupe: id.map_or_else(|| "nothing".to_owned(), places),
        event_type: verify.event_type.as_ref().map_or_else(|| "none".to_owned(), places),
        handshake: handshake(verify),
    }
}

fn handshake(verify: &VerifyConfig) -> Option<String> {
    verify.handshake.map(|handshake| words(&format!("{handshake:?}")))
}

fn proof(verify: &VerifyConfig) -> String {
    if verify.code.is_some() {
        return "code of its own".to_owned();
    }
    let Some(signature) = &verify.signature else { return "nothing".to_owned() };
    let algorithm = verify.algorithm.unwrap_or_default();
    let place = place(signature);
    if algorithm == Algorithm::Token {
        format!("a token, {place}")
    } else {
        format!("{}, {place}", algorithm.as_str())
    }
}

/// Seconds that the signed time may be off, where there is one: compiling refuses a time
/// that nobody signs.
fn tolerance(verify: &VerifyConfig) -> Option<u32> {
    verify.timestamp.as_ref().map(|timestamp| timestamp.tolerance.unwrap_or(DEFAULT_TOLERANCE))
}

/// Whether every part of the id is part of every message that is signed.
fn covers(verify: &VerifyConfig, id: &OneOrMany<ExtractorConfig>) -> bool {
    if verify.algorithm == Some(Algorithm::Token) {
        return false;
    }
    let body = OneOrMany(vec!["{body}".to_owned()]);
    let messages = verify.message.as_ref().unwrap_or(&body);
    id.0.iter().all(|part| messages.0.iter().all(|message| is_in(part, message)))
}

fn is_in(part: &ExtractorConfig, message: &str) -> bool {
    let named = |kind: &str, names: &Option<OneOrMany<String>>| {
        names.iter().flat_map(|names| &names.0).any(|name| {
            // `{header:a|b}` and `{lower:header:a}` name it, too.
            message.split(['{', '}']).any(|word| {
                word.split_once(kind).is_some_and(|(_, own)| {
                    own.strip_prefix(':').is_some_and(|own| own.split('|').any(|own| own == name))
                })
            })
        })
    };
    let in_body = part.header.is_none() && part.query.is_none();
    (in_body && message.contains("{body"))
        || (part.query.is_some() && message.contains("{url"))
        || (part.form.is_some() && message.contains("{form_sorted}"))
        || named("header", &part.header)
        || named("query", &part.query)
        || named("form", &part.form)
        || named("json", &part.json)
}

/// What keeps an old request out.
fn replay(verify: &VerifyConfig, repeat: &str) -> String {
    if verify.algorithm == Some(Algorithm::Token) {
        return "none: nothing is signed".to_owned();
    }
    match tolerance(verify) {
        Some(seconds) => format!("signed time, {seconds} s; {repeat}"),
        None => format!("{NO_TIME}; {repeat}"),
    }
}

fn places(parts: &OneOrMany<ExtractorConfig>) -> String {
    parts.0.iter().map(place).collect::<Vec<_>>().join(" + ")
}

fn place(extractor: &ExtractorConfig) -> String {
    let named = |names: &Option<OneOrMany<String>>, kind: &str| {
        names.as_ref().map(|names| format!("{kind} {}", names.0.join(" or ")))
    };
    named(&extractor.header, "header")
        .or_else(|| named(&extractor.query, "query"))
        .or_else(|| named(&extractor.form, "form field"))
        .or_else(|| named(&extractor.json, "body"))
        .unwrap_or_else(|| "the first key in the body".to_owned())
}

/// `SlackUrlVerification` as `slack url verification`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::{preset, preset_names};
    use super::*;

    fn of(text: &str) -> Facts {
        let text = format!("title = \"T\"\ndocs = \"\"\npaste = \"\"\n{text}");
        toml::from_str::<Preset>(&text).unwrap().facts("t")
    }

    #[test]
    fn what_keeps_an_old_request_out() {
        const SIGNED: &str = "signature = { header = \"s\" }\n";
        for (verify, expected) in [
            ("algorithm = \"token\"", "none: nothing is signed"),
            ("", "no time checked; repeats are not recognised"),
            ("id = { json = \"/id\" }", "no time checked; a repeat of the signed id is recognised"),
            ("id = { header = \"i\" }", "no time checked; the id is not signed"),
            (
                "id = { header = \"i\" }\nmessage = \"{header:i}.{timestamp}.{body}\"\ntimestamp = { header = \"t\" }",
                "signed time, 300 s; a repeat of the signed id is recognised",
            ),
            (
                "id = { header = [\"a\", \"i\"] }\nmessage = [\"{header:a|i}{body}\", \"{body}\"]",
                "no time checked; the id is not signed",
            ),
            (
                "id = { json = \"/t\" }\nmessage = \"{timestamp}{json:/t}\"\ntimestamp = { json = \"/a\", tolerance = 9 }",
                "signed time, 9 s; a repeat of the signed id is recognised",
            ),
            ("id = { json = \"/i\" }\nmessage = \"{json:/t}\"", "no time checked; the id is not signed"),
        ] {
            assert_eq!(of(&format!("[verify]\n{SIGNED}{verify}")).replay, expected, "{verify}");
        }
        let facts = of("dedupe = \"content\"\n[verify]\nsignature = { header = \"s\" }");
        assert_eq!(facts.replay, "no time checked; a repeat of the body is recognised");
        assert_eq!(facts.dedupe, "the body's bytes, of a form its fields");
    }

    #[test]
    fn presets_in_words() {
        let facts = preset("slack").unwrap().facts("slack");
        assert_eq!(facts.proof, "hmac-sha256, header x-slack-signature");
        assert_eq!(facts.event_type, "body /event/type or /type");
        assert_eq!(facts.handshake.as_deref(), Some("slack url verification"));
        let facts = preset("github").unwrap().facts("github");
        assert_eq!(facts.event_type, "header x-github-event + body /action");
    }

    #[test]
    fn what_code_finds_is_said() {
        for (name, id, event_type) in [
            ("adyen", "body pspReference + eventCode + success, of every item", "body /notificationItems"),
            ("braintree", "hash of the payload", "kind, in the XML"),
            ("messagebird", "jti of the token", "none"),
            ("plaid", "time of the token + hash of the body", "body /webhook_type + body /webhook_code"),
            ("plivo-v3", "header x-plivo-signature-v3-nonce", "form field Event"),
            ("twilio", "form field MessageSid + MessageStatus", "form field MessageStatus"),
        ] {
            let facts = preset(name).unwrap().facts(name);
            assert!(facts.dedupe.starts_with(id), "{name}: {}", facts.dedupe);
            assert!(facts.event_type.starts_with(event_type), "{name}: {}", facts.event_type);
        }
        let replay = |name: &str| preset(name).unwrap().facts(name).replay;
        assert_eq!(replay("braintree"), "no time checked; a repeat of the payload is recognised");
        assert_eq!(replay("google-pubsub"), "signed times of the token; the id is not signed");
        assert_eq!(replay("plaid"), "signed time, 300 s; a repeat of the signed id is recognised");
        assert!(replay("contentful").starts_with("signed time, 30 s; "));
        assert!(replay("paypal").ends_with("which is signed by the checksum alone"));
        let facts = preset("aws-sns").unwrap().facts("aws-sns");
        assert!(facts.handshake.is_some_and(|words| words.contains("SubscribeURL")));
    }

    #[test]
    fn of_several_checks_each_is_said() {
        let facts = of("[[verify.any]]\nsignature = { header = \"a\" }\nid = { json = \"/i\" }\n\
             [[verify.any]]\nsignature = { header = \"b\" }\nid = { json = \"/i\" }");
        assert_eq!(facts.proof, "hmac-sha256, header a or hmac-sha256, header b");
        assert_eq!((&*facts.dedupe, &*facts.event_type), ("body /i", "none"));
        assert_eq!(facts.replay, "no time checked; a repeat of the signed id is recognised");
    }

    #[test]
    fn every_scheme_in_code_has_its_words() {
        for name in preset_names() {
            let is_coded = preset(name).is_some_and(|preset| preset.verify.code.is_some());
            assert_eq!(is_coded, CODED.iter().any(|own| own.preset == name), "{name}");
        }
    }
}

//! Amazon SNS: fields of the envelope are signed with the key of a certificate that it
//! publishes (docs.aws.amazon.com/sns, "Verifying the signatures of Amazon SNS messages").
//!
//! Anybody can own a topic and have Amazon sign its messages, so the topic is the secret.

use super::super::compare::equal;
use super::super::config::Encoding;
use super::super::documents::Fetch;
use super::super::extract::Reader;
use super::super::{Accepted, Documents, Effect, Reply, SchemeError, Setup, Verdict};
use super::certificate::{Hash, RsaKey, published};
use super::pinned::pinned;
use super::{Coded, each_secret, malformed, no_match, unauthorized, wanted};
use crate::model::Millis;

/// The scheme with its topics.
#[derive(Debug)]
pub(super) struct AwsSns(Vec<String>);

/// What is read of a message. A name that comes twice is refused.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    #[serde(rename = "Type")]
    kind: String,
    message: String,
    message_id: String,
    subject: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    timestamp: String,
    token: Option<String>,
    topic_arn: String,
    signature: String,
    signature_version: String,
    #[serde(rename = "SigningCertURL")]
    certificate: String,
}

impl AwsSns {
    pub(super) fn new(setup: &Setup<'_>) -> Result<Self, SchemeError> {
        let topic = |secret: &str| {
            let is_topic = secret.starts_with("arn:") && secret.split(':').count() == 6;
            is_topic.then(|| secret.to_owned()).ok_or_else(|| {
                "is not the ARN of a topic, as in \"arn:aws:sns:us-east-1:123456789012:orders\"".to_owned()
            })
        };
        each_secret(setup, topic).map(Self)
    }
}

impl Coded for AwsSns {
    fn check(&self, reader: &Reader<'_>, now: Millis, documents: &Documents) -> Result<Accepted, Verdict> {
        let envelope = Envelope::read(reader)?;
        if !self.0.iter().any(|topic| equal(topic.as_bytes(), envelope.topic_arn.as_bytes())) {
            return Err(unauthorized("the message is of another topic"));
        }
        let messages = envelope.messages()?;
        let hash = match envelope.signature_version.as_str() {
            "1" => Hash::Sha1,
            "2" => Hash::Sha256,
            _ => return Err(unauthorized("SignatureVersion is neither 1 nor 2")),
        };
        let signature = Encoding::Base64.decode(envelope.signature.as_bytes());
        let signature = signature.ok_or_else(|| unauthorized("the signature cannot be decoded"))?;
        let url = envelope.certificate_url()?;
        let certificate = wanted(documents, published(url))?;
        let key = RsaKey::of_certificate(&certificate.body, now).map_err(unauthorized)?;
        if !messages.iter().any(|message| key.accepts(hash, message.as_bytes(), &signature)) {
            return Err(no_match());
        }
        envelope.outcome()
    }

    fn signed_bytes(&self, reader: &Reader<'_>) -> Result<Vec<u8>, String> {
        let messages = Envelope::read(reader).and_then(|envelope| envelope.messages());
        let messages = messages.map_err(|verdict| verdict.to_string())?;
        Ok(messages.into_iter().next().unwrap_or_default().into_bytes())
    }
}

impl Envelope {
    fn read(reader: &Reader<'_>) -> Result<Self, Verdict> {
        serde_json::from_slice(reader.request.body).map_err(|error| {
            if error.is_data() {
                return unauthorized("a signed field is missing, or not text");
            }
            malformed("the body is not JSON")
        })
    }

    /// What may be signed: the documented form, and for the end of a subscription also
    /// that of Amazon's own library for Node.js, which leaves the token out.
    fn messages(&self) -> Result<Vec<String>, Verdict> {
        let url = self.subscribe_url.as_deref();
        let token = self.token.as_deref();
        let missing = || unauthorized("SubscribeURL and Token are due");
        Ok(match self.kind.as_str() {
            "Notification" => {
                vec![self.lines([("Subject", self.subject.as_deref()), ("", None), ("", None)])]
            }
            "SubscriptionConfirmation" => {
                let (url, token) = (url.ok_or_else(missing)?, token.ok_or_else(missing)?);
                vec![self.lines([("", None), ("SubscribeURL", Some(url)), ("Token", Some(token))])]
            }
            "UnsubscribeConfirmation" => {
                let (url, token) = (url.ok_or_else(missing)?, token.ok_or_else(missing)?);
                [Some(token), None]
                    .map(|token| self.lines([("", None), ("SubscribeURL", Some(url)), ("Token", token)]))
                    .into()
            }
            _ => return Err(unauthorized("Type is not one that is known")),
        })
    }

    /// `Name\nvalue\n` of each field that is there, by name.
    fn lines(&self, [subject, url, token]: [(&str, Option<&str>); 3]) -> String {
        let fields = [
            ("Message", Some(self.message.as_str())),
            ("MessageId", Some(self.message_id.as_str())),
            subject,
            url,
            ("Timestamp", Some(self.timestamp.as_str())),
            token,
            ("TopicArn", Some(self.topic_arn.as_str())),
            ("Type", Some(self.kind.as_str())),
        ];
        fields.iter().filter_map(|(name, value)| Some(format!("{name}\n{}\n", (*value)?))).collect()
    }

    /// In one spelling and without a query, which would make one certificate many documents.
    fn certificate_url(&self) -> Result<String, Verdict> {
        let url = pinned(&self.certificate, "SigningCertURL", is_sns)?;
        if url.query().is_some() || url.path().strip_suffix(".pem").is_none() {
            return Err(unauthorized("SigningCertURL is not that of a .pem file"));
        }
        Ok(url.into())
    }

    /// An event, or what became of the subscription.
    fn outcome(&self) -> Result<Accepted, Verdict> {
        match self.kind.as_str() {
            "SubscriptionConfirmation" => {
                let url = self.subscribe_url.as_deref().unwrap_or_default();
                pinned(url, "SubscribeURL", is_sns)?;
                let effect = Some(Effect::Call(Box::new(Fetch::get(url))));
                Err(Verdict::Handshake(Reply { effect, ..Reply::empty(200) }))
            }
            // Its URL would subscribe again, and whoever ended it wanted it ended.
            "UnsubscribeConfirmation" => Err(Verdict::Handshake(Reply::empty(200))),
            _ => Ok(Accepted::default()),
        }
    }
}

/// `sns.REGION.amazonaws.com`, and that of China. Other services have names of the same
/// length (`sns.s3.amazonaws.com` is a bucket, which is anybody's), but none like a region.
fn is_sns(host: &str) -> bool {
    let behind = host.strip_prefix("sns.");
    let region = behind.and_then(|behind| {
        behind.strip_suffix(".amazonaws.com").or_else(|| behind.strip_suffix(".amazonaws.com.cn"))
    });
    region.is_some_and(is_region)
}

/// Words, and a number behind them: `us-east-1`, `us-gov-west-1`.
fn is_region(name: &str) -> bool {
    let Some((words, number)) = name.rsplit_once('-') else { return false };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && words.contains('-') && words.split('-').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (host, expected) in [
            ("sns.us-east-1.amazonaws.com", true),
            ("sns.cn-north-1.amazonaws.com.cn", true),
            ("sns.us-gov-west-1.amazonaws.com", true),
            ("sns.s3.amazonaws.com", false),
            ("sns.s3-us-west-2.amazonaws.com", false),
            ("sns.s3-website-us-east-1.amazonaws.com", false),
            ("sns.us-east-1a.amazonaws.com", false),
            ("sns.east-1.amazonaws.com", false),
            ("sns.us--east-1.amazonaws.com", false),
            ("sns.amazonaws.com", false),
            ("sns..amazonaws.com", false),
            ("sns.us-east-1.s3.amazonaws.com", false),
            ("s3.us-east-1.amazonaws.com", false),
            ("xsns.us-east-1.amazonaws.com", false),
            ("sns.us-east-1.amazonaws.com.evil.example", false),
            ("sns.us-east-1.amazonaws.com.cn.evil.example", false),
            ("sns.us-east-1.amazonaws.org", false),
        ] {
            assert_eq!(is_sns(host), expected, "{host}");
        }
    }

    #[test]
    fn a_secret_is_a_topic() {
        for (secret, expected) in [
            ("arn:aws:sns:us-east-1:000000000000:orders", true),
            ("arn:aws-cn:sns:cn-north-1:000000000000:orders", true),
            ("orders", false),
            ("arn:aws:sns:us-east-1:000000000000:orders:0000-subscription", false),
        ] {
            assert_eq!(AwsSns::new(&Setup::preset("aws-sns", &[secret])).is_ok(), expected, "{secret}");
        }
    }
}

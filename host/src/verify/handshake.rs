//! Handshakes: what providers ask an endpoint before they send events to it.

use super::{Reply, Verdict};

/// A handshake that a scheme names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handshake {
    /// Slack's signed `url_verification`: its challenge is echoed as text
    /// (`url_verification` in the event reference at docs.slack.dev).
    SlackUrlVerification,
}

/// Real challenges have some fifty characters; an echo of any length would be a gift.
const MAX_CHALLENGE: usize = 512;

impl Handshake {
    /// Where in a JSON body its values are.
    pub(super) const fn pointers(self) -> &'static [&'static str] {
        match self {
            Self::SlackUrlVerification => &["/type", "/challenge"],
        }
    }

    /// What a verified request is if it is this handshake. The values are those at
    /// [`Self::pointers`], in order.
    pub(super) fn answer(self, values: &[Option<&str>]) -> Option<Verdict> {
        match self {
            Self::SlackUrlVerification => slack_url_verification(values),
        }
    }
}

fn slack_url_verification(values: &[Option<&str>]) -> Option<Verdict> {
    let [Some("url_verification"), challenge] = values else { return None };
    Some(match challenge {
        Some(text) if !text.is_empty() && text.len() <= MAX_CHALLENGE => {
            Verdict::Handshake(Reply { status: 200, content_type: "text/plain", body: (*text).to_owned() })
        }
        _ => Verdict::Malformed("url_verification without a challenge".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack() {
        let answer = |kind, challenge| Handshake::SlackUrlVerification.answer(&[kind, challenge]);
        assert_eq!(answer(Some("event_callback"), Some("x")), None);
        assert_eq!(answer(None, Some("x")), None);
        assert_eq!(
            answer(Some("url_verification"), Some("x")),
            Some(Verdict::Handshake(Reply { status: 200, content_type: "text/plain", body: "x".to_owned() }))
        );
        let long = "x".repeat(MAX_CHALLENGE + 1);
        for challenge in [None, Some(""), Some(long.as_str())] {
            assert!(matches!(answer(Some("url_verification"), challenge), Some(Verdict::Malformed(_))));
        }
    }
}

//! Handshakes: what providers ask an endpoint before they send events to it. Pure: from
//! a request, what its body says and what the source knows to a verdict, or to none
//! where the request is something else.
//!
//! ```text
//! echo      the challenge comes back, in the clear
//! mac       the challenge comes back with a MAC of it
//! learn     the provider hands over a secret
//! signed    pings that are signed like events
//! probe     requests that only want a 2xx
//! ```

mod cloudevents;
mod echo;
mod given;
mod learn;
mod mac;
mod probe;
mod signed;

use super::extract::Reader;
use super::setup::Recipe;
use super::{Request, Verdict};
use crate::model::Secret;

/// A handshake that a scheme names. `docs` is where the provider describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handshake {
    /// Slack: the challenge of a signed `url_verification` (docs.slack.dev, the event's
    /// reference).
    SlackUrlVerification,
    /// Twitch: the challenge of a signed `webhook_callback_verification`
    /// (dev.twitch.tv docs/eventsub/handling-webhook-events).
    TwitchVerification,
    /// Meta: `hub.challenge` for whoever knows the verify token
    /// (developers.facebook.com docs/graph-api/webhooks).
    MetaSubscribe,
    /// Microsoft Graph and `SharePoint`: `validationToken` of the query
    /// (learn.microsoft.com graph/change-notifications-delivery-webhooks).
    MsGraphValidation,
    /// Okta: a challenge in a header, back in JSON (developer.okta.com
    /// docs/concepts/event-hooks).
    OktaChallenge,
    /// Dropbox, Nylas: `challenge` of the query (dropbox.com
    /// developers/reference/webhooks).
    QueryChallenge,
    /// monday.com: the `challenge` of a JSON body, back in JSON (developer.monday.com
    /// api-reference/docs/webhooks).
    MondayChallenge,
    /// Zoom: a signed `endpoint.url_validation`, answered with a MAC
    /// (developers.zoom.us docs/api/webhooks).
    ZoomUrlValidation,
    /// X: a GET with `crc_token`, answered with a MAC (docs.x.com x-api/webhooks).
    XCrc,
    /// `LinkedIn`: a GET with `challengeCode`, answered with a MAC (learn.microsoft.com
    /// linkedin/shared/api-guide/webhook-validation).
    LinkedinChallenge,
    /// Braintree: a GET with `bt_challenge`, answered with a MAC (npm braintree).
    BraintreeChallenge,
    /// Asana, Clio: a secret in a header, echoed and kept (developers.asana.com
    /// docs/webhooks-guide).
    HookSecret,
    /// Notion: a secret in a JSON body, kept and shown to the operator
    /// (developers.notion.com reference/webhooks).
    NotionVerificationToken,
    /// Discord: the pings of events (`type` 0) and interactions (`type` 1), signed
    /// (discord.com developers/docs/events/webhook-events).
    DiscordPing,
    /// LINE's "Verify", Xero's "intent to receive": signed, with no events
    /// (developers.line.biz, developer.xero.com configuring-your-server).
    EmptyEvents,
    /// Mailchimp: a GET that wants a 200 (mailchimp.com developer/marketing).
    GetProbe,
    /// Mandrill: a ping that is signed with a key everybody knows (mailchimp.com
    /// developer/transactional).
    MandrillPing,
    /// `WooCommerce`: an unsigned ping that names the webhook (its source,
    /// `WC_Webhook::deliver_ping`).
    WoocommercePing,
    /// `CloudEvents`: OPTIONS asks for permission to send (the specification's
    /// http-webhook 1.0.2, section 4).
    Cloudevents,
}

/// A request that may be a handshake.
pub(super) struct Asked<'r, 'a> {
    pub(super) request: &'r Request<'a>,
    reader: &'r Reader<'a>,
    /// Those of [`Handshake::pointers`], in order.
    slots: &'r [usize],
    /// The source's, in order.
    secrets: &'r [Secret],
    /// The source's, where one is configured.
    verify_token: Option<&'r Secret>,
    /// The source's, where one is configured.
    public_key: Option<&'r Secret>,
}

/// Bodies of unsigned handshakes: one challenge in JSON. Nothing longer is parsed for
/// whoever has proven nothing.
const MAX_UNSIGNED_BODY: usize = 4096;

impl<'r, 'a> Asked<'r, 'a> {
    pub(super) fn new(reader: &'r Reader<'a>, slots: &'r [usize], recipe: &'r Recipe) -> Self {
        Self {
            request: reader.request,
            reader,
            slots,
            secrets: recipe.secrets(),
            verify_token: recipe.verify_token(),
            public_key: recipe.public_key(),
        }
    }

    /// The values at [`Handshake::pointers`], in order.
    fn values<const N: usize>(&self) -> [Option<&'r str>; N] {
        std::array::from_fn(|at| self.slots.get(at).and_then(|slot| self.reader.json(*slot)))
    }

    /// The same of a body that is as short as a challenge and not compressed; nothing of others.
    fn short_values<const N: usize>(&self) -> [Option<&'r str>; N] {
        let is_short = self.request.body.len() <= MAX_UNSIGNED_BODY && !self.reader.is_compressed();
        if is_short { self.values() } else { [None; N] }
    }
}

/// A verdict, or none where the request is another thing; the error is a verdict, too:
/// the request is this handshake and not a whole one.
type Found = Result<Option<Verdict>, Verdict>;

impl Handshake {
    /// Where in a JSON body its values are.
    pub(super) const fn pointers(self) -> &'static [&'static str] {
        match self {
            Self::SlackUrlVerification => &["/type", "/challenge"],
            Self::TwitchVerification => &["/challenge"],
            Self::MondayChallenge => &["/challenge", "/event/type"],
            Self::ZoomUrlValidation => &["/event", "/payload/plainToken"],
            Self::NotionVerificationToken => &["/verification_token", "/id"],
            Self::DiscordPing => &["/type", "/event/type"],
            _ => &[],
        }
    }

    /// Whether it hands over a secret, so that a source may begin without one.
    pub(super) const fn learns(self) -> bool {
        matches!(self, Self::HookSecret | Self::NotionVerificationToken)
    }

    /// Whether what it hands over has to be typed in at the provider, by whoever opened
    /// the window for it.
    pub(super) const fn shows_secret(self) -> bool {
        matches!(self, Self::NotionVerificationToken)
    }

    /// What it reads beside secrets, as a key of the source.
    pub(super) const fn takes(self) -> Option<&'static str> {
        match self {
            Self::MetaSubscribe => Some("verify_token"),
            Self::BraintreeChallenge => Some("public_key"),
            _ => None,
        }
    }

    /// Whether anybody gets a signature by the key of events: of text that is no event as
    /// long as events are signed as they are sent.
    pub(super) const fn signs_for_anybody(self) -> bool {
        matches!(self, Self::XCrc | Self::LinkedinChallenge)
    }

    /// Whether it is nothing without `verify_token`.
    pub(super) const fn needs_verify_token(self) -> bool {
        matches!(self, Self::MetaSubscribe)
    }

    /// The verdict on a request that is this handshake where the provider does not sign
    /// it. Asked before anything is proven.
    pub(super) fn unsigned(self, asked: &Asked<'_, '_>) -> Option<Verdict> {
        let found = match self {
            Self::MetaSubscribe => echo::meta(asked),
            Self::MsGraphValidation => echo::ms_graph(asked),
            Self::OktaChallenge => echo::okta(asked),
            Self::QueryChallenge => echo::query(asked),
            Self::MondayChallenge => echo::monday(asked),
            Self::XCrc => mac::x_crc(asked),
            Self::LinkedinChallenge => mac::linkedin(asked),
            Self::BraintreeChallenge => mac::braintree(asked),
            Self::HookSecret => learn::hook_secret(asked),
            Self::NotionVerificationToken => learn::notion(asked),
            Self::GetProbe => Ok(probe::get(asked)),
            Self::MandrillPing => Ok(probe::mandrill(asked)),
            Self::WoocommercePing => Ok(probe::woocommerce(asked)),
            Self::Cloudevents => cloudevents::permission(asked),
            Self::SlackUrlVerification
            | Self::TwitchVerification
            | Self::ZoomUrlValidation
            | Self::DiscordPing
            | Self::EmptyEvents => Ok(None),
        };
        found.unwrap_or_else(Some)
    }

    /// The verdict on a request that is this handshake, and whose sender is proven.
    pub(super) fn signed(self, asked: &Asked<'_, '_>) -> Option<Verdict> {
        let found = match self {
            Self::SlackUrlVerification => echo::slack(asked),
            Self::TwitchVerification => echo::twitch(asked),
            Self::ZoomUrlValidation => mac::zoom(asked),
            Self::XCrc | Self::LinkedinChallenge => mac::no_answer_of_ours(asked),
            Self::DiscordPing => Ok(signed::discord(asked)),
            Self::EmptyEvents => Ok(signed::empty_events(asked)),
            _ => Ok(None),
        };
        found.unwrap_or_else(Some)
    }
}

#[cfg(test)]
mod tests;

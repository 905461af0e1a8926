//! Networks of senders and of proxies: `allow_from`, `server.trusted_proxies`.

use super::Context;
use super::egress;
use crate::config::file::Text;
use crate::model::Cidr;

/// Networks that addresses of senders are looked up in: IPv4-mapped ones are the IPv4
/// networks that they stand for, as the addresses are.
pub(super) fn senders(context: &mut Context<'_>, texts: &[Text]) -> Vec<Cidr> {
    egress::networks(context, texts).into_iter().map(Cidr::to_canonical).collect()
}

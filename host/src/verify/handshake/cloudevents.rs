//! `CloudEvents` senders ask for permission before they send (http-webhook 1.0.2,
//! section 4: abuse protection).

use super::super::{Reply, Verdict};
use super::given;
use super::{Asked, Found};
use crate::model::Header;

/// Grants it to whoever asks: events still have to be proven. Asynchronous permission
/// (`webhook-request-callback`) is not given, as nobody is called on a stranger's word.
pub(super) fn permission(asked: &Asked<'_, '_>) -> Found {
    if asked.request.method != "OPTIONS" {
        return Ok(None);
    }
    let Some(origin) = given::header(asked.request, "webhook-request-origin")? else { return Ok(None) };
    let header = |name: &str, value: &str| Header { name: name.into(), value: value.to_owned() };
    let headers = vec![header("webhook-allowed-origin", origin), header("webhook-allowed-rate", "*")];
    Ok(Some(Verdict::Handshake(Reply { headers, ..Reply::empty(200) })))
}

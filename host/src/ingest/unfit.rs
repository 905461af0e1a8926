//! Events whose bodies do not match their source's schema: refused, dead on arrival, or let
//! pass with a mark.

use super::refusal::Refusal;
use super::schema::OnInvalid;
use super::source::Source;
use crate::alerts::{Alert, Alerts};
use crate::metrics::Metrics;
use crate::model::{Attribute, EventId};
use crate::store::{NewEvent, NewRun};

/// The attribute of an event that does not match its schema and was let pass: why not.
const SCHEMA_ATTRIBUTE: &str = "hookloom.schema";

/// What becomes of an event that its source's schema does not know.
pub(super) fn judge(
    source: &Source,
    reason: String,
    routes: &mut [NewRun],
    attributes: &mut Vec<Attribute>,
) -> Result<(), Refusal> {
    let on_invalid = source.schemas.as_ref().map_or(OnInvalid::Reject, |schemas| schemas.on_invalid);
    tracing::debug!(source = source.name, reason, ?on_invalid, "a body does not match its schema");
    match on_invalid {
        OnInvalid::Reject => return Err(Refusal::Schema(reason)),
        OnInvalid::Dead => {
            let reason = format!("the body does not match its schema: {reason}");
            for run in routes {
                run.dead = Some(reason.clone());
            }
        }
        OnInvalid::Pass => {
            attributes.retain(|attribute| attribute.name != SCHEMA_ATTRIBUTE);
            attributes.push(Attribute { name: SCHEMA_ATTRIBUTE.to_owned(), value: reason });
        }
    }
    Ok(())
}

/// An event whose runs are dead on arrival.
pub(super) struct Unfit {
    event: EventId,
    source: String,
    routes: Vec<String>,
    reason: String,
}

impl Unfit {
    /// `None`: every run of the event will be processed.
    pub(super) fn of(new: &NewEvent) -> Option<Self> {
        let dead = new.routes.iter().filter(|run| run.dead.is_some());
        Some(Self {
            event: new.event.id.clone(),
            source: new.event.source.clone(),
            routes: dead.map(|run| run.route.clone()).collect(),
            reason: new.routes.iter().find_map(|run| run.dead.clone())?,
        })
    }

    /// Says, once the event is on disk, that these of its runs failed before they began.
    pub(super) fn tell(self, metrics: &Metrics, alerts: &Alerts) {
        let Self { event, source, routes, reason } = self;
        for route in &routes {
            metrics.run(route, "failed");
        }
        tracing::warn!(%event, ?routes, "dead on arrival: the body does not match its schema");
        alerts.raise(Alert::RunDead { source, routes, event, reason });
    }
}

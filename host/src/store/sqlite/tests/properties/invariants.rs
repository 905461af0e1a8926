//! What is true of the tables between any two steps.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use rusqlite::OptionalExtension;

use super::world::World;
use crate::model::DeliveryId;
use crate::store::sqlite::codes::to_delivery_state;
use crate::store::sqlite::counters::Counters;
use crate::store::sqlite::destinations::Said;

/// Each names what no row may be.
const NEVER: &[(&str, &str)] = &[
    (
        "two of a line go",
        "SELECT 1 FROM deliveries WHERE line IS NOT NULL AND due IS NOT NULL AND state = 0 \
      GROUP BY destination, line HAVING count(*) > 1",
    ),
    (
        "one goes that stands behind another of its route",
        "SELECT a.n FROM deliveries a JOIN deliveries b \
      ON a.destination = b.destination AND a.line = b.line AND a.route = b.route \
      WHERE a.due IS NOT NULL AND (b.position, b.n) < (a.position, a.n)",
    ),
    (
        "one goes that an earlier run of its route is still to be processed before",
        "SELECT n FROM deliveries d \
      WHERE d.line IS NOT NULL AND d.due IS NOT NULL AND EXISTS (SELECT 1 FROM runs r \
      WHERE r.route = d.route AND r.position < d.position AND r.state IN (0, 4))",
    ),
    (
        "the first of a line waits for nothing",
        "SELECT n FROM deliveries d \
      WHERE d.line IS NOT NULL AND d.state = 0 AND d.due IS NULL \
      AND NOT EXISTS (SELECT 1 FROM deliveries f WHERE f.destination = d.destination AND f.line = d.line \
        AND ((f.position, f.n) < (d.position, d.n) OR f.due IS NOT NULL)) \
      AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.route = d.route AND r.position < d.position \
        AND r.state IN (0, 4))",
    ),
    ("one waits in no line", "SELECT n FROM deliveries WHERE line IS NULL AND state = 0 AND due IS NULL"),
    (
        "one stands in line without a place",
        "SELECT n FROM deliveries WHERE line IS NOT NULL AND position IS NULL",
    ),
    (
        "one that is delivered or cancelled stands in line",
        "SELECT n FROM deliveries \
      WHERE line IS NOT NULL AND state IN (1, 3)",
    ),
    ("one that is finished is due", "SELECT n FROM deliveries WHERE state > 0 AND due IS NOT NULL"),
    (
        "a delivery has an end while it is pending, or none after it",
        "SELECT n FROM deliveries \
      WHERE (state = 0) <> (ended_at IS NULL)",
    ),
    (
        "a run has an end while it is pending, or none after it",
        "SELECT event FROM runs \
      WHERE (state IN (0, 4)) <> (ended_at IS NULL)",
    ),
    (
        "two events share a position in one generation",
        "SELECT 1 FROM runs WHERE position IS NOT NULL \
      GROUP BY position HAVING count(DISTINCT event) > 1",
    ),
];

impl World {
    pub(super) fn check(&self) {
        for (what, sql) in NEVER {
            let found = self.look.prepare_cached(sql).unwrap().exists([]).unwrap();
            assert!(!found, "{what}");
        }
        for (id, (_, expected)) in &self.deliveries {
            let state: i64 = self
                .look
                .prepare_cached("SELECT state FROM deliveries WHERE id = ?1")
                .unwrap()
                .query_row([id.as_str()], |row| row.get(0))
                .unwrap();
            assert_eq!(to_delivery_state(state).unwrap(), *expected, "{id}");
        }
        let shared = &self.store().shared;
        let mut counted = shared.counters.lock().unwrap_or_else(PoisonError::into_inner).backlog();
        counted.deliveries.retain(|(_, count)| *count > 0);
        assert_eq!(counted, Counters::count(&self.look).unwrap().backlog());
        let said = shared.destinations.lock().unwrap_or_else(PoisonError::into_inner).all();
        assert_eq!(said, Said::read(&self.look).unwrap().all());
    }

    /// The deliveries in line that may go.
    pub(super) fn going(&self) -> BTreeSet<DeliveryId> {
        let mut select = self
            .look
            .prepare_cached("SELECT id FROM deliveries WHERE line IS NOT NULL AND due IS NOT NULL")
            .unwrap();
        let ids = select.query_map([], |row| Ok(DeliveryId::from_text(row.get::<_, String>(0)?))).unwrap();
        ids.collect::<Result<_, _>>().unwrap()
    }

    /// The deliveries that no replay has replaced.
    pub(super) fn of_newest_generation(&self) -> BTreeSet<DeliveryId> {
        let mut select = self
            .look
            .prepare_cached(
                "SELECT d.id FROM deliveries d WHERE d.generation = (SELECT max(r.generation) \
                 FROM runs r WHERE r.event = d.event AND r.route = d.route)",
            )
            .unwrap();
        let ids = select.query_map([], |row| Ok(DeliveryId::from_text(row.get::<_, String>(0)?))).unwrap();
        ids.collect::<Result<_, _>>().unwrap()
    }

    /// The line in which a delivery stands, and its place there.
    pub(super) fn place_in_line(&self, id: &DeliveryId) -> Option<((String, String), (i64, i64))> {
        self.look
            .prepare_cached(
                "SELECT destination, line, position, n FROM deliveries WHERE id = ?1 AND line IS NOT NULL",
            )
            .unwrap()
            .query_row([id.as_str()], |row| Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?))))
            .optional()
            .unwrap()
    }
}

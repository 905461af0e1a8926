-- Order by key, replays, retention, and what operators say of destinations. Tables are
-- rebuilt so that large columns stay last.

CREATE TABLE next_runs (
  event          INTEGER NOT NULL,
  route          TEXT    NOT NULL,
  generation     INTEGER NOT NULL,
  state          INTEGER NOT NULL, -- 0 pending, 1 processed, 2 dropped, 3 failed, 4 held
  due            INTEGER,
  attempts       INTEGER NOT NULL DEFAULT 0,
  first_delivery INTEGER,
  last_delivery  INTEGER,
  position       INTEGER,          -- where its deliveries stand in lines; NULL: no order is asked for
  ended_at       INTEGER,
  reason         TEXT,
  steps          TEXT,             -- JSON
  PRIMARY KEY (event, route, generation)
) WITHOUT ROWID;
INSERT INTO next_runs
  (event, route, generation, state, due, attempts, first_delivery, last_delivery, ended_at, reason, steps)
  SELECT r.event, r.route, r.generation, r.state, r.due, r.attempts, r.first_delivery, r.last_delivery,
         CASE WHEN r.state IN (1, 2, 3) THEN (SELECT e.received_at FROM events e WHERE e.seq = r.event) END,
         r.reason, r.steps
  FROM runs r;
DROP TABLE runs;
ALTER TABLE next_runs RENAME TO runs;
CREATE INDEX runs_due  ON runs (due)   WHERE state = 0;
CREATE INDEX runs_held ON runs (event) WHERE state = 4;
-- The earliest run of a route that is still to be processed: what stands behind it waits.
CREATE INDEX runs_in_line ON runs (route, position) WHERE position IS NOT NULL AND state IN (0, 4);

CREATE TABLE next_deliveries (
  n           INTEGER PRIMARY KEY,
  id          TEXT    NOT NULL UNIQUE,
  event       INTEGER NOT NULL,
  route       TEXT    NOT NULL,
  destination TEXT    NOT NULL,
  generation  INTEGER NOT NULL,
  state       INTEGER NOT NULL, -- 0 pending, 1 delivered, 2 dead, 3 cancelled
  attempts    INTEGER NOT NULL DEFAULT 0,
  due         INTEGER,          -- NULL while it waits in line behind another
  created_at  INTEGER NOT NULL,
  ended_at    INTEGER,
  line        TEXT,             -- the key, as long as it stands in line: pending, or dead and holding
  position    INTEGER,          -- its run's
  replay_of   TEXT,             -- the id that the message has in generation 0
  reason      TEXT,
  message     TEXT,             -- JSON; NULL: the event's own headers and types
  body        BLOB              -- NULL: the event's own
);
INSERT INTO next_deliveries
  (n, id, event, route, destination, generation, state, attempts, due, created_at, ended_at, reason, message, body)
  SELECT d.n, d.id, d.event, d.route, d.destination, d.generation, d.state, d.attempts, d.due, d.created_at,
         CASE WHEN d.state > 0 THEN coalesce((SELECT max(a.started_at) FROM attempts a WHERE a.delivery = d.n), d.created_at) END,
         d.reason, d.message, d.body
  FROM deliveries d;
DROP TABLE deliveries;
ALTER TABLE next_deliveries RENAME TO deliveries;
CREATE INDEX deliveries_due         ON deliveries (destination, due) WHERE state = 0;
CREATE INDEX deliveries_given_up    ON deliveries (state, destination) WHERE state >= 2;
CREATE INDEX deliveries_destination ON deliveries (destination);
-- Who stands in line, in order (those of one position by number): the first one may go.
CREATE INDEX deliveries_line  ON deliveries (destination, line, position) WHERE line IS NOT NULL;
-- Who goes: never two of a line.
CREATE UNIQUE INDEX deliveries_going ON deliveries (destination, line)
  WHERE line IS NOT NULL AND due IS NOT NULL AND state = 0;
-- Who waits, for those in front or for earlier runs of the route.
CREATE INDEX deliveries_gated ON deliveries (route, position) WHERE line IS NOT NULL AND due IS NULL AND state = 0;
-- Who is dead and holds those behind.
CREATE INDEX deliveries_holding ON deliveries (destination) WHERE line IS NOT NULL AND state = 2;

-- Positions in lines: each larger than all that were given before.
INSERT INTO counters (name, value) VALUES ('position', 0);

-- What operators and answers say of destinations; one without a row is enabled.
CREATE TABLE destinations (
  name            TEXT NOT NULL PRIMARY KEY,
  paused_at       INTEGER,
  disabled_at     INTEGER,
  disabled_url    TEXT,    -- SHA-256 of the URL that asked for it: another URL is another receiver
  disabled_reason TEXT
) WITHOUT ROWID;

-- Instants are milliseconds since 1970. Integers that stand for words are fixed in
-- host/src/store/sqlite/codes.rs. Large columns come last, so that reading the others
-- never walks their overflow pages.

-- What came in. `seq` is the order of acceptance.
CREATE TABLE events (
  seq         INTEGER PRIMARY KEY,
  id          TEXT    NOT NULL UNIQUE,
  source      TEXT    NOT NULL,
  type        TEXT,
  received_at INTEGER NOT NULL,
  repeats     INTEGER NOT NULL DEFAULT 0,
  head        TEXT    NOT NULL, -- JSON: method, path, query, headers, attributes
  body        BLOB    NOT NULL
);

-- What makes a request a repeat. It outlives its event, so it carries the event's id.
CREATE TABLE dedupe (
  source  TEXT    NOT NULL,
  key     TEXT    NOT NULL,
  event   TEXT    NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (source, key)
) WITHOUT ROWID;

-- One event on one route. The deliveries of a run are created in one go: their numbers
-- are a range, which saves an index on deliveries.
CREATE TABLE runs (
  event          INTEGER NOT NULL,
  route          TEXT    NOT NULL,
  generation     INTEGER NOT NULL,
  state          INTEGER NOT NULL, -- 0 pending, 1 processed, 2 dropped, 3 failed, 4 held
  due            INTEGER,
  attempts       INTEGER NOT NULL DEFAULT 0,
  first_delivery INTEGER,
  last_delivery  INTEGER,
  reason         TEXT,
  steps          TEXT,             -- JSON
  PRIMARY KEY (event, route, generation)
) WITHOUT ROWID;
CREATE INDEX runs_due    ON runs (due) WHERE state = 0;
CREATE INDEX runs_held   ON runs (event) WHERE state = 4;

-- One message for one destination. `n` is the order of creation.
CREATE TABLE deliveries (
  n           INTEGER PRIMARY KEY,
  id          TEXT    NOT NULL UNIQUE,
  event       INTEGER NOT NULL,
  route       TEXT    NOT NULL,
  destination TEXT    NOT NULL,
  generation  INTEGER NOT NULL,
  state       INTEGER NOT NULL, -- 0 pending, 1 delivered, 2 dead, 3 cancelled
  attempts    INTEGER NOT NULL DEFAULT 0,
  due         INTEGER,
  created_at  INTEGER NOT NULL,
  reason      TEXT,
  message     TEXT,             -- JSON; NULL: the event's own headers and types
  body        BLOB              -- NULL: the event's own
);
CREATE INDEX deliveries_due         ON deliveries (destination, due) WHERE state = 0;
CREATE INDEX deliveries_given_up    ON deliveries (state, destination) WHERE state >= 2;
CREATE INDEX deliveries_destination ON deliveries (destination);

-- One HTTP try. `ordinal` counts the delivery's tries.
CREATE TABLE attempts (
  delivery         INTEGER NOT NULL,
  ordinal          INTEGER NOT NULL,
  number           INTEGER NOT NULL,
  started_at       INTEGER NOT NULL,
  duration         INTEGER NOT NULL, -- microseconds
  status           INTEGER,          -- the answer's, or
  error            INTEGER,          -- the kind of failure, with
  detail           TEXT,             -- what it said
  address          TEXT,
  decision         INTEGER NOT NULL, -- 0 delivered, 1 retry (at `due`), 2 dead
  due              INTEGER,
  reason           TEXT    NOT NULL,
  response_headers TEXT,             -- JSON
  response_body    BLOB,
  PRIMARY KEY (delivery, ordinal)
) WITHOUT ROWID;

-- What plugins remember.
CREATE TABLE plugin_state (
  plugin  TEXT    NOT NULL,
  key     TEXT    NOT NULL,
  version INTEGER NOT NULL,
  expires INTEGER,
  value   BLOB    NOT NULL,
  PRIMARY KEY (plugin, key)
) WITHOUT ROWID;

-- Counters that must never give the same number twice, not even after what they
-- numbered is deleted.
CREATE TABLE counters (
  name  TEXT    NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('plugin_state_version', 0);

-- Secrets that providers handed over in a handshake, in force beside the configured ones.
CREATE TABLE source_secrets (
  n         INTEGER NOT NULL PRIMARY KEY, -- grows: the newest of a source has the largest
  source    TEXT    NOT NULL,
  secret    TEXT    NOT NULL,
  learnt_at INTEGER NOT NULL
);
CREATE INDEX source_secrets_source ON source_secrets (source, n);

-- Keys of events that were dead on arrival: the first sound request with such a key is an
-- event of its own.
ALTER TABLE dedupe ADD COLUMN unfit INTEGER NOT NULL DEFAULT 0;

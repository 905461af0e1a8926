-- What holds a run is written beside it, so that only those go on that a change concerns.
ALTER TABLE runs ADD COLUMN held_by TEXT NOT NULL DEFAULT ''; -- of a held run: the plugin; '': its route is gone
UPDATE runs SET held_by = coalesce(json_extract(steps, '$[#-1].plugin'), '') WHERE state = 4;
DROP INDEX runs_held;
CREATE INDEX runs_held ON runs (route, held_by, event) WHERE state = 4;

-- What a gateway of the first schema leaves behind: rows of every kind.
INSERT INTO events (seq, id, source, type, received_at, repeats, head, body) VALUES
  (1, 'evt_1', 's', 't', 1000, 2, '{"method":"POST","path":"/in/s","headers":[["a","b"]]}', CAST('one' AS BLOB)),
  (2, 'evt_2', 's', NULL, 2000, 0, '{"method":"POST","path":"/in/s","headers":[]}', CAST('two' AS BLOB));
INSERT INTO dedupe (source, key, event, expires) VALUES ('s', 'key', 'evt_1', 9000000000000);
INSERT INTO runs (event, route, generation, state, due, attempts, first_delivery, last_delivery, reason, steps) VALUES
  (1, 'pending',   0, 0, 1000, 1, NULL, NULL, 'again',  NULL),
  (1, 'processed', 0, 1, NULL, 0, 1,    6,    NULL,
    '[{"plugin":"p","digest":"0123456789abcdef","verdict":"pass","micros":9}]'),
  (1, 'dropped',   0, 2, NULL, 0, NULL, NULL, 'no',     NULL),
  (1, 'failed',    0, 3, NULL, 3, NULL, NULL, 'broken', NULL),
  (1, 'held',      0, 4, NULL, 0, NULL, NULL, 'absent: no',
    '[{"plugin":"p","digest":"0123456789abcdef","verdict":"pass","micros":9},{"plugin":"absent","digest":"","verdict":"missing","reason":"no","micros":0}]');
INSERT INTO deliveries
  (n, id, event, route, destination, generation, state, attempts, due, created_at, reason, message, body) VALUES
  (1, 'msg_pending',   1, 'processed', 'd', 0, 0, 0, 1100, 1100, NULL,      NULL, NULL),
  (2, 'msg_delivered', 1, 'processed', 'd', 0, 1, 1, NULL, 1100, 'ok',      NULL, NULL),
  (3, 'msg_dead',      1, 'processed', 'd', 0, 2, 2, NULL, 1100, 'gave up', NULL, NULL),
  (4, 'msg_cancelled', 1, 'processed', 'd', 0, 3, 0, NULL, 1100, NULL,      NULL, NULL),
  (5, 'msg_later',     1, 'processed', 'd', 0, 0, 1, 1200, 1100, 'busy',    NULL, NULL),
  (6, 'msg_other',     1, 'processed', 'e', 0, 0, 0, 1100, 1100, NULL,
    '{"content_type":"text/plain","set":[["x","1"]]}', CAST('own' AS BLOB));
INSERT INTO attempts (delivery, ordinal, number, started_at, duration, status, error, detail, decision, due, reason) VALUES
  (2, 1, 1, 1500, 10, 200,  NULL, NULL,   0, NULL, 'ok'),
  (3, 1, 1, 1600, 10, 503,  NULL, NULL,   1, 1650, 'busy'),
  (3, 2, 2, 1700, 10, NULL, 3,    'slow', 2, NULL, 'gave up'),
  (5, 1, 1, 1100, 10, 503,  NULL, NULL,   1, 1200, 'busy');
INSERT INTO plugin_state (plugin, key, version, expires, value) VALUES ('p', 'k', 7, NULL, CAST('v' AS BLOB));
UPDATE counters SET value = 7 WHERE name = 'plugin_state_version';

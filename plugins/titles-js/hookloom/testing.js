// Events and fixtures for tests under Node.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";

import { Event, PluginError, decode, encode } from "./hookloom.js";

/** What the clock of `hookloom plugin test` says where a fixture does not: 2026-01-01T00:00Z. */
const NOW = 1_767_225_600_000;

const BODIES = ["body", "body_text", "body_base64"];
/** What fixtures may say; a misspelt key would be passed over. */
const KNOWN = {
  fixture: ["event", "config", "state", "secrets", "now", "expect"],
  event: [
    ...["id", "source", "type", "method", "path", "query", "headers", ...BODIES, "attributes"],
    // And what the gateway shows beside an event.
    ...["received_at", "received_at_ms", "status", "repeats", "runs", "deliveries"],
  ],
  expect: ["verdict", "outcome", "error", "reason", "messages", "state"],
  message: [...BODIES, "headers", "removed_headers", "type", "destinations", "attributes", "suffix"],
};
/** Ends of a call that only the sandbox knows. */
const OF_THE_SANDBOX = ["trap", "timeout", "memory", "bad-output"];

/**
 * An event as a fixture has it: `{ source, id, type, received_at, method, path, query,
 * headers, attributes }` and `body` (JSON), `body_text` or `body_base64`.
 *
 * @param {object} file
 */
export function event(file) {
  check(KNOWN.event, file, "event");
  const headers = Object.entries(file.headers ?? {}).flatMap(([name, values]) =>
    [values].flat().map((value) => ({ name: name.toLowerCase(), value })),
  );
  const declared = headers.find(({ name }) => name === "content-type")?.value;
  return new Event({
    id: file.id ?? "evt_test",
    source: file.source ?? "test",
    eventType: file.type,
    receivedAtMs: file.received_at === undefined ? (file.received_at_ms ?? NOW) : instant(file.received_at),
    method: file.method ?? "POST",
    path: file.path ?? `/in/${file.source ?? "test"}`,
    query: file.query,
    headers,
    contentType: declared ?? (file.body === undefined ? undefined : "application/json"),
    body: bytes(file) ?? new Uint8Array(),
    attributes: Object.entries(file.attributes ?? {}).map(([name, value]) => ({ name, value })),
  });
}

/** RFC 3339, or seconds since 1970; in milliseconds. */
function instant(text) {
  const at = typeof text === "number" ? text * 1000 : Date.parse(text);
  assert.ok(Number.isInteger(at), `received_at: ${text} is no instant like 2026-01-31T12:00:00Z`);
  return at;
}

/** The one of `body`, `body_text` and `body_base64` that is there; `null`: none is. */
function bytes(file) {
  const given = BODIES.filter((key) => file[key] !== undefined);
  assert.ok(given.length < 2, `more than one of ${given.join(" and ")}`);
  switch (given[0]) {
    case undefined:
      return null;
    case "body_base64":
      return new Uint8Array(Buffer.from(file.body_base64, "base64"));
    default:
      return encode(file.body_text ?? JSON.stringify(file.body));
  }
}

/** Fails on a key that is not known. */
function check(known, object, where) {
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  assert.equal(unknown, undefined, `${where}: unknown field \`${unknown}\`; known are ${known.join(", ")}`);
}

/**
 * Runs every `*.json` of a folder on a plugin: the files that `hookloom plugin test` runs
 * on the built component. What only that can decide is passed over here, and named.
 *
 * @param {URL} folder Ends in a slash.
 * @param {object} plugin The module plugin.js.
 */
export function runFixtures(folder, plugin) {
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  assert.notEqual(files.length, 0, `${folder.pathname} holds no fixture (*.json)`);
  for (const file of files.sort()) {
    const parsed = JSON.parse(readFileSync(new URL(file, folder), "utf8"));
    assert.notEqual(parsed.length, 0, `${file}: an empty list: it has to hold a fixture`);
    if (!Array.isArray(parsed)) run(file, parsed, plugin);
    else parsed.forEach((fixture, at) => run(`${file}[${at}]`, fixture, plugin));
  }
}

function run(where, fixture, plugin) {
  check(KNOWN.fixture, fixture, where);
  const { event: file, expect } = fixture;
  assert.ok(file?.source, `${where}: an \`event\` with a \`source\` is missing`);
  assert.ok(expect, `${where}: nothing is expected: write \`expect\``);
  check(KNOWN.expect, expect, `${where}: expect`);
  const named = ["verdict", "outcome", "error"].filter((key) => expect[key] !== undefined);
  assert.equal(named.length, 1, `${where}: expect has to name one of \`verdict\`, \`outcome\` and \`error\``);
  for (const message of expect.messages ?? []) check(KNOWN.message, message, `${where}: expect.messages`);
  const given = event(file);
  const left = ofTheSandbox(fixture);
  if (left !== undefined) {
    console.warn(`${where}: NOT RUN: \`${left}\` is for \`hookloom plugin test\``);
    return;
  }
  plugin.configure?.(fixture.config ?? null);
  const { tag, reason, messages } = answer(plugin, given, expect);
  assert.equal(tag, expect[named[0]], `${where}: ${reason}`);
  if (expect.reason !== undefined) {
    assert.ok(reason.includes(expect.reason), `${where}: expected the reason "${expect.reason}", got "${reason}"`);
  }
  if (expect.messages === undefined) return;
  assert.equal(messages.length, expect.messages.length, `${where}: messages`);
  expect.messages.forEach((message, at) => compare(`${where}: message ${at + 1}`, messages[at], message, given));
}

/** What of a fixture nobody stands in for here, if it has such. */
function ofTheSandbox({ state, secrets, now, expect }) {
  const asked = { state, secrets, now, "expect.state": expect.state };
  const found = Object.keys(asked).find((key) => asked[key] !== undefined);
  return found ?? (OF_THE_SANDBOX.includes(expect.error) ? expect.error : undefined);
}

function answer(plugin, event, expect) {
  try {
    const { tag, val } = (plugin.filter ?? plugin.transform)(event);
    const messages = tag === "split" ? val : tag === "replace" ? [val] : [];
    return { tag, reason: tag === "drop" ? val : "", messages };
  } catch (error) {
    if (error instanceof PluginError) return { tag: error.kind, reason: error.message, messages: [] };
    if (expect.error === "other") return { tag: "other", reason: String(error), messages: [] };
    throw error;
  }
}

/** Only what is expected is compared. */
function compare(where, message, expected, event) {
  const body = message.body ?? event.body;
  if (expected.body !== undefined) {
    assert.deepEqual(JSON.parse(decode(body)), expected.body, `${where}: body`);
  } else {
    const exact = bytes(expected);
    if (exact !== null) assert.deepEqual([...body], [...exact], `${where}: body, which is "${decode(body)}"`);
  }
  const lower = (name) => name.toLowerCase();
  for (const [name, values] of Object.entries(expected.headers ?? {})) {
    const set = message.setHeaders.filter((header) => lower(header.name) === lower(name));
    const typed = lower(name) === "content-type" && message.contentType !== null ? [message.contentType] : [];
    assert.deepEqual([...set.map(({ value }) => value), ...typed], [values].flat(), `${where}: ${name}`);
  }
  for (const [name, value] of Object.entries(expected.attributes ?? {})) {
    const got = message.attributes.find((attribute) => attribute.name === name)?.value;
    assert.equal(got, value, `${where}: attribute ${name}`);
  }
  const others = {
    removed_headers: message.removeHeaders.map(lower),
    type: message.eventType,
    destinations: message.destinations,
    suffix: message.idempotencySuffix,
  };
  for (const [key, got] of Object.entries(others)) {
    if (expected[key] === undefined) continue;
    const wanted = key === "removed_headers" ? expected[key].map(lower) : expected[key];
    assert.deepEqual(got, wanted, `${where}: ${key}`);
  }
}

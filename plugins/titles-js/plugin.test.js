import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { decode, drop, invalidInput, split, unchanged } from "./hookloom/hookloom.js";
import { event, runFixtures } from "./hookloom/testing.js";
import * as plugin from "./plugin.js";

const answer = (source, body) => plugin.transform(event({ source, body }));
const text = (...about) => JSON.parse(decode(answer(...about).val.body)).text;

test("pushes count their commits", () => {
  plugin.configure(null);
  const push = { ref: "refs/heads/main", compare: "c", repository: { full_name: "a/b" }, sender: { login: "o" } };
  assert.equal(text("github", { ...push, commits: [{}] }), "[a/b] o pushed 1 commit to main");
  assert.equal(text("github", { ...push, commits: [{}, {}] }), "[a/b] o pushed 2 commits to main");
});

test("long titles are cut at a character", () => {
  plugin.configure({ length: 10 });
  const body = { type: "a.b", data: { object: { id: "😀".repeat(20) } } };
  assert.equal(text("stripe", body), `a b: ${"😀".repeat(4)}…`);
});

test("what is not understood goes on as it is", () => {
  assert.deepEqual(answer("github", { zen: "x" }), unchanged());
  assert.throws(() => plugin.configure({ length: 3 }), /10 or more/);
  assert.throws(() => plugin.configure({ lenght: 30 }), /unknown setting `lenght`; there are: length/);
});

/** Runs one fixture on an answer. */
function hold(expect, transform, more = {}) {
  const folder = mkdtempSync(join(tmpdir(), "fixtures-"));
  const fixture = { event: { source: "s", body: { a: 1 } }, expect, ...more };
  try {
    writeFileSync(join(folder, "one.json"), JSON.stringify([fixture]));
    runFixtures(pathToFileURL(`${folder}/`), { transform });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a fixture holds all that it expects", () => {
  const message = {
    body: "text",
    headers: { "X-A": "1" },
    removeHeaders: ["X-B"],
    type: "renamed",
    destinations: ["crm"],
    attributes: { tier: "gold" },
    idempotencySuffix: "/1",
  };
  const right = {
    body_text: "text",
    headers: { "x-a": "1" },
    removed_headers: ["x-b"],
    type: "renamed",
    destinations: ["crm"],
    attributes: { tier: "gold" },
    suffix: "/1",
  };
  const expect = (expected) => hold({ outcome: "split", messages: [expected] }, () => split([message]));
  expect(right);
  expect({ body_base64: "dGV4dA==" });
  const wrong = {
    body_text: "other",
    body_base64: "b3RoZXI=",
    headers: { "x-a": ["1", "2"] },
    removed_headers: [],
    type: "x",
    destinations: [],
    attributes: { tier: "tin" },
    suffix: "/2",
    sufix: "/1",
  };
  for (const [key, value] of Object.entries(wrong)) {
    assert.throws(() => expect({ [key]: value }), assert.AssertionError, key);
  }
});

test("a fixture holds the reason, and says nothing that is not understood", () => {
  const dropped = () => drop("the order is too small");
  hold({ outcome: "drop", reason: "too small" }, dropped);
  assert.throws(() => hold({ outcome: "drop", reason: "too large" }, dropped), /one\.json\[0\]: expected the reason/);
  const refused = () => {
    throw invalidInput("no order");
  };
  hold({ error: "invalid-input", reason: "no order" }, refused);
  assert.throws(() => hold({ error: "invalid-input", reason: "no sum" }, refused), /expected the reason/);
  assert.throws(() => hold({ outcome: "drop", resaon: "x" }, dropped), /unknown field `resaon`/);
  assert.throws(() => hold({ outcome: "drop" }, dropped, { conifg: {} }), /unknown field `conifg`/);
  assert.throws(() => hold({ reason: "x" }, dropped), /has to name one of/);
});

test("what only the sandbox can decide is passed over, and said", (t) => {
  const warn = t.mock.method(console, "warn", () => {});
  const never = () => assert.fail("it was called");
  hold({ error: "timeout" }, never);
  hold({ outcome: "drop", state: { seen: 1 } }, never);
  hold({ outcome: "drop" }, never, { secrets: { KEY: "k" } });
  const said = warn.mock.calls.map((call) => call.arguments[0]);
  assert.deepEqual(
    said,
    ["timeout", "expect.state", "secrets"].map((left) => `one.json[0]: NOT RUN: \`${left}\` is for \`hookloom plugin test\``),
  );
});

test("fixtures", () => runFixtures(new URL("fixtures/", import.meta.url), plugin));

import assert from "node:assert/strict";
import { test } from "node:test";

import { drop, replace, unchanged } from "./hookloom/hookloom.js";
import { event, runFixtures } from "./hookloom/testing.js";
import * as plugin from "./plugin.js";

test("only some keys are sent", () => {
  plugin.configure({ keep: ["action"] });
  const outcome = (body) => plugin.transform(event({ source: "github", body }));
  assert.deepEqual(outcome({ action: "opened", repository: {} }), replace({ json: { action: "opened" } }));
  assert.deepEqual(outcome({ action: "opened" }), unchanged());
  assert.deepEqual(outcome({ zen: "x" }), drop("nothing of it is kept"));
});

test("fixtures", () => runFixtures(new URL("fixtures/", import.meta.url), plugin));

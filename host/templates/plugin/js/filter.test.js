import assert from "node:assert/strict";
import { test } from "node:test";

import { drop, pass } from "./hookloom/hookloom.js";
import { event, runFixtures } from "./hookloom/testing.js";
import * as plugin from "./plugin.js";

test("ignored actions are dropped", () => {
  plugin.configure({ ignore: ["labeled"] });
  const verdict = (action) => plugin.filter(event({ source: "github", body: { action } }));
  assert.deepEqual(verdict("labeled"), drop("labeled is ignored"));
  assert.deepEqual(verdict("opened"), pass());
});

test("fixtures", () => runFixtures(new URL("fixtures/", import.meta.url), plugin));

// {{description}}.
// @ts-check

import { drop, log, replace, settings, unchanged } from "./hookloom/hookloom.js";

const usual = { keep: ["action", "issue", "pull_request", "sender"] };
let config = usual;

/** Takes the `config` of the step in hookloom.toml: `{ {{example}} }`. What it throws refuses it. */
export function configure(/** @type {unknown} */ given) {
  config = settings(given, usual);
}

/** @param {import("./hookloom/hookloom.js").Event} event */
export function transform(event) {
  const before = Object.entries(event.json());
  const kept = before.filter(([key]) => config.keep.includes(key));
  if (kept.length === before.length) return unchanged();
  if (kept.length === 0) return drop("nothing of it is kept");
  log.debug("slimmed", { source: event.source, kept: kept.length, before: before.length });
  return replace({ json: Object.fromEntries(kept) });
}

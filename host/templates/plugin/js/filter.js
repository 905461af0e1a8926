// {{description}}.
// @ts-check

import { drop, log, pass, settings } from "./hookloom/hookloom.js";

let config = { ignore: /** @type {string[]} */ ([]) };

/** Takes the `config` of the step in hookloom.toml: `{ {{example}} }`. What it throws refuses it. */
export function configure(/** @type {unknown} */ given) {
  config = settings(given, { ignore: /** @type {string[]} */ ([]) });
}

/** @param {import("./hookloom/hookloom.js").Event} event */
export function filter(event) {
  const { action } = event.json();
  if (config.ignore.includes(action)) return drop(`${action} is ignored`);
  log.debug("passed", { source: event.source, action });
  return pass();
}

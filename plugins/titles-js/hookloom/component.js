// The exports of the component, made of a plugin's functions. What is thrown becomes an
// error of the contract: thrown values that are none would end the call as a trap.

import { Event, PluginError, host } from "./hookloom.js";

const ANSWERS = { filter: ["pass", "drop"], transform: ["unchanged", "replace", "split", "drop"] };

/**
 * @param {object} plugin The module plugin.js.
 * @param {{ name: string, version: string, description: string }} about Of package.json.
 * @param {Record<string, any>} imports What world.wit imports.
 */
export function component(plugin, about, imports) {
  Object.assign(host, imports);
  if (imports.log) host.log = { log: (...line) => imports.log.log(...wellFormed(line)) };
  const call = (name) => (event) => {
    try {
      const answer = plugin[name](new Event(event));
      if (!ANSWERS[name].includes(answer?.tag)) throw new Error(`${name} answers ${answer?.tag ?? answer}`);
      return wellFormed(answer);
    } catch (error) {
      throw wellFormed(lower(error));
    }
  };
  return {
    lifecycle: {
      describe: () => ({
        ...about,
        needsBody: plugin.needsBody ?? true,
        headerNames: plugin.headers ?? null,
        configSchema: plugin.configSchema ? JSON.stringify(plugin.configSchema) : null,
      }),
      configure(text) {
        try {
          plugin.configure?.(JSON.parse(text));
        } catch (error) {
          throw wellFormed(String(error?.message ?? error));
        }
      },
    },
    filter: { filter: call("filter") },
    transform: { transform: call("transform") },
  };
}

/** Text with half of a surrogate pair is none to the contract, and would end the call as a trap. */
function wellFormed(value) {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, wellFormed(part)]));
}

/** An error as the contract has it. One that the plugin did not mean says where it was. */
function lower(error) {
  if (error instanceof PluginError) return { tag: error.kind, val: error.message };
  const at = /plugin\.js:\d+/.exec(error?.stack ?? "");
  return { tag: "other", val: at ? `${error} (${at[0]})` : String(error) };
}

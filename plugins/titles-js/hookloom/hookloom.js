// What a plugin in JavaScript is written with. It runs inside of the component, and as it
// is under Node, where tests run.
// @ts-check

import { decode, encode } from "./utf8.js";

export { decode, encode };

/** One received webhook. */
export class Event {
  /** @param {object} raw An event as the contract has it (`record event`). */
  constructor(raw) {
    /** The gateway's id, `evt_…`: a retried or replayed event keeps it. @type {string} */
    this.id = raw.id;
    /** Name of the source in hookloom.toml. @type {string} */
    this.source = raw.source;
    /** What the provider calls it, `issues.opened` say. @type {string | null} */
    this.type = raw.eventType ?? null;
    /** When it was received, in milliseconds since 1970. @type {number} */
    this.receivedAtMs = Number(raw.receivedAtMs);
    /** Upper case. @type {string} */
    this.method = raw.method;
    /** Percent-encoded, without the query. @type {string} */
    this.path = raw.path;
    /** What is behind `?`. @type {string | null} */
    this.query = raw.query ?? null;
    /** In the order in which they came, names in lower case. @type {{ name: string, value: string }[]} */
    this.headers = raw.headers;
    /** @type {string | null} */
    this.contentType = raw.contentType ?? null;
    /** The exact bytes. @type {Uint8Array} */
    this.body = raw.body;
    /** @type {{ name: string, value: string }[]} */
    this.attributes = raw.attributes;
  }

  /**
   * The first header of that name, in any case.
   *
   * @param {string} name
   * @returns {string | null}
   */
  header(name) {
    const wanted = name.toLowerCase();
    return this.headers.find((header) => header.name === wanted)?.value ?? null;
  }

  /**
   * @param {string} name
   * @returns {string | null}
   */
  attribute(name) {
    return this.attributes.find((attribute) => attribute.name === name)?.value ?? null;
  }

  /** The body as text; bytes that are not UTF-8 read as U+FFFD. @returns {string} */
  text() {
    return decode(this.body);
  }

  /** The body's JSON. What is none is an `invalid-input`. @returns {any} */
  json() {
    try {
      return JSON.parse(this.text());
    } catch (error) {
      throw invalidInput(`the body is no JSON: ${error.message}`);
    }
  }
}

/** Lets the event through: a filter's answer. */
export function pass() {
  return { tag: "pass" };
}

/**
 * Drops the event: a filter's answer, or a transform's.
 *
 * @param {string} reason Recorded with the event.
 */
export function drop(reason) {
  return { tag: "drop", val: reason };
}

/** Sends the event as it is: a transform's answer. */
export function unchanged() {
  return { tag: "unchanged" };
}

/**
 * What is sent instead of the event. What is left out stays as it was.
 *
 * @typedef {object} Message
 * @property {unknown} [json] The body, written as JSON.
 * @property {string | Uint8Array} [body] The body as it is, where it is no JSON.
 * @property {string} [contentType]
 * @property {Record<string, string>} [headers] Headers to set.
 * @property {string[]} [removeHeaders]
 * @property {string} [type] Another name for the event.
 * @property {string[]} [destinations] Only these of the route's.
 * @property {Record<string, string>} [attributes] Facts for later steps.
 * @property {string} [idempotencySuffix] Tells the messages of a split apart.
 */

/**
 * Sends something else: a transform's answer.
 *
 * @param {Message} message
 */
export function replace(message) {
  return { tag: "replace", val: lower(message) };
}

/**
 * Sends several messages for one event: a transform's answer.
 *
 * @param {Message[]} messages At most 1,000; none drops the event.
 */
export function split(messages) {
  return { tag: "split", val: messages.map(lower) };
}

/** A message as the contract has it. */
function lower(message) {
  const isJson = message.json !== undefined;
  const body = isJson ? JSON.stringify(message.json) : message.body;
  const pairs = (record) => Object.entries(record ?? {}).map(([name, value]) => ({ name, value: String(value) }));
  return {
    body: typeof body === "string" ? encode(body) : (body ?? null),
    contentType: message.contentType ?? (isJson ? "application/json" : null),
    setHeaders: pairs(message.headers),
    removeHeaders: message.removeHeaders ?? [],
    eventType: message.type ?? null,
    destinations: message.destinations ?? null,
    attributes: pairs(message.attributes),
    idempotencySuffix: message.idempotencySuffix ?? null,
  };
}

/** Why a call has no result. Whatever else is thrown is an `other`. */
export class PluginError extends Error {
  /**
   * @param {"invalid-input" | "misconfigured" | "retry" | "other"} kind
   * @param {string} message
   */
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

/** The event is not what this plugin understands: `throw invalidInput("…")`. @param {string} message */
export const invalidInput = (message) => new PluginError("invalid-input", message);
/** The plugin cannot work as it is configured; its runs wait. @param {string} message */
export const misconfigured = (message) => new PluginError("misconfigured", message);
/** It may be otherwise on a later try. @param {string} message */
export const retry = (message) => new PluginError("retry", message);

/**
 * The step's `config` with the defaults of what it leaves out. A setting that has no
 * default here, or is of another type than its default, is refused.
 *
 * @template {Record<string, unknown>} Settings
 * @param {unknown} config
 * @param {Settings} defaults
 * @returns {Settings}
 */
export function settings(config, defaults) {
  const kind = (value) => (Array.isArray(value) ? "array" : value === null ? "null" : typeof value);
  if (config !== null && kind(config) !== "object") throw new Error(`a table is wanted, not: ${kind(config)}`);
  for (const [name, value] of Object.entries(config ?? {})) {
    if (!Object.hasOwn(defaults, name)) {
      throw new Error(`unknown setting \`${name}\`; there are: ${Object.keys(defaults).join(", ")}`);
    }
    const wanted = kind(defaults[name]);
    if (kind(value) !== wanted) throw new Error(`\`${name}\` is wanted as ${wanted}, not: ${kind(value)}`);
  }
  return { ...defaults, ...config };
}

/**
 * What world.wit imports, as the contract has it: with `import hookloom:plugin/kv@0.1.0`
 * there, `host.kv.get("key")`. Under Node it is empty, and a test puts its own there.
 *
 * @type {Record<string, any>}
 */
export const host = {};

const line = (level) => (/** @type {string} */ message, /** @type {Record<string, unknown>} */ fields = {}) =>
  host.log?.log(level, message, Object.entries(fields).map(([name, value]) => ({ name, value: String(value) })));

/** Lines in the gateway's log: `log.info("seen", { action })`. */
export const log = {
  trace: line("trace"),
  debug: line("debug"),
  info: line("info"),
  warn: line("warn"),
  error: line("error"),
};

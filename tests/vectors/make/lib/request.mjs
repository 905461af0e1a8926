// One signed request of a provider, and the case that it makes.
//
// A provider is a row of data/: `name` of the preset; `secrets`, of which the first two
// are configured and the third is a stranger's; `algorithm`, `encoding` of the signature;
// `header` it is in, there with a `prefix`, several joined with `join` and led by
// `stamp(time)`; `timeHeader`; `time` with its unit and tolerance (s); `signed(parts)`, the
// bytes in order; `headers`, `body`, `url` of the request; `id` and `type` that the event
// gets, and `bare`, what is left of them where the body is not JSON; `idHeader` and
// `idIsSigned`; `more(cases)`.

import { createHash, createHmac, sign } from 'node:crypto';
import { ecdsa } from './secrets.mjs';

/** Unix seconds at which every case is judged. */
export const NOW = 1700000000;

/** What makes a signature of (secret, bytes), by its name. */
export const ALGORITHMS = {
  sha1: (secret, bytes) => createHmac('sha1', secret.key).update(bytes).digest(),
  sha256: (secret, bytes) => createHmac('sha256', secret.key).update(bytes).digest(),
  sha512: (secret, bytes) => createHmac('sha512', secret.key).update(bytes).digest(),
  hash: (_, bytes) => createHash('sha256').update(bytes).digest(),
  ed25519: (secret, bytes) => sign(null, bytes, secret.own),
  ecdsa: (secret, bytes) => ecdsa(secret, bytes, createHash('sha256').update(bytes).digest()),
};

/** How a time (milliseconds) is written, by its unit. */
export const UNITS = {
  s: (ms) => String(Math.floor(ms / 1000)),
  ms: (ms) => String(ms),
  rfc3339: (ms) => new Date(ms).toISOString().replace('.000Z', 'Z'),
  nanos: (ms) => new Date(ms).toISOString().replace('Z', '456789Z'),
};

export const writeTime = (provider, ms) => UNITS[provider.time.unit](ms);

/** The exact bytes of the body; a provider whose time is in there has a function. */
export function bodyOf(provider, time) {
  const body = typeof provider.body === 'function' ? provider.body(time) : provider.body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

/** What the provider signs of those parts, as it says itself. */
export const signedBytes = (provider, parts) =>
  Buffer.concat(provider.signed(parts).map((part) => Buffer.from(part)));

/** The value of the signature's header. */
export function headerValue(provider, signatures, time, prefix = provider.prefix ?? '') {
  const items = signatures.map((signature) => prefix + signature);
  if (provider.stamp && time !== undefined) items.unshift(provider.stamp(time));
  return items.join(provider.join ?? ',');
}

/**
 * A request with what `change` says. Before it is signed: `time` (text), `body`, `headers`,
 * `url`, `signer`, `algorithm`, or `signed`, other bytes altogether. Of the signature:
 * `header` (its name), `encode`, `prefix`, or `value(good, time, raw)`, which writes the
 * header's value or values itself. Once it is signed: `sent` (another body), `after`
 * (headers) and `without` (names of headers).
 */
export function request(provider, change = {}) {
  const time = change.time ?? (provider.time ? writeTime(provider, NOW * 1000) : undefined);
  const body = change.body ?? bodyOf(provider, time);
  const url = change.url ?? provider.url ?? `https://hooks.example.test/in/${provider.name}`;
  const headers = { 'content-type': 'application/json', ...provider.headers, ...change.headers };
  const algorithm = change.algorithm ?? provider.algorithm ?? 'sha256';
  const bytes = change.signed ?? signedBytes(provider, { time, body, url, headers });
  const raw = ALGORITHMS[algorithm](change.signer ?? provider.secrets[0], bytes);
  const signature = change.encode ? change.encode(raw) : raw.toString(provider.encoding ?? 'hex');
  const value = change.value
    ? change.value(signature, time, raw)
    : headerValue(provider, [signature], time, change.prefix);
  if (provider.timeHeader) headers[provider.timeHeader] = time;
  headers[change.header ?? provider.header] = value;
  for (const [name, value] of Object.entries(change.after ?? {})) headers[name] = value;
  for (const name of change.without ?? []) delete headers[name];
  return { url, headers, body: change.sent ?? body };
}

/** Collects the cases of one provider. */
export class Cases {
  constructor(provider) {
    this.provider = provider;
    this.list = [];
  }

  /** `names` are the id and the type that the event must get. */
  accept(description, reason, change = {}, names = this.provider) {
    this.#add('accept', description, reason, change, names);
  }

  reject(description, reason, change = {}) {
    this.#add('reject', description, reason, change, {});
  }

  #add(expect, description, reason, change, names) {
    const { provider } = this;
    const { url, headers, body } = request(provider, change);
    const secrets = change.secrets ?? [provider.secrets[0]];
    this.list.push({
      provider: provider.name,
      description,
      source: 'own:make/data.mjs',
      ...(secrets.length === 1
        ? { secret: secrets[0].text }
        : { secrets: secrets.map((secret) => secret.text) }),
      method: 'POST',
      url,
      headers,
      body_base64: body.toString('base64'),
      ...(change.config && { config: change.config }),
      now: NOW,
      expect,
      reason,
      ...(names.id !== undefined && { id: names.id }),
      ...(names.type !== undefined && { type: names.type }),
    });
  }
}

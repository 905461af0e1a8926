// Requests as providers send them, and the files that they are kept in. Signed with
// node:crypto from what the providers say, not from our presets.

import { createHash, createHmac } from 'node:crypto';

import { writeAll } from '../lib/write.mjs';

export const NOW = 1700000000;
/** A secret that is another one where entities or ligatures are resolved. */
export const ODD = 'FAKE &amp; \ufb01';
export const AS_IT_IS = 'a secret is its own bytes';

export const hmac = (algorithm, key, encoding, ...parts) => {
  const mac = createHmac(algorithm, key);
  for (const part of parts) mac.update(part);
  return mac.digest(encoding);
};
export const sha256 = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

/** The cases of one preset. */
export class Cases {
  constructor(provider, source, defaults) {
    this.defaults = { url: `https://hooks.example.test/in/${provider}`, method: 'POST', now: NOW, ...defaults };
    this.provider = provider;
    this.source = `own:make/${source}`;
    this.list = [];
  }

  accept(description, request) {
    this.#add(description, 'accept', request);
  }

  reject(description, request) {
    this.#add(description, 'reject', request);
  }

  #add(description, expect, request) {
    const { body = '', secret, secrets, ...rest } = { ...this.defaults, ...request };
    const keys = secrets ? { secrets } : { secret };
    const body_base64 = Buffer.from(body).toString('base64');
    const { provider, source } = this;
    this.list.push({ provider, description, source, ...keys, ...rest, body_base64, expect });
  }
}

export const write = (all) => writeAll(Object.fromEntries(all.map(({ provider, list }) => [provider, list])));

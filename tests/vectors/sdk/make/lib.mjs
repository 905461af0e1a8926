// Shared pieces of the recorded-request generators: a fixed clock, HMAC functions,
// and two batteries of cases that fit most schemes.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

export const NOW = 1700000000;
export const URL_BASE = 'https://hooks.example.test/in/';

// SDKs read the clock themselves: freeze it before any of them is loaded.
const RealDate = globalThis.Date;
globalThis.Date = class extends RealDate {
  constructor(...a) { if (a.length) super(...a); else super(NOW * 1000); }
  static now() { return NOW * 1000; }
};

export const hmac = (alg, key, ...parts) => {
  const h = crypto.createHmac(alg, key);
  for (const p of parts) h.update(p);
  return h.digest();
};
export const sha256 = (...parts) => {
  const h = crypto.createHash('sha256');
  for (const p of parts) h.update(p);
  return h.digest();
};
export const enc = {
  hex: (b) => b.toString('hex'),
  base64: (b) => b.toString('base64'),
  base64url: (b) => b.toString('base64url'),
};
export const iso = (s) => new RealDate(s * 1000).toISOString().replace('.000Z', 'Z');

// One output file: collects cases, asks the judge (the official SDK) about each, writes JSON.
export class Vectors {
  constructor(provider, { source, secret, judge, config, method = 'POST' }) {
    Object.assign(this, { provider, source, secret, judge, config, method, list: [] });
  }
  async add(expect, description, reason, req) {
    const c = {
      provider: this.provider, description, source: req.source ?? this.source,
      ...(req.secrets ? { secrets: req.secrets } : { secret: req.secret ?? this.secret }),
      method: req.method ?? this.method,
      url: req.url ?? URL_BASE + this.provider,
      headers: Object.fromEntries(Object.entries(req.headers).filter(([, v]) => v !== undefined)),
      body_base64: Buffer.from(req.body).toString('base64'),
      ...((req.config ?? this.config) ? { config: req.config ?? this.config } : {}),
      now: req.now ?? NOW, expect, reason,
    };
    if (req.tags) c.tags = req.tags;
    if (this.judge) {
      c.sdk_verdict = await verdict(this.judge, c);
      if (c.sdk_verdict !== expect) c.sdk_note = req.note ?? NOTES[c.tags?.[0]] ?? 'MISSING NOTE';
    } else c.sdk_verdict = 'not-run';
    this.list.push(c);
    return c;
  }
  accept(...a) { return this.add('accept', ...a); }
  reject(...a) { return this.add('reject', ...a); }
  write(dir) {
    for (const c of this.list) if (c.sdk_note === 'MISSING NOTE') console.error(`${this.provider}: no note for "${c.description}"`);
    const n = (e) => this.list.filter((c) => c.expect === e).length;
    fs.writeFileSync(path.join(dir, `${this.provider}.json`),
      '[\n' + this.list.map((c) => JSON.stringify(c, null, 1).replace(/^/gm, ' ')).join(',\n') + '\n]\n');
    console.log(this.provider, 'accept', n('accept'), 'reject', n('reject'),
      'sdk differs', this.list.filter((c) => c.sdk_note).map((c) => c.description).join(' | '));
  }
}

const NOTES = {
  bytes: 'the SDK takes the body as text; the bytes are what is signed',
  'policy:hex-case': 'the SDK compares hex text; the gateway decodes it first',
  'policy:future': 'the SDK checks only the age; the gateway checks the future as well',
  'policy:base64-strict': 'the SDK decodes base64 leniently; the gateway wants padding and the standard alphabet',
  'policy:empty-body': 'the SDK refuses an empty body; the gateway accepts whatever is signed',
};

async function verdict(judge, c) {
  const secrets = c.secrets ?? [c.secret];
  for (const secret of secrets) {
    try { if (await judge({ ...c, secret, body: Buffer.from(c.body_base64, 'base64') })) return 'accept'; } catch { /* refused */ }
  }
  return 'reject';
}

export const json = (o) => Buffer.from(JSON.stringify(o));
export const NON_UTF8 = Buffer.concat([Buffer.from('{"raw":"'), Buffer.from([0xff, 0xfe, 0x80, 0xc3]), Buffer.from('"}')]);
export const flip = (body) => { const b = Buffer.from(body); const i = b.lastIndexOf(0x22) - 1; b[i] ^= 1; return b; };
const garbageFor = { hex: 'zz'.repeat(32), base64: '!!not base64!!', base64url: '!!not base64!!' };

// Battery 1: HMAC of (some function of) the body in one header, no timestamp.
//   s: { header, prefix, alg, encoding, key(secret), message(body), ctype, body, intl, headers, other, empty, rotation }
export async function bodyHmac(v, s) {
  const p = { prefix: '', alg: 'sha256', encoding: 'hex', key: (x) => x, message: (b) => [b], ctype: 'application/json', headers: {}, ...s };
  const mac = (body, secret = v.secret, alg = p.alg) => p.sum ? p.sum(secret, body, alg) : hmac(alg, p.key(secret), ...p.message(body));
  const sign = (body, secret, alg) => p.prefix + enc[p.encoding](mac(body, secret, alg));
  const req = (body, sig, more = {}) => ({ body, headers: { 'content-type': p.ctype, ...p.headers, [p.header]: sig }, ...more });
  const body = json(p.body), intl = json(p.intl), good = sign(body);

  await v.accept('valid', 'signature matches', req(body, good));
  await v.accept('valid, non-ASCII text as UTF-8', 'signature matches', req(intl, sign(intl)));
  await v.accept('valid, pretty-printed body with a trailing newline', 'the raw bytes are signed', (() => {
    const b = Buffer.from(JSON.stringify(p.body, null, 2) + '\n'); return req(b, sign(b)); })());
  if (p.isText) await v.reject('body that is not UTF-8, rightly signed', 'a hash of a secret and what is no text may be an extended one', req(NON_UTF8, sign(NON_UTF8), { tags: ['bytes'] }));
  else await v.accept('body that is not UTF-8, rightly signed', 'bytes are signed, not text', req(NON_UTF8, sign(NON_UTF8), { tags: ['bytes'], note: p.bytesNote }));
  if (p.empty !== false) await v.accept('empty body, rightly signed', 'signature over zero body bytes', req('', sign(Buffer.alloc(0)), { tags: ['policy:empty-body'] }));
  if (p.rotation !== false) await v.accept('rotation: two configured secrets, the second one matches', 'any configured secret may match',
    req(body, good, { secrets: [p.otherSecret ?? v.secret + '_new', v.secret], tags: ['rotation'] }));
  if (p.encoding === 'hex') await v.accept('upper-case hex digits', 'hex is decoded before it is compared',
    req(body, p.prefix + enc.hex(mac(body)).toUpperCase(), { tags: ['policy:hex-case'] }));

  await v.reject('tampered body', 'signature mismatch', req(flip(body), good));
  await v.reject('white space added to the body', 'the exact bytes are signed', req(Buffer.concat([body, Buffer.from('\n')]), good));
  await v.reject('signed with another secret', 'wrong secret', req(body, sign(body, p.otherSecret ?? v.secret + '_other')));
  await v.reject('missing signature header', 'missing header', req(body, undefined));
  await v.reject('empty signature header', 'malformed header', req(body, ''));
  await v.reject('garbage signature', 'malformed header', req(body, p.prefix + garbageFor[p.encoding]));
  await v.reject('truncated signature', 'wrong length', req(body, good.slice(0, p.prefix.length + 20)));
  await v.reject(`other encoding than ${p.encoding}`, 'wrong encoding', req(body, p.prefix + enc[p.encoding === 'hex' ? 'base64' : 'hex'](mac(body))));
  await v.reject('other hash algorithm', 'wrong algorithm', req(body, sign(body, v.secret, p.alg === 'sha256' ? 'sha1' : 'sha256')));
  if (p.prefix) await v.reject(`no ${p.prefix} prefix`, 'malformed header', req(body, good.slice(p.prefix.length)));
  if (p.encoding === 'base64') await v.reject('base64 padding cut off', 'base64 is strict: padding is due',
    req(body, good.replace(/=+$/, ''), { tags: ['policy:base64-strict'] }));
  await v.reject('signature in the header of another scheme', 'the header is missing',
    { ...req(body, undefined), headers: { 'content-type': p.ctype, ...p.headers, [p.other ?? 'x-hub-signature-256']: 'sha256=' + enc.hex(mac(body)) } });
  return { sign, req, body, intl, good, mac };
}

// Battery 2: HMAC over a timestamp and the body.
//   s: { headers(ts, sig) , message(ts, body), alg, encoding, unit: 's'|'ms'|'rfc3339', tol, tolTag, body, intl, ctype, noFuture }
export async function stampedHmac(v, s) {
  const p = { alg: 'sha256', encoding: 'hex', unit: 's', ctype: 'application/json', key: (x) => x, ...s };
  const ts = p.unit === 'ms' ? (t) => String(t * 1000) : p.unit === 'rfc3339' ? iso : String;
  const mac = (t, body, secret = v.secret, alg = p.alg) => hmac(alg, p.key(secret), ...p.message(t, body));
  const e = enc[p.encoding];
  const req = (t, body, sig, more = {}) => ({ body, headers: { 'content-type': p.ctype, ...p.headers(t, sig) }, ...more });
  const at = (sec, body, more) => { const t = ts(NOW + sec); return req(t, body, e(mac(t, body)), more); };
  const body = json(p.body), intl = json(p.intl), t0 = ts(NOW), good = e(mac(t0, body));
  const tt = p.tolTag ? { tags: [p.tolTag] } : {};

  await v.accept('valid, timestamp = now', 'signature matches', at(0, body));
  await v.accept('valid, non-ASCII text as UTF-8', 'signature matches', at(-1, intl));
  if (p.tol) {
    await v.accept(`valid, ${p.tol - 1} s old`, 'inside the tolerance', at(1 - p.tol, body, tt));
    await v.accept(`valid, exactly ${p.tol} s old`, 'inside the tolerance (inclusive)', at(-p.tol, body, { ...tt, note: p.inclusiveNote }));
    await v.accept(`valid, ${p.tol} s in the future`, 'clock skew inside the tolerance', at(p.tol, body, { tags: ['policy:future'], note: p.skewNote }));
    await v.reject(`stale: ${p.tol + 1} s old`, 'timestamp too old', at(-p.tol - 1, body, { ...tt, note: p.staleNote }));
    await v.reject('stale: one day old', 'timestamp too old', at(-86400, body, { ...tt, note: p.staleNote }));
    await v.reject(`future: ${p.tol + 1} s ahead`, 'timestamp too new: rejected by policy', at(p.tol + 1, body, { tags: ['policy:future'], note: p.futureNote }));
  }
  await v.accept('body that is not UTF-8, rightly signed', 'bytes are signed, not text', at(0, NON_UTF8, { tags: ['bytes'], note: p.bytesNote }));
  if (p.empty !== false) await v.accept('empty body, rightly signed', 'signature over zero body bytes', at(0, Buffer.alloc(0), { tags: ['policy:empty-body'], note: p.emptyNote }));
  await v.accept('rotation: two configured secrets, the second one matches', 'any configured secret may match',
    at(0, body, { secrets: [p.otherSecret ?? v.secret + '_new', v.secret], tags: ['rotation'] }));
  if (p.encoding === 'hex') await v.accept('upper-case hex digits', 'hex is decoded before it is compared', req(t0, body, good.toUpperCase(), { tags: ['policy:hex-case'] }));

  await v.reject('tampered body', 'signature mismatch', req(t0, flip(body), good));
  await v.reject('white space added to the body', 'the exact bytes are signed', req(t0, Buffer.concat([body, Buffer.from(' ')]), good, { note: p.spaceNote }));
  await v.reject('timestamp replaced without signing again', 'the timestamp is signed', req(ts(NOW + 1), body, good));
  await v.reject('signed with another secret', 'wrong secret', req(t0, body, e(mac(t0, body, p.otherSecret ?? v.secret + '_other'))));
  await v.reject('body signed without the timestamp', 'the timestamp is signed', req(t0, body, e(hmac(p.alg, p.key(v.secret), body))));
  await v.reject('garbage signature', 'malformed header', req(t0, body, garbageFor[p.encoding]));
  await v.reject('truncated signature', 'wrong length', req(t0, body, good.slice(0, 20)));
  await v.reject(`other encoding than ${p.encoding}`, 'wrong encoding', req(t0, body, enc[p.encoding === 'hex' ? 'base64' : 'hex'](mac(t0, body))));
  await v.reject('no signature headers at all', 'missing header', { body, headers: { 'content-type': p.ctype } });
  if (p.unit !== 'rfc3339') {
    const wrong = p.unit === 'ms' ? String(NOW) : String(NOW * 1000);
    await v.reject(p.unit === 'ms' ? 'timestamp in seconds' : 'timestamp in milliseconds', `the unit is ${p.unit}`, req(wrong, body, e(mac(wrong, body)), { ...tt, note: p.unitNote ?? p.staleNote }));
    const junk = t0 + 'abc';
    await v.reject('timestamp with letters behind it, signed as sent', 'a timestamp is digits only', req(junk, body, e(mac(junk, body)), { note: p.junkNote }));
  }
  if (p.encoding === 'base64') await v.reject('base64 padding cut off', 'base64 is strict: padding is due', req(t0, body, good.replace(/=+$/, ''), { tags: ['policy:base64-strict'] }));
  return { ts, mac, e, req, at, body, intl, t0, good };
}

export const form = (pairs) => Buffer.from(pairs.map(([k, x]) => encodeURIComponent(k) + '=' + encodeURIComponent(x).replace(/%20/g, '+')).join('&'));
export const out = process.argv[2] ?? '..';

// Providers that sign the URL or parts of it.

import { AS_IT_IS, Cases, NOW, ODD, hmac, sha256 } from './lib.mjs';

const KEY = 'FAKE-client-secret';
const events = '[{"eventId":101,"subscriptionType":"contact.creation"},{"eventId":102,"subscriptionType":"contact.deletion"}]';
const names = { id: '101.102', type: 'contact.creation' };

/**
 * What anybody can make who has seen one request: behind the bytes that were hashed, the
 * padding of SHA-256 (FIPS 180-4, 5.1.1), and more. Its hash follows from the first one's.
 */
function extended(signed, before) {
  const length = Buffer.byteLength(before) + Buffer.byteLength(events);
  const padding = Buffer.alloc(64 - (length % 64) + (length % 64 < 56 ? 0 : 64));
  padding[0] = 0x80;
  padding.writeBigUInt64BE(BigInt(length) * 8n, padding.length - 8);
  const body = Buffer.concat([Buffer.from(events), padding, Buffer.from('[{"eventId":666}]')]);
  return { body, headers: signed(body) };
}

const v1 = new Cases('hubspot-v1', 'odd.mjs', { secret: KEY, body: events });
const first = (key, body = events, version = 'v1') => ({
  'x-hubspot-signature': sha256(key, body), ...(version && { 'x-hubspot-signature-version': version }),
});
v1.accept('signed', { headers: first(KEY), ...names });
v1.accept('the second of two secrets', { secret: undefined, secrets: ['FAKE-old', KEY], headers: first(KEY), ...names });
v1.accept(AS_IT_IS, { secret: ODD, headers: first(ODD) });
v1.reject('a body that goes on behind the padding of SHA-256', extended((body) => first(KEY, body), KEY));
v1.reject('another body', { body: `${events} `, headers: first(KEY) });
v1.reject('another secret', { headers: first('FAKE-other') });
v1.reject('no signature', { headers: { 'x-hubspot-signature-version': 'v1' } });
v1.reject('no version', { headers: first(KEY, events, '') });
v1.reject('version 2', { headers: first(KEY, events, 'v2') });
v1.reject('an HMAC', { headers: { ...first(KEY), 'x-hubspot-signature': hmac('sha256', KEY, 'hex', events) } });

const URL = 'https://hooks.example.test/in/hubspot-v2?a=b%20c';
const v2 = new Cases('hubspot-v2', 'odd.mjs', { secret: KEY, body: events, url: URL });
const second = (key, { method = 'POST', url = URL, body = events, version = 'v2' } = {}) => ({
  'x-hubspot-signature': sha256(key, method, url, body), ...(version && { 'x-hubspot-signature-version': version }),
});
v2.accept('signed', { headers: second(KEY), ...names });
v2.accept('the registered URL is not the one that was asked', {
  url: 'https://behind.example.test/x', config: { public_url: URL }, headers: second(KEY), ...names,
});
v2.reject('the URL that was asked is signed, not the registered one', {
  url: 'https://behind.example.test/x', config: { public_url: URL }, headers: second(KEY, { url: 'https://behind.example.test/x' }),
});
v2.accept(AS_IT_IS, { secret: ODD, headers: second(ODD) });
v2.reject('another method', { method: 'PUT', headers: second(KEY) });
v2.reject('another URL', { url: `${URL}&d=e`, headers: second(KEY) });
v2.reject(
  'a body that goes on behind the padding of SHA-256', extended((body) => second(KEY, { body }), `${KEY}POST${URL}`),
);
v2.reject('another body', { body: `${events} `, headers: second(KEY) });
v2.reject('another secret', { headers: second('FAKE-other') });
v2.reject('no version', { headers: second(KEY, { version: '' }) });
v2.reject('version 1', { headers: second(KEY, { version: 'v1' }) });

const ENCODED = 'https://hooks.example.test/in/hubspot-v3?to=a%40b%2Cc%3B&x=%20%26%C3%A9&y=%3a%2f%3f%21%24%27%28%29%2a';
const DECODED = "https://hooks.example.test/in/hubspot-v3?to=a@b,c;&x=%20%26%C3%A9&y=:/?!$'()*";
const v3 = new Cases('hubspot-v3', 'odd.mjs', { secret: KEY, body: events, url: ENCODED });
const third = (key, { method = 'POST', url = ENCODED, time = NOW * 1000 } = {}) => ({
  'x-hubspot-signature-v3': hmac('sha256', key, 'base64', method, url, events, String(time)),
  'x-hubspot-request-timestamp': String(time),
});
v3.accept('signed with the URL as it is', { headers: third(KEY), ...names });
v3.accept('signed with the twelve codes of the URL decoded', { headers: third(KEY, { url: DECODED }), ...names });
v3.reject('signed with every code of the URL decoded', { headers: third(KEY, { url: decodeURIComponent(ENCODED) }) });
v3.accept(AS_IT_IS, { secret: ODD, headers: third(ODD) });
v3.accept('300 s old', { headers: third(KEY, { time: (NOW - 300) * 1000 }) });
v3.reject('300.001 s old', { headers: third(KEY, { time: (NOW - 300) * 1000 - 1 }) });
v3.reject('300.001 s ahead', { headers: third(KEY, { time: (NOW + 300) * 1000 + 1 }) });
v3.reject('another method, the decoded URL', { headers: third(KEY, { method: 'PUT', url: DECODED }) });

const mp = new Cases('mercadopago', 'odd.mjs', { secret: KEY, body: '{"id":12345,"type":"payment","data":{"id":"999"}}' });
const at = (query) => `https://hooks.example.test/in/mercadopago${query}`;
const paid = (message, time = NOW, request = 'r-1', key = KEY) => ({
  'x-signature': `ts=${time},v1=${hmac('sha256', key, 'hex', message)}`, ...(request && { 'x-request-id': request }),
});
const payment = { id: '12345', type: 'payment' };
const whole = (id, time = NOW) => `id:${id};request-id:r-1;ts:${time};`;
mp.accept('signed', { url: at('?data.id=999&type=payment'), headers: paid(whole('999')), ...payment });
mp.accept('an id with letters, in lower case', { url: at('?data.id=ABC9&type=payment'), headers: paid(whole('abc9')), ...payment });
mp.accept('an id with letters, as it is', { url: at('?data.id=ABC9&type=payment'), headers: paid(whole('ABC9')), ...payment });
mp.accept('no request id', { url: at('?data.id=999'), headers: paid(`id:999;ts:${NOW};`, NOW, ''), ...payment });
mp.accept('no id in the query', { url: at(''), headers: paid(`request-id:r-1;ts:${NOW};`), ...payment });
mp.accept('no id in the query, signed as it is', { url: at(''), headers: paid(`ts:${NOW};`, NOW, ''), ...payment });
mp.accept('another body: it is not signed', { url: at('?data.id=999'), body: '{"id":1,"type":"x"}', headers: paid(whole('999')), id: '1', type: 'x' });
mp.accept(AS_IT_IS, { secret: ODD, url: at('?data.id=999'), headers: paid(whole('999'), NOW, 'r-1', ODD) });
mp.reject('another id', { url: at('?data.id=998'), headers: paid(whole('999')) });
mp.reject('an id that is there is left out', { url: at('?data.id=999'), headers: paid(`request-id:r-1;ts:${NOW};`) });
mp.reject('a request id that is there is left out', { url: at('?data.id=999'), headers: paid(`id:999;ts:${NOW};`) });
mp.reject('another request id', { url: at('?data.id=999'), headers: paid(whole('999'), NOW, 'r-2') });
mp.reject('another secret', { secret: 'FAKE-other', url: at('?data.id=999'), headers: paid(whole('999')) });
mp.reject('no time', { url: at('?data.id=999'), headers: { ...paid(whole('999')), 'x-signature': `v1=${hmac('sha256', KEY, 'hex', whole('999'))}` } });
for (const [off, fits] of [[-86400, true], [-86401, false], [86400, true], [86401, false]]) {
  mp[fits ? 'accept' : 'reject'](`${off} s`, { url: at('?data.id=999'), headers: paid(whole('999', NOW + off), NOW + off) });
}
mp.accept('the time in milliseconds', { url: at('?data.id=999'), headers: paid(whole('999', NOW * 1000), NOW * 1000) });

export const urls = [v1, v2, v3, mp];

// A few more cases for Adyen payments and Twilio, judged by the SDKs.
import fs from 'node:fs';
import querystring from 'node:querystring';
import { Vectors, json, form, hmac, enc, out, URL_BASE } from './lib.mjs';
const { hmacValidator: HmacValidator } = (await import('@adyen/api-library')).default;
const twilio = (await import('twilio')).default;

const move = (name) => fs.renameSync(`${out}/${name}.json`, `${out}/${name}-extra.json`);
{
  const validator = new HmacValidator();
  const v = new Vectors('adyen', { source: 'sdk:npm:@adyen/api-library@32.1.0', secret: '0F174F05D23631E8F20FE55094B7930F76DDC228CB302DCCA959464674EA8B8C',
    judge: (r) => { const items = JSON.parse(r.body).notificationItems; return items.length > 0 && items.every((i) => validator.validateHMAC(i.NotificationRequestItem, r.secret)); } });
  const base = { eventCode: 'AUTHORISATION', success: 'true', eventDate: '2023-11-14T22:13:20+00:00', merchantAccountCode: 'FakeMerchant', pspReference: 'FAKE000000000001', merchantReference: 'order-1', amount: { currency: 'EUR', value: 1000 } };
  const item = (o = {}, sig) => { const i = { ...base, ...o }; return { NotificationRequestItem: { additionalData: { hmacSignature: sig ?? validator.calculateHmac(i, v.secret) }, ...i } }; };
  const req = (...items) => ({ body: json({ live: 'false', notificationItems: items }), headers: { 'content-type': 'application/json' } });
  const forged = item({}, validator.calculateHmac({ ...base, pspReference: 'OTHER' }, v.secret));
  await v.accept('non-ASCII merchant reference', 'UTF-8 is signed', req(item({ merchantReference: 'Bestellung № 1 – Zoë' })));
  await v.accept('originalReference sent as an empty string', 'the same as a missing one', req(item({ originalReference: '' })));
  await v.accept('originalReference sent as null', 'the same as a missing one', req(item({ originalReference: null })));
  await v.accept('success sent as a JSON boolean', 'signed as the text "true"', req(item({ success: true })));
  await v.accept('hex key in lower case', 'the key is hex', { ...req(item()), secret: v.secret.toLowerCase() });
  await v.reject('two items, the first one forged', 'every item must verify', req(forged, item()));
  await v.reject('originalReference added', 'it is signed', (() => { const i = item(); i.NotificationRequestItem.originalReference = 'FAKE0'; return req(i); })());
  await v.reject('signature in the hmacsignature header only', 'the header of another scheme', { body: json({ live: 'false', notificationItems: [{ NotificationRequestItem: base }] }), headers: { hmacsignature: validator.calculateHmac(base, v.secret) } });
  await v.reject('hmacSignature of the wrong type', 'malformed field', req(item({}, 12345)));
  v.write(out); move('adyen');
}
{
  const v = new Vectors('twilio', { source: 'sdk:npm:twilio@6.2.0', secret: 'FAKEtestonlytwilioauthtoken00000',
    judge: (r) => (r.headers['content-type'] === 'application/json'
      ? twilio.validateRequestWithBody(r.secret, r.headers['x-twilio-signature'], r.url, r.body.toString())
      : twilio.validateRequest(r.secret, r.headers['x-twilio-signature'], r.url, { ...querystring.parse(r.body.toString()) })) });
  const url = URL_BASE + 'twilio', pairs = [['From', '+15555550100'], ['Body', 'Zoë 東京 🚀'], ['MediaUrl0', '']];
  const sign = (u, p, alg = 'sha1') => enc.base64(hmac(alg, v.secret, u + [...p].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, x]) => k + x).join('')));
  const req = (u, p, sig, more) => ({ url: u, body: form(p), headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': sig }, ...more });
  await v.accept('empty form value and an emoji', 'decoded values are signed', req(url, pairs, sign(url, pairs)));
  await v.accept('empty form post', 'the URL alone is signed', req(url, [], sign(url, [])));
  await v.accept('rotation: two configured secrets, the second one matches', 'any configured secret may match', req(url, pairs, sign(url, pairs), { secrets: ['FAKEother', v.secret], tags: ['rotation'] }));
  await v.reject('SHA-256 signature without the settings header', 'SHA-1 is due', req(url, pairs, sign(url, pairs, 'sha256')));
  await v.reject('signature in hex', 'wrong encoding', req(url, pairs, Buffer.from(sign(url, pairs), 'base64').toString('hex')));
  await v.reject('JSON body without bodySHA256 in the URL', 'the body is not bound', { url, body: json({ a: 1 }), headers: { 'content-type': 'application/json', 'x-twilio-signature': sign(url, []) } });
  v.write(out); move('twilio');
}

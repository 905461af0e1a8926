// Providers that send forms.

import { AS_IT_IS, Cases, NOW, ODD, hmac } from './lib.mjs';

const KEY = 'FAKE-webhook-key';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const form = (pairs) => new URLSearchParams(pairs).toString();

const URL = 'https://user:pass@hooks.example.test/in/mandrill?x=1';
const batch = '[{"_id":"a-1","event":"send","msg":{"subject":"é"}},{"_id":"a-2","event":"open"}]';
const mandrill = new Cases('mandrill', 'odd.mjs', { secret: KEY, url: 'https://hooks.example.test/in/mandrill?x=1', config: { public_url: URL } });
const posted = (pairs, url = URL, key = KEY) => {
  const sorted = [...pairs].sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, value]) => name + value).join('');
  return { body: form(pairs), headers: { ...FORM, 'x-mandrill-signature': hmac('sha1', key, 'base64', url, sorted) } };
};
const one = [['mandrill_events', batch]];
const names = { id: 'a-1.a-2', type: 'send' };
mandrill.accept('signed', { ...posted(one), ...names });
mandrill.accept('several fields, sorted', { ...posted([['zeta', '+ &='], ...one, ['Alpha', '']]), ...names });
mandrill.accept('the second of two secrets', { ...posted(one), secret: undefined, secrets: ['FAKE-old', KEY], ...names });
mandrill.accept(AS_IT_IS, { ...posted(one, URL, ODD), secret: ODD });
mandrill.reject('another event', { ...posted(one), body: form([['mandrill_events', batch.replace('send', 'spam')]]) });
mandrill.reject('a further field', { ...posted(one), body: form([...one, ['x', 'y']]) });
mandrill.reject('another URL', posted(one, URL.replace('x=1', 'x=2')));
mandrill.reject('the URL without its credentials', posted(one, 'https://hooks.example.test/in/mandrill?x=1'));
mandrill.reject('another secret', posted(one, URL, 'FAKE-other'));
mandrill.reject('no signature', { ...posted(one), headers: FORM });
mandrill.reject('SHA-256', { ...posted(one), headers: { ...FORM, 'x-mandrill-signature': hmac('sha256', KEY, 'base64', URL, `mandrill_events${batch}`) } });

const mailgun = new Cases('mailgun', 'odd.mjs', { secret: KEY, headers: { 'content-type': 'application/json' } });
const proof = (time = NOW, token = 'tok-1', key = KEY) => ({ timestamp: String(time), token, signature: hmac('sha256', key, 'hex', String(time), token) });
const json = (value) => ({ body: JSON.stringify({ ...value, 'event-data': { event: 'opened', id: 'e-1' } }) });
const wrong = proof(NOW, 'tok-2', 'FAKE-other');
const legacy = (value, more = { event: 'opened' }) => ({ body: form({ ...more, ...value }), headers: FORM });
mailgun.accept('signed', { ...json({ signature: proof() }), id: 'tok-1', type: 'opened' });
mailgun.accept('a sub-account, with the key of the account above', { ...json({ signature: wrong, 'parent-signature': proof() }), id: 'tok-1', type: 'opened' });
mailgun.reject('neither signature', json({ signature: wrong, 'parent-signature': wrong }));
mailgun.accept('a form', { ...legacy(proof()), id: 'tok-1', type: 'opened' });
mailgun.reject('a form with another secret', legacy(wrong));
mailgun.reject('a form with another token', legacy({ ...proof(), token: 'tok-9' }));
mailgun.accept(AS_IT_IS, { ...json({ signature: proof(NOW, 'tok-1', ODD) }), secret: ODD });
mailgun.accept(`${AS_IT_IS}, the account above`, { ...json({ 'parent-signature': proof(NOW, 'tok-1', ODD) }), secret: ODD });
mailgun.accept(`${AS_IT_IS}, in a form`, { ...legacy(proof(NOW, 'tok-1', ODD)), secret: ODD });
for (const [where, made] of [['here', json({ signature: proof(NOW * 1000) })], ['above', json({ 'parent-signature': proof(NOW * 1000) })], ['in a form', legacy(proof(NOW * 1000))]]) {
  mailgun.reject(`milliseconds, ${where}`, made);
}
mailgun.reject('no signature', json({}));
mailgun.reject('no time', json({ signature: { ...proof(), timestamp: undefined } }));
for (const [off, fits] of [[-86400, true], [-86401, false], [86400, true], [86401, false]]) {
  const say = fits ? 'accept' : 'reject';
  mailgun[say](`${off} s`, json({ signature: proof(NOW + off) }));
  mailgun[say](`${off} s, of the account above`, json({ 'parent-signature': proof(NOW + off) }));
  mailgun[say](`${off} s, in a form`, legacy(proof(NOW + off)));
}

const sign = new Cases('dropbox-sign', 'odd.mjs', { secret: KEY, headers: FORM });
const called = (time = NOW, event_type = 'signature_request_signed', key = KEY) => {
  const event_time = String(time);
  const event_hash = hmac('sha256', key, 'hex', event_time, event_type);
  return { event_hash, document: JSON.stringify({ event: { event_time, event_type, event_hash } }) };
};
const good = called();
const signed = { id: good.event_hash, type: 'signature_request_signed' };
const parts = (...parts) => `--B\r\n${parts.map(([name, value]) => `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n--B`).join('\r\n')}--\r\n`;
const MULTIPART = { 'content-type': 'multipart/form-data; boundary=B' };
sign.accept('a form', { body: form({ json: good.document }), ...signed });
sign.accept('multipart', { headers: MULTIPART, body: parts(['a', 'b'], ['json', good.document]), ...signed });
sign.accept('JSON', { headers: { 'content-type': 'application/json' }, body: good.document, ...signed });
sign.accept(AS_IT_IS, { secret: ODD, body: form({ json: called(NOW, 'x', ODD).document }) });
sign.reject('milliseconds', { body: form({ json: called(NOW * 1000).document }) });
sign.reject('multipart, another field', { headers: MULTIPART, body: parts(['jsn', good.document]) });
sign.reject('a form, another field', { body: form({ jsn: good.document }) });
sign.reject('another secret', { body: form({ json: called(NOW, 'x', 'FAKE-other').document }) });
for (const [off, fits] of [[-345600, true], [-345601, false], [345600, true], [345601, false]]) {
  sign[fits ? 'accept' : 'reject'](`${off} s`, { body: form({ json: called(NOW + off).document }) });
}

export const forms = [mandrill, mailgun, sign];

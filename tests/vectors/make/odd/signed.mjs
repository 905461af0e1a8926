// Providers that sign the body, and a time at most.

import { AS_IT_IS, Cases, NOW, ODD, hmac, sha256 } from './lib.mjs';

const json = (value) => JSON.stringify(value);
const KEY = 'FAKE-key';

/** What every signature of the body must be. `headers` makes them of a key and a body. */
function signedBody(cases, headers, body, names) {
  const at = { secret: KEY, body };
  cases.accept('signed', { ...at, headers: headers(KEY, body), ...names });
  cases.accept('the second of two secrets', { secrets: ['FAKE-old', KEY], body, headers: headers(KEY, body), ...names });
  const bytes = Buffer.from([0xff, 0xfe, 0, 0x7b]);
  cases.accept('bytes that are no text', { secret: KEY, body: bytes, headers: headers(KEY, bytes) });
  cases.accept(AS_IT_IS, { secret: ODD, body, headers: headers(ODD, body) });
  cases.reject('another body', { ...at, body: `${body} `, headers: headers(KEY, body) });
  cases.reject('another secret', { ...at, headers: headers('FAKE-other', body) });
  cases.reject('no signature', { ...at, headers: {} });
}

const mollie = new Cases('mollie', 'odd.mjs', {});
const event = json({ id: 'event_1', type: 'payment-link.paid' });
signedBody(mollie, (key, body) => ({ 'x-mollie-signature': `sha256=${hmac('sha256', key, 'hex', body)}` }), event, { id: 'event_1', type: 'payment-link.paid' });

const x = new Cases('x-twitter', 'odd.mjs', {});
const xHeaders = (key, body) => ({ 'x-twitter-webhooks-signature': `sha256=${hmac('sha256', key, 'base64', body)}` });
signedBody(x, xHeaders, json({ for_user_id: '1', tweet_create_events: [{}] }), { type: 'tweet_create_events' });
for (const key of ['user_has_blocked', 'users', 'apps']) {
  const body = json({ [key]: true, favorite_events: [] });
  x.accept(`${key} in front`, { secret: KEY, body, headers: xHeaders(KEY, body), type: 'favorite_events' });
}
x.reject('hexadecimal digits', { secret: KEY, body: '{}', headers: { 'x-twitter-webhooks-signature': `sha256=${hmac('sha256', KEY, 'hex', '{}')}` } });
x.reject('without sha256=', { secret: KEY, body: '{}', headers: { 'x-twitter-webhooks-signature': hmac('sha256', KEY, 'base64', '{}') } });

const tebex = new Cases('tebex', 'odd.mjs', {});
signedBody(tebex, (key, body) => ({ 'x-signature': hmac('sha256', key, 'hex', sha256(body)) }), json({ id: 't-1', type: 'payment.completed' }), { id: 't-1', type: 'payment.completed' });
tebex.reject('the body itself is signed', { secret: KEY, body: '{}', headers: { 'x-signature': hmac('sha256', KEY, 'hex', '{}') } });

const docusign = new Cases('docusign', 'odd.mjs', {});
const envelope = json({ event: 'envelope-sent', generatedDateTime: '2023-11-14T22:13:20Z', data: { envelopeId: 'e-1' } });
const docu = (number) => (key, body) => ({ [`x-docusign-signature-${number}`]: hmac('sha256', key, 'base64', body) });
signedBody(docusign, docu(1), envelope, { id: 'e-1.envelope-sent.2023-11-14T22:13:20Z', type: 'envelope-sent' });
docusign.accept('the second header is ours', { secret: KEY, body: envelope, headers: { ...docu(1)('FAKE-x', envelope), ...docu(2)(KEY, envelope) } });
docusign.accept('header 100', { secret: KEY, body: envelope, headers: docu(100)(KEY, envelope) });
docusign.reject('no header is ours', { secret: KEY, body: envelope, headers: { ...docu(1)('FAKE-x', envelope), ...docu(2)('FAKE-y', envelope) } });

const ably = new Cases('ably', 'odd.mjs', {});
const items = json({ items: [{ source: 'channel.message', serial: 's:0' }, { source: 'channel.presence', serial: 's:1' }] });
const ablyHeaders = (key, body) => ({ 'x-ably-signature': hmac('sha256', key, 'base64', body), 'x-ably-key': 'FAKE.key' });
signedBody(ably, ablyHeaders, items, { id: 's:0.s:1', type: 'channel.message' });

const DAY = 86_400;
const pusher = new Cases('pusher', 'odd.mjs', {});
const pushed = (time, name = 'channel_occupied') => json({ time_ms: time, events: [{ name }, { name: 'member_added' }] });
const pusherHeaders = (key, body) => ({ 'x-pusher-signature': hmac('sha256', key, 'hex', body), 'x-pusher-key': 'FAKE' });
const at = (time) => ({ secret: KEY, body: pushed(time), headers: pusherHeaders(KEY, pushed(time)) });
pusher.accept('signed', { ...at(NOW * 1000), type: 'channel_occupied' });
pusher.accept('the second of two secrets', { ...at(NOW * 1000), secret: undefined, secrets: ['FAKE-old', KEY] });
pusher.reject('another body', { ...at(NOW * 1000), body: pushed(NOW * 1000, 'x') });
pusher.reject('another secret', { ...at(NOW * 1000), secret: 'FAKE-other' });
pusher.reject('no signature', { ...at(NOW * 1000), headers: {} });
pusher.reject('no time', { secret: KEY, body: '{}', headers: pusherHeaders(KEY, '{}') });
pusher.accept('a day old', at((NOW - DAY) * 1000));
pusher.reject('a day and a millisecond old', at((NOW - DAY) * 1000 - 1));
pusher.accept('a day ahead', at((NOW + DAY) * 1000));
pusher.reject('a day and a millisecond ahead', at((NOW + DAY) * 1000 + 1));
pusher.reject('in seconds', at(NOW));
pusher.accept(AS_IT_IS, { ...at(NOW * 1000), secret: ODD, headers: pusherHeaders(ODD, pushed(NOW * 1000)) });

const gitlab = new Cases('gitlab', 'odd.mjs', {});
const SECRET = `whsec_${Buffer.from('FAKE-gitlab-signing-token-of-32b').toString('base64')}`;
const signedAt = (body, time = NOW, id = 'g-1') => ({
  secret: SECRET,
  body,
  headers: {
    'webhook-id': id,
    'idempotency-key': id,
    'webhook-timestamp': String(time),
    'webhook-signature': `v1,${hmac('sha256', Buffer.from(SECRET.slice(6), 'base64'), 'base64', `${id}.${time}.`, body)}`,
  },
});
const push = json({ object_kind: 'push' });
const good = signedAt(push);
gitlab.accept('signed', { ...good, id: 'g-1', type: 'push' });
gitlab.accept('a system hook', { ...signedAt(json({ event_name: 'project_create' })), id: 'g-1', type: 'project_create' });
gitlab.accept('300 s old', signedAt(push, NOW - 300));
gitlab.reject('301 s old', signedAt(push, NOW - 301));
gitlab.reject('milliseconds', signedAt(push, NOW * 1000));
gitlab.accept('300 s ahead', signedAt(push, NOW + 300));
gitlab.reject('301 s ahead', signedAt(push, NOW + 301));
gitlab.accept('the second of two signatures', { ...good, headers: { ...good.headers, 'webhook-signature': `v1,AAAA ${good.headers['webhook-signature']}` } });
gitlab.reject('another version alone', { ...good, headers: { ...good.headers, 'webhook-signature': good.headers['webhook-signature'].replace('v1', 'v2') } });
gitlab.reject('another id', { ...good, headers: { ...good.headers, 'webhook-id': 'g-2' } });
gitlab.reject('no id', { ...good, headers: { ...good.headers, 'webhook-id': '' } });

export const signed = [mollie, x, tebex, docusign, ably, pusher, gitlab];

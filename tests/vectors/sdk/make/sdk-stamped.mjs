// Providers that sign a timestamp and the body. Judged by their own SDKs.
import { Vectors, stampedHmac, json, enc, hmac, out, NOW, URL_BASE } from './lib.mjs';
const load = async (name) => { const m = await import(name); return m.default ?? m; };

const Mux = await load('@mux/mux-node');
const { WorkOS } = await import('@workos-inc/node');
const sanity = await import('@sanity/webhook');
const { WebflowClient } = await import('webflow-api');
const { Webhook } = await import('standardwebhooks');

const text = 'Zoë ordered 2× crème brûlée — 東京 🚀';

{ // Mux
  const mux = new Mux({ tokenId: 'fake', tokenSecret: 'fake', webhookSecret: 'unused' });
  const v = new Vectors('mux', { source: 'sdk:npm:@mux/mux-node@15.3.0', secret: 'fakemuxsigningsecret0000000000001',
    judge: async (r) => { await mux.webhooks.verifySignature(r.body.toString(), r.headers, r.secret); return true; } });
  const event = (p) => ({ type: 'video.asset.ready', object: { type: 'asset', id: 'FAKEasset01' }, id: 'fake0000-0000-0000-0000-000000000001', environment: { name: 'Test', id: 'fakeenv' },
    data: { status: 'ready', passthrough: p, id: 'FAKEasset01' }, created_at: '2023-11-14T22:13:20.000000Z', attempts: [] });
  const k = await stampedHmac(v, { tol: 300, headers: (t, sig) => ({ 'mux-signature': `t=${t},v1=${sig}` }), message: (t, b) => [t, '.', b], body: event('order-1'), intl: event(text),
    unitNote: 'the SDK checks only the age; milliseconds look like the far future', junkNote: 'the SDK signs the parsed number again' });
  const raw = (value, more) => ({ body: k.body, headers: { 'content-type': 'application/json', 'mux-signature': value }, ...more });
  await v.accept('two v1 signatures, the second one right', 'any v1 may match', raw(`t=${NOW},v1=${'0'.repeat(64)},v1=${k.good}`));
  await v.accept('unknown scheme beside v1', 'unknown schemes are skipped', raw(`t=${NOW},v0=${'0'.repeat(64)},v1=${k.good}`));
  await v.reject('signature under v0 only', 'only v1 counts', raw(`t=${NOW},v0=${k.good}`));
  await v.reject('no timestamp in the header', 'malformed header', raw(`v1=${k.good}`));
  await v.reject('letters behind the timestamp, number signed', 'a timestamp is digits only', raw(`t=${NOW}abc,v1=${k.good}`, { note: 'the SDK\'s parseInt stops at the first letter' }));
  await v.reject('stripe-signature instead of mux-signature', 'the header of another scheme', { body: k.body, headers: { 'content-type': 'application/json', 'stripe-signature': `t=${NOW},v1=${k.good}` } });
  v.write(out);
}
{ // WorkOS: milliseconds; the SDK takes a parsed body and serialises it again
  const workos = new WorkOS('sk_test_FAKE');
  const v = new Vectors('workos', { source: 'sdk:npm:@workos-inc/node@8.13.0', secret: 'FAKEworkosWebhookSecret0001',
    judge: (r) => workos.webhooks.verifyHeader({ payload: JSON.parse(r.body), sigHeader: r.headers['workos-signature'], secret: r.secret }) });
  const event = (n) => ({ id: 'event_FAKE0001', event: 'dsync.user.created', created_at: '2023-11-14T22:13:20.000Z', data: { id: 'directory_user_FAKE', first_name: n, state: 'active' } });
  const again = 'the SDK serialises the parsed body again; the gateway checks the raw bytes';
  const k = await stampedHmac(v, { unit: 'ms', tol: 180, headers: (t, sig) => ({ 'workos-signature': `t=${t}, v1=${sig}` }), message: (t, b) => [t, '.', b], body: event('Jane'), intl: event(text),
    bytesNote: again, emptyNote: again, spaceNote: again, junkNote: 'the SDK reads the timestamp with parseInt' });
  const pretty = Buffer.from(JSON.stringify(event('Jane'), null, 2));
  const raw = (value, more) => ({ body: k.body, headers: { 'content-type': 'application/json', 'workos-signature': value }, ...more });
  await v.accept('pretty-printed body, raw bytes signed', 'the raw bytes are signed', k.at(0, pretty, { note: again }));
  await v.accept('no space behind the comma', 'white space around the parts does not matter', raw(`t=${k.t0},v1=${k.good}`));
  await v.reject('signature under v0', 'only v1 counts', raw(`t=${k.t0}, v0=${k.good}`, { note: 'the SDK takes the second part whatever its name' }));
  await v.reject('no timestamp in the header', 'malformed header', raw(`v1=${k.good}`));
  await v.reject('only the timestamp in the header', 'malformed header', raw(`t=${k.t0}`));
  v.write(out);
}
{ // Sanity: milliseconds, base64url
  const v = new Vectors('sanity', { source: 'sdk:npm:@sanity/webhook@4.0.4', secret: 'FAKE sanity webhook secret',
    judge: (r) => sanity.isValidRequest({ headers: r.headers, body: r.body }, r.secret) });
  const event = (t) => ({ _id: 'drafts.fake', _type: 'post', _rev: 'fakerev', title: t });
  const k = await stampedHmac(v, { unit: 'ms', encoding: 'base64url', headers: (t, sig) => ({ 'sanity-webhook-signature': sig === undefined ? undefined : `t=${t},v1=${sig}`, 'idempotency-key': 'fake-0001' }),
    message: (t, b) => [t, '.', b], body: event('Hello'), intl: event(text), tolTag: 'policy:tolerance', bytesNote: 'the SDK takes the body as text; the bytes are what is signed' });
  const raw = (value, more) => ({ body: k.body, headers: { 'content-type': 'application/json', 'sanity-webhook-signature': value }, ...more });
  await v.accept('header made by the SDK', 'signature matches', raw(await sanity.encodeSignatureHeader(k.body.toString(), NOW * 1000, v.secret)));
  await v.accept('one hour old', 'Sanity enforces no window', k.at(-3600, k.body, { tags: ['policy:tolerance'] }));
  await v.reject('no timestamp in the header', 'malformed header', raw(`v1=${k.good}`));
  await v.reject('signature under v0', 'only v1 counts', raw(`t=${k.t0},v0=${k.good}`));
  await v.reject('stripe-signature instead', 'the header of another scheme', { body: k.body, headers: { 'stripe-signature': `t=${k.t0},v1=${k.good}` } });
  v.write(out);
}
{ // Webflow: milliseconds
  const client = new WebflowClient({ accessToken: 'FAKE' });
  const v = new Vectors('webflow', { source: 'sdk:npm:webflow-api@3.3.4', secret: 'fakewebflowclientsecret00000000000000000000000000000000000000001',
    judge: (r) => client.webhooks.verifySignature({ headers: r.headers, body: r.body.toString(), secret: r.secret }) });
  const event = (n) => ({ triggerType: 'form_submission', payload: { name: 'Contact Us', siteId: '65427cf400e02b306eaa049c', data: { 'First Name': n }, submittedAt: '2023-11-14T22:13:20.000Z', id: 'fake01' } });
  const none = 'the SDK does not look at the timestamp; the documentation asks for five minutes';
  const k = await stampedHmac(v, { unit: 'ms', tol: 300, tolTag: 'policy:tolerance', headers: (t, sig) => ({ 'x-webflow-timestamp': t, 'x-webflow-signature': sig }), message: (t, b) => [t, ':', b],
    body: event('Zaphod'), intl: event(text), staleNote: none, futureNote: none, unitNote: none, junkNote: none });
  await v.reject('missing timestamp', 'missing header', { body: k.body, headers: { 'x-webflow-signature': k.good } });
  await v.reject('missing signature', 'missing header', { body: k.body, headers: { 'x-webflow-timestamp': k.t0 } });
  v.write(out);
}
{ // BigCommerce: Standard Webhooks whose key is the secret's own bytes
  const v = new Vectors('bigcommerce', { source: 'sdk:npm:standardwebhooks@1.1.1', secret: 'FAKEbigcommerceClientSecret000000001',
    judge: (r) => Boolean(new Webhook(Buffer.from(r.secret).toString('base64')).verify(r.body.toString(), r.headers)) });
  const id = 'msg_FAKE0001';
  const event = (h) => ({ scope: 'store/order/created', store_id: '1025646', data: { type: 'order', id: 250, note: h }, hash: 'fakehash', created_at: NOW, producer: 'stores/fakehash' });
  const json5 = 'the SDK also parses the body as JSON; the gateway only verifies';
  const k = await stampedHmac(v, { tol: 300, encoding: 'base64', headers: (t, sig) => ({ 'webhook-id': id, 'webhook-timestamp': t, 'webhook-signature': `v1,${sig}` }), message: (t, b) => [id, '.', t, '.', b],
    body: event('x'), intl: event(text), emptyNote: json5, junkNote: 'the SDK reads the timestamp with parseInt and signs the number' });
  const raw = (sig, more) => ({ body: k.body, headers: { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': k.t0, 'webhook-signature': sig }, ...more });
  await v.accept('two signatures, the second one right', 'any v1 may match', raw(`v1,${enc.base64(Buffer.alloc(32))} v1,${k.good}`));
  await v.reject('another webhook-id', 'the id is signed', { ...raw(`v1,${k.good}`), headers: { ...raw(`v1,${k.good}`).headers, 'webhook-id': 'msg_FAKE0002' } });
  await v.reject('missing webhook-id', 'missing header', { ...raw(`v1,${k.good}`), headers: { ...raw(`v1,${k.good}`).headers, 'webhook-id': undefined } });
  await v.reject('secret taken as base64 and decoded', 'the key is the secret\'s own bytes',
    raw('v1,' + enc.base64(hmac('sha256', Buffer.from(v.secret, 'base64'), id, '.', k.t0, '.', k.body))));
  v.write(out);
}

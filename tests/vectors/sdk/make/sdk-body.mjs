// Providers that sign the bare body: one HMAC in one header. Judged by their own SDKs.
import { Vectors, bodyHmac, json, hmac, sha256, enc, out, NOW } from './lib.mjs';
const load = async (name) => { const m = await import(name); return m.default ?? m; };

const razorpay = await load('razorpay');
const coinbase = await load('coinbase-commerce-node');
const line = await import('@line/bot-sdk');
const Pusher = await load('pusher');
const { hmacValidator: HmacValidator } = await load('@adyen/api-library');
const gocardless = await import('gocardless-nodejs/webhooks');
const { WebhookEventVerifier } = await load('@onfido/api');
const EasyPost = await load('@easypost/api');
const { Signature } = await load('@hubspot/api-client');

const text = 'Zoë ordered 2× crème brûlée — 東京 🚀';

{ // Razorpay
  const v = new Vectors('razorpay', { source: 'sdk:npm:razorpay@2.9.8', secret: 'FAKE_razorpay_webhook_secret',
    judge: (r) => razorpay.validateWebhookSignature(r.body.toString(), r.headers['x-razorpay-signature'], r.secret) });
  const event = (notes) => ({ entity: 'event', account_id: 'acc_FAKE000000001', event: 'payment.captured', contains: ['payment'],
    payload: { payment: { entity: { id: 'pay_FAKE00000001', entity: 'payment', amount: 50000, currency: 'INR', status: 'captured', notes } } }, created_at: NOW });
  await bodyHmac(v, { header: 'x-razorpay-signature', headers: { 'x-razorpay-event-id': 'evt_FAKE0001' }, body: event({ order: 'A-1' }), intl: event({ name: text }) });
  v.write(out);
}
{ // Coinbase Commerce
  const v = new Vectors('coinbase-commerce', { source: 'sdk:npm:coinbase-commerce-node@1.0.4', secret: 'FAKE-cc-shared-secret-0001',
    judge: (r) => Boolean(coinbase.Webhook.verifyEventBody(r.body.toString(), r.headers['x-cc-webhook-signature'], r.secret)) });
  const event = (name) => ({ attempt_number: 1, event: { api_version: '2018-03-22', created_at: '2023-11-14T22:13:20Z',
    data: { code: 'FAKE66H7', name, pricing_type: 'fixed_price' }, id: '24934862-d980-46cb-9402-43c81b0cdba6', resource: 'event', type: 'charge:confirmed' },
    id: '00000000-0000-0000-0000-00000000fake', scheduled_for: '2023-11-14T22:13:20Z' });
  await bodyHmac(v, { header: 'x-cc-webhook-signature', body: event('The Sovereign'), intl: event(text),
    bytesNote: 'the SDK takes the body as text; the bytes are what is signed' });
  v.write(out);
}
{ // LINE
  const v = new Vectors('line', { source: 'sdk:npm:@line/bot-sdk@11.0.0', secret: 'fa4e0000fa4e0000fa4e0000fa4e0000',
    judge: (r) => line.validateSignature(r.body, r.secret, r.headers['x-line-signature']) });
  const event = (t) => ({ destination: 'Ufake0000000000000000000000000001', events: [{ type: 'message', mode: 'active', timestamp: NOW * 1000,
    source: { type: 'user', userId: 'Ufake0000000000000000000000000002' }, webhookEventId: '01FAKE000000000000000000AA', deliveryContext: { isRedelivery: false },
    replyToken: 'FAKEreplytoken', message: { type: 'text', id: '444573844083572737', text: t } }] });
  const k = await bodyHmac(v, { header: 'x-line-signature', encoding: 'base64', body: event('hello'), intl: event(text) });
  const verify = json({ destination: 'Ufake0000000000000000000000000001', events: [] });
  await v.accept('the console\'s "Verify" request: no events', 'signed like any other', k.req(verify, k.sign(verify)));
  await v.reject('base64url alphabet', 'base64 is strict: the standard alphabet is due', (() => {
    let body = k.body; for (let i = 0; !/[+/]/.test(k.sign(body)); i++) body = json(event('hello ' + i));
    return k.req(body, k.sign(body).replace(/\+/g, '-').replace(/\//g, '_'), { tags: ['policy:base64-strict'] }); })());
  v.write(out);
}
{ // Pusher Channels
  const v = new Vectors('pusher', { source: 'sdk:npm:pusher@5.3.4', secret: 'fakefakefakefakefake',
    judge: (r) => new Pusher({ appId: '1', key: 'fakekey00000000000001', secret: r.secret, cluster: 'eu' }).webhook({ headers: r.headers, rawBody: r.body.toString() }).isValid() });
  const event = (u) => ({ time_ms: NOW * 1000, events: [{ name: 'member_added', channel: 'presence-room', user_id: u }] });
  const k = await bodyHmac(v, { header: 'x-pusher-signature', headers: { 'x-pusher-key': 'fakekey00000000000001' }, body: event('user-1'), intl: event(text) });
  await v.accept('content type with a charset', 'the content type is not signed', { ...k.req(k.body, k.good), headers: { ...k.req(k.body, k.good).headers, 'content-type': 'application/json; charset=utf-8' },
    note: 'the SDK knows no content type but exactly application/json' });
  v.write(out);
}
{ // Adyen banking / management
  const hmacValidator = new HmacValidator();
  const v = new Vectors('adyen-platform', { source: 'sdk:npm:@adyen/api-library@32.1.0', secret: '11223344D785FBAE710E7F943F307971BB61B21281C98C9129B3D4018A57B2EB',
    judge: (r) => hmacValidator.validateHMACSignature(r.secret, r.headers.hmacsignature, r.body.toString()) });
  const event = (d) => ({ data: { balancePlatform: 'FakePlatform', accountHolder: { description: d, id: 'AH0000000FAKE1', status: 'active' } }, environment: 'test', timestamp: '2023-11-14T22:13:20+00:00', type: 'balancePlatform.accountHolder.created' });
  const other = 'D7DD5BA6146493707BF0BE7496F6404EC7A63616B7158EC927B9F54BB436765F';
  const k = await bodyHmac(v, { header: 'hmacsignature', encoding: 'base64', key: (s) => Buffer.from(s, 'hex'), otherSecret: other, headers: { protocol: 'HmacSHA256' }, body: event('Fake holder'), intl: event(text) });
  await v.accept('hex key in lower case', 'the key is hex', k.req(k.body, k.good, { secret: v.secret.toLowerCase() }));
  await v.reject('key used as text, not hex-decoded', 'the key is hex', k.req(k.body, enc.base64(hmac('sha256', v.secret, k.body))));
  v.write(out);
}
{ // GoCardless
  const v = new Vectors('gocardless', { source: 'sdk:npm:gocardless-nodejs@10.1.2', secret: 'FAKE-gocardless-endpoint-secret',
    judge: (r) => { gocardless.verifySignature(r.body, r.secret, r.headers['webhook-signature']); return true; } });
  const event = (d) => ({ events: [{ id: 'EV00FAKE1', created_at: '2023-11-14T22:13:20.000Z', resource_type: 'payments', action: 'confirmed', links: { payment: 'PM00FAKE1' },
    details: { origin: 'gocardless', cause: 'payment_confirmed', description: d } }], meta: { webhook_id: 'WB00FAKE1' } });
  const k = await bodyHmac(v, { header: 'webhook-signature', body: event('Paid'), intl: event(text) });
  await v.reject('right signature, then letters that are no hex', 'hex is decoded strictly', k.req(k.body, k.good + 'zz', { note: 'Node\'s hex decoder stops at the first bad digit; the gateway refuses it' }));
  await v.reject('Standard Webhooks value in the same header', 'another scheme uses this header name', k.req(k.body, 'v1,' + enc.base64(k.mac(k.body))));
  v.write(out);
}
{ // Onfido
  const v = new Vectors('onfido', { source: 'sdk:npm:@onfido/api@6.2.0', secret: 'FAKEonfidoWebhookToken00000000001',
    judge: (r) => Boolean(new WebhookEventVerifier(r.secret).readPayload(r.body, r.headers['x-sha2-signature'])) });
  const event = (n) => ({ payload: { resource_type: 'check', action: 'check.completed', object: { id: 'fake0000-0000-0000-0000-000000000001', status: 'complete', completed_at_iso8601: '2023-11-14T22:13:20Z', href: 'https://api.eu.onfido.com/v3.6/checks/fake', applicant: n } } });
  const k = await bodyHmac(v, { header: 'x-sha2-signature', body: event('Jane'), intl: event(text) });
  await v.reject('right signature, then letters that are no hex', 'hex is decoded strictly', k.req(k.body, k.good + 'zz', { note: 'Node\'s hex decoder stops at the first bad digit; the gateway refuses it' }));
  v.write(out);
}
{ // EasyPost: the key is NFKD-normalised text
  const client = new EasyPost('FAKE_api_key');
  const v = new Vectors('easypost', { source: 'sdk:npm:@easypost/api@8.9.0', secret: 'FAKE-easypost-sécret',
    judge: (r) => Boolean(client.Utils ? client.Utils.validateWebhook(r.body, r.headers, r.secret) : EasyPost.Utils.prototype.validateWebhook(r.body, r.headers, r.secret)) });
  const event = (d) => ({ id: 'evt_fake0001', object: 'Event', mode: 'test', description: d, status: 'pending', result: { id: 'trk_fake1', object: 'Tracker', status: 'delivered', weight: null }, created_at: '2023-11-14T22:13:20Z' });
  const p = { header: 'x-hmac-signature', prefix: 'hmac-sha256-hex=', key: (s) => Buffer.from(s.normalize('NFKD')), body: event('tracker.updated'), intl: event(text), other: 'x-hub-signature-256' };
  const k = await bodyHmac(v, p);
  for (const [what, secret] of [['a decomposed accent', 'FAKE-easypost-se\u0301cret'], ['compatibility letters (ligature, circled digit)', 'FAKE-\ufb01ne-\u2460']])
    await v.accept(`secret with ${what}`, 'the secret is NFKD-normalised', k.req(k.body, k.sign(k.body, secret), { secret }));
  await v.reject('secret not normalised before signing', 'the secret is NFKD-normalised', k.req(k.body, 'hmac-sha256-hex=' + enc.hex(hmac('sha256', 'FAKE-easypost-s\u00e9cret', k.body)), { secret: 'FAKE-easypost-s\u00e9cret' }));
  const w = Buffer.from('{"id":"evt_fake0002","object":"Event","result":{"parcel":{"weight": 10.0}}}'), i = Buffer.from(String(w).replace('10.0', '10'));
  await v.accept('weight with a decimal point, as EasyPost sends it', 'the raw bytes are signed', k.req(w, k.sign(w)));
  await v.accept('whole weight, raw bytes signed', 'the raw bytes are signed', k.req(i, k.sign(i), { tags: ['policy:weight'], note: 'the SDK rewrites "weight": 10 to 10.0 before hashing; the gateway hashes what arrived' }));
  await v.reject('weight lost its decimal point on the way', 'the raw bytes are signed', k.req(i, k.sign(w), { tags: ['policy:weight'], note: 'the SDK rewrites "weight": 10 to 10.0 before hashing; the gateway hashes what arrived' }));
  v.write(out);
}
{ // HubSpot v1: a plain hash over secret and body
  const v = new Vectors('hubspot-v1', { source: 'sdk:npm:@hubspot/api-client@13.5.0', secret: 'fake0000-0000-4000-8000-hubspotv1000',
    judge: (r) => Signature.isValid({ signatureVersion: 'v1', signature: r.headers['x-hubspot-signature'], clientSecret: r.secret, requestBody: r.body.toString() }) });
  const event = (n) => [{ eventId: 100, subscriptionId: 12345, portalId: 62515, appId: 11111, occurredAt: NOW * 1000, subscriptionType: 'contact.propertyChange', attemptNumber: 0, objectId: 123, propertyName: 'firstname', propertyValue: n }];
  const k = await bodyHmac(v, { isText: true, header: 'x-hubspot-signature', headers: { 'x-hubspot-signature-version': 'v1' }, other: 'x-hubspot-signature-v3',
    sum: (s, b, alg) => (alg === 'sha256' ? sha256(s, b) : hmac('sha256', s, b)), body: event('Jane'), intl: event(text) });
  await v.reject('secret behind the body instead of before it', 'wrong order', k.req(k.body, enc.hex(sha256(k.body, v.secret))));
  await v.reject('hash of the body without the secret', 'no secret', k.req(k.body, enc.hex(sha256(k.body))));
  v.write(out);
}

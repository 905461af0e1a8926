// Providers without an SDK to judge: made after their documentation, and its published examples where there are any.
import assert from 'node:assert';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { Vectors, bodyHmac, stampedHmac, json, form, flip, hmac, sha256, enc, out, NOW, URL_BASE, NON_UTF8 } from './lib.mjs';

const text = 'Zoë ordered 2× crème brûlée — 東京 🚀';

// ---- one HMAC of the body in one header
const BODY = [
  { name: 'bitbucket', source: 'docs:support.atlassian.com bitbucket-cloud manage-webhooks', secret: 'FAKEbitbucketSecret01', header: 'x-hub-signature', prefix: 'sha256=', headers: { 'x-event-key': 'repo:push', 'x-request-uuid': 'fake0000-0001' },
    event: (t) => ({ push: { changes: [] }, repository: { full_name: 'fake/repo', description: t }, actor: { display_name: 'Fake' } }) },
  { name: 'jira', source: 'docs:developer.atlassian.com cloud/jira/platform/webhooks', secret: 'FAKEjiraSecret01', header: 'x-hub-signature', prefix: 'sha256=', headers: { 'x-atlassian-webhook-identifier': 'fake0000-0001' },
    event: (t) => ({ timestamp: NOW * 1000, webhookEvent: 'jira:issue_updated', issue: { id: '99291', key: 'FAKE-1', fields: { summary: t } } }) },
  { name: 'lemonsqueezy', source: 'docs:docs.lemonsqueezy.com help/webhooks/signing-requests (page not re-read)', secret: 'FAKElemonsqueezySecret', header: 'x-signature', headers: { 'x-event-name': 'order_created' },
    event: (t) => ({ meta: { event_name: 'order_created', custom_data: { note: t } }, data: { type: 'orders', id: '1' } }) },
  { name: 'typeform', source: 'docs:typeform.com developers/webhooks/secure-your-webhooks', secret: 'FAKEtypeformSecret', header: 'typeform-signature', prefix: 'sha256=', encoding: 'base64',
    event: (t) => ({ event_id: '01FAKE', event_type: 'form_response', form_response: { form_id: 'fake', answers: [{ type: 'text', text: t }] } }) },
  { name: 'dropbox', source: 'docs:dropbox.com developers/reference/webhooks', secret: 'fakedropboxapp1', header: 'x-dropbox-signature',
    event: (t) => ({ list_folder: { accounts: ['dbid:FAKE-' + t] }, delta: { users: [12345678] } }) },
  { name: 'intercom', source: 'docs:developers.intercom.com docs/webhooks', secret: 'fake0000-0000-4000-8000-intercom0000', header: 'x-hub-signature', prefix: 'sha1=', alg: 'sha1',
    event: (t) => ({ type: 'notification_event', app_id: 'fake', data: { type: 'notification_event_data', item: { type: 'contact', name: t } }, topic: 'contact.created', id: 'notif_fake01', created_at: NOW }) },
  { name: 'vercel', source: 'docs:vercel.com docs/webhooks/webhooks-api (page not re-read)', secret: 'FAKEvercelSecret0000001', header: 'x-vercel-signature', alg: 'sha1',
    event: (t) => ({ id: 'fake01', type: 'deployment.created', createdAt: NOW * 1000, region: 'sfo1', payload: { team: { id: 'team_fake' }, name: t } }) },
  { name: 'xero', source: 'docs:developer.xero.com documentation/guides/webhooks (page not re-read)', secret: 'FAKExeroWebhookKey00000000000000000000000000000000000000000000000000000000000000000000==', header: 'x-xero-signature', encoding: 'base64',
    event: (t) => ({ events: [{ resourceUrl: 'https://api.xero.com/api.xro/2.0/Contacts/fake', eventCategory: 'CONTACT', eventType: 'UPDATE', tenantId: t }], firstEventSequence: 1, lastEventSequence: 1, entropy: 'FAKEENTROPY' }) },
  { name: 'sentry', source: 'docs:docs.sentry.io integration-platform/webhooks', secret: 'fakesentryclientsecret0000000000000000000000000000000000000000001', header: 'sentry-hook-signature', headers: { 'sentry-hook-resource': 'issue', 'sentry-hook-timestamp': String(NOW), 'request-id': 'fake01' },
    event: (t) => ({ action: 'created', installation: { uuid: 'fake' }, data: { issue: { id: '1', title: t } }, actor: { type: 'application', id: 'sentry', name: 'Sentry' } }) },
  { name: 'paystack', source: 'docs:paystack.com docs/payments/webhooks (page not re-read)', secret: 'sk_test_FAKE000000000000000000000000000000001', header: 'x-paystack-signature', alg: 'sha512',
    event: (t) => ({ event: 'charge.success', data: { id: 1, domain: 'test', status: 'success', reference: 'fake', amount: 10000, metadata: t } }) },
  { name: 'nylas', source: 'docs:developer.nylas.com docs/v3/notifications (page not re-read)', secret: 'fakenylaswebhooksecret01', header: 'x-nylas-signature',
    event: (t) => ({ specversion: '1.0', type: 'message.created', source: '/google/emails/realtime', id: 'fake01', time: NOW, data: { object: { subject: t, grant_id: 'fake' } } }) },
  { name: 'asana', source: 'docs:developers.asana.com docs/webhooks-guide (page not re-read)', secret: 'fakeasanahooksecret000000000000001', header: 'x-hook-signature',
    event: (t) => ({ events: [{ user: { gid: '1' }, action: 'changed', resource: { gid: '2', resource_type: 'task', name: t } }] }) },
  { name: 'heroku', source: 'docs:devcenter.heroku.com articles/app-webhooks (page not re-read)', secret: 'FAKEherokuwebhooksecret', header: 'heroku-webhook-hmac-sha256', encoding: 'base64',
    event: (t) => ({ id: 'fake01', action: 'create', resource: 'build', data: { app: { name: t } }, version: 'application/vnd.heroku+json; version=3' }) },
  { name: 'ably', source: 'docs:ably.com docs/platform/integrations/webhooks (page not re-read)', secret: 'FAKEablykeysecret00000001', header: 'x-ably-signature', encoding: 'base64', headers: { 'x-ably-key': 'fakeapp.fakekey', 'x-ably-version': '1.2' },
    event: (t) => ({ items: [{ webhookId: 'fake', source: 'channel.message', timestamp: NOW * 1000, serial: 'a:1', data: { channelId: 'x', messages: [{ data: t }] } }] }) },
  { name: 'airtable', source: 'docs:airtable.com developers/web/api/webhooks-overview (page not re-read)', secret: Buffer.from('FAKE airtable mac secret 0000001').toString('base64'), otherSecret: Buffer.from('another airtable mac secret 00001').toString('base64'),
    header: 'x-airtable-content-mac', prefix: 'hmac-sha256=', key: (s) => Buffer.from(s, 'base64'),
    event: (t) => ({ base: { id: 'appFAKE' }, webhook: { id: 'achFAKE' }, timestamp: '2023-11-14T22:13:20.000Z', note: t }) },
  { name: 'docusign', source: 'docs:developers.docusign.com platform/webhooks/connect/hmac', secret: 'FAKEdocusignHmacKey0000001=', header: 'x-docusign-signature-1', encoding: 'base64',
    event: (t) => ({ event: 'envelope-completed', apiVersion: 'v2.1', data: { envelopeId: 'fake0000-0001', envelopeSummary: { emailSubject: t } } }) },
  { name: 'linkedin', source: 'docs:learn.microsoft.com linkedin/shared/api-guide/webhook-validation', secret: 'FAKElinkedinClientSecret', header: 'x-li-signature', message: (b) => ['hmacsha256=', b],
    event: (t) => ({ type: 'ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS', notifications: [{ notificationId: 1, comment: t }] }) },
  { name: 'pagerduty', source: 'docs:docs.pagerduty.com developer/verifying-webhook-signatures', secret: 'FAKEpagerdutySecret000000000000000000000000000000000000000000001', header: 'x-pagerduty-signature', prefix: 'v1=',
    event: (t) => ({ event: { id: '01FAKE', event_type: 'incident.triggered', resource_type: 'incident', occurred_at: '2023-11-14T22:13:20Z', data: { id: 'FAKE', title: t } } }) },
  { name: 'circleci', source: 'docs:circleci.com docs/webhooks', secret: 'FAKEcircleciSecret', header: 'circleci-signature', prefix: 'v1=', headers: { 'circleci-event-type': 'workflow-completed' },
    event: (t) => ({ type: 'workflow-completed', id: 'fake01', happened_at: '2023-11-14T22:13:20Z', workflow: { name: t, status: 'success' } }) },
];

const PUBLISHED = JSON.parse(fs.readFileSync(new URL('published.json', import.meta.url)));

const EXTRA = {
  bitbucket: hubExample, jira: hubExample,
  linkedin: async (v, k) => v.reject('bare body signed', 'the signed text begins with hmacsha256=', k.req(k.body, enc.hex(hmac('sha256', v.secret, k.body)))),
  airtable: async (v, k) => v.reject('key used as text, not base64-decoded', 'the key is base64', k.req(k.body, 'hmac-sha256=' + enc.hex(hmac('sha256', v.secret, k.body)))),
  vercel: async (v, k) => v.reject('sha1= put before the digits', 'there is no prefix', k.req(k.body, 'sha1=' + k.good)),
  sentry: async (v, k) => v.accept('timestamp header changed', 'sentry-hook-timestamp is not signed', { ...k.req(k.body, k.good), headers: { ...k.req(k.body, k.good).headers, 'sentry-hook-timestamp': '1' } }),
  docusign: async (v, k) => {
    const wrong = enc.base64(Buffer.alloc(32, 9)), r = (h) => ({ body: k.body, headers: { 'content-type': 'application/json', ...h } });
    await v.accept('several keys: the second header right', 'any of the numbered headers may match', r({ 'x-docusign-signature-1': wrong, 'x-docusign-signature-2': k.good }));
    await v.accept('several keys: only header number 2 sent', 'any of the numbered headers may match', r({ 'x-docusign-signature-2': k.good }));
    await v.accept('header number 100', 'numbers go up to 100', r({ 'x-docusign-signature-1': wrong, 'x-docusign-signature-100': k.good }));
    await v.reject('several wrong signatures', 'none matches', r({ 'x-docusign-signature-1': wrong, 'x-docusign-signature-2': wrong }));
  },
  pagerduty: async (v, k) => {
    const p = PUBLISHED.pagerduty, r = (sig) => k.req(k.body, sig);
    assert.equal('v1=' + enc.hex(hmac('sha256', p.secret, p.body)), p.signature);
    await v.accept('published example of the official Go SDK\'s tests', 'published signature', { ...k.req(p.body, p.signature), secret: p.secret, source: p.source });
    await v.reject('mismatch of the official Go SDK\'s tests', 'published wrong signature', { ...k.req(p.body, p.mismatch), secret: p.secret, source: p.source });
    await v.accept('two v1 signatures, the second one right', 'any v1 may match', r(`v1=${'0'.repeat(64)},${k.good}`));
    await v.accept('unknown version beside v1', 'unknown versions are skipped', r(`v2=${'0'.repeat(64)},${k.good}`));
    await v.reject('signature under v2 only', 'only v1 counts', r(k.good.replace('v1', 'v2')));
    await v.reject('two wrong signatures', 'none matches', r(`v1=${'0'.repeat(64)},v1=${'1'.repeat(64)}`));
  },
  circleci: async (v, k) => {
    for (const p of PUBLISHED.circleci) {
      assert.equal(enc.hex(hmac('sha256', p.secret, p.body)), p.signature);
      await v.accept(`published example of the documentation: "${p.body}"`, 'published signature', { ...k.req(p.body, 'v1=' + p.signature), secret: p.secret });
    }
    await v.accept('newer version beside v1', 'the versions that are not known are skipped', k.req(k.body, `${k.good},v2=${'0'.repeat(64)}`));
    await v.reject('signature under v2 only', 'only v1 is known', k.req(k.body, k.good.replace('v1', 'v2')));
    await v.reject('published signature with another secret', 'wrong secret', { ...k.req('hello world', 'v1=' + PUBLISHED.circleci[0].signature), secret: 'another-secret' });
  },
};
async function hubExample(v, k) {
  const p = PUBLISHED.hub;
  assert.equal(enc.hex(hmac('sha256', p.secret, p.body)), p.signature);
  await v.accept('published example of the documentation', 'published signature', { ...k.req(p.body, 'sha256=' + p.signature), secret: p.secret });
  await v.reject('sha1 signature in the same header', 'only sha256 is due', k.req(k.body, 'sha1=' + enc.hex(hmac('sha1', v.secret, k.body))));
}

for (const { name, source, secret, event, ...s } of BODY) {
  const v = new Vectors(name, { source, secret });
  const k = await bodyHmac(v, { ...s, body: event('plain text'), intl: event(text) });
  await EXTRA[name]?.(v, k);
  v.write(out);
}

// ---- timestamp and body
{
  const v = new Vectors('calendly', { source: 'docs:developer.calendly.com webhook-signatures', secret: 'FAKEcalendlySigningKey0000000000001' });
  const event = (n) => ({ created_at: '2023-11-14T22:13:20.000000Z', created_by: 'https://api.calendly.com/users/FAKE', event: 'invitee.created', payload: { name: n, email: 'fake@example.test' } });
  const k = await stampedHmac(v, { tol: 180, headers: (t, sig) => ({ 'calendly-webhook-signature': `t=${t},v1=${sig}` }), message: (t, b) => [t, '.', b], body: event('Jane'), intl: event(text) });
  const raw = (x) => ({ body: k.body, headers: { 'content-type': 'application/json', 'calendly-webhook-signature': x } });
  await v.accept('two v1 signatures, the second one right', 'any v1 may match', raw(`t=${NOW},v1=${'0'.repeat(64)},v1=${k.good}`));
  await v.reject('signature under v0', 'only v1 counts', raw(`t=${NOW},v0=${k.good}`));
  await v.reject('no timestamp in the header', 'malformed header', raw(`v1=${k.good}`));
  v.write(out);
}
{
  const v = new Vectors('zendesk', { source: 'docs:developer.zendesk.com documentation/webhooks/verifying', secret: 'dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==' });
  const event = (s) => ({ type: 'zen:event-type:ticket.created', account_id: 1, id: 'fake01', time: '2023-11-14T22:13:20Z', detail: { subject: s } });
  const head = (t, sig) => ({ 'x-zendesk-webhook-signature': sig, 'x-zendesk-webhook-signature-timestamp': t, 'x-zendesk-webhook-id': 'fake01' });
  const k = await stampedHmac(v, { unit: 'rfc3339', encoding: 'base64', headers: head, message: (t, b) => [t, b], body: event('Help'), intl: event(text) });
  await v.accept('GET without a body', 'the timestamp alone is signed', { ...k.req(k.t0, '', k.e(hmac('sha256', v.secret, k.t0))), method: 'GET' });
  await v.accept('four minutes old', 'no window is documented', k.at(-240, k.body, { tags: ['policy:tolerance'] }));
  await v.reject('secret base64-decoded', 'the secret looks like base64 but is text', k.req(k.t0, k.body, enc.base64(hmac('sha256', Buffer.from(v.secret, 'base64'), k.t0, k.body))));
  const p = PUBLISHED.zendeskOld;
  assert.equal(enc.base64(hmac('sha256', p.secret, p.body, p.timestamp)), p.signature);
  await v.reject('body before the timestamp', 'the documentation says timestamp, then body', k.req(k.t0, k.body, enc.base64(hmac('sha256', v.secret, k.body, k.t0))));
  await v.reject('example of an older revision of the documentation', 'it signed body, then timestamp; the documentation has been corrected', { ...k.req(p.timestamp, p.body, p.signature), secret: p.secret, now: p.now, tags: ['policy:old-documentation'] });
  v.write(out);
}
{
  const v = new Vectors('customerio', { source: 'docs:customer.io docs/journeys/webhooks (page not re-read)', secret: 'fakecustomeriosigningkey000000000000000000000000000000000000001' });
  const event = (s) => ({ event_id: '01FAKE', object_type: 'email', metric: 'opened', timestamp: NOW, data: { customer_id: '1', subject: s } });
  const k = await stampedHmac(v, { tol: 300, tolTag: 'policy:tolerance', headers: (t, sig) => ({ 'x-cio-timestamp': t, 'x-cio-signature': sig }), message: (t, b) => ['v0:', t, ':', b], body: event('Hello'), intl: event(text) });
  await v.reject('missing timestamp', 'missing header', { body: k.body, headers: { 'x-cio-signature': k.good } });
  await v.reject('missing signature', 'missing header', { body: k.body, headers: { 'x-cio-timestamp': k.t0 } });
  await v.reject('v1 instead of v0 in the signed text', 'the version is part of the signed text', k.req(k.t0, k.body, enc.hex(hmac('sha256', v.secret, 'v1:', k.t0, ':', k.body))));
  v.write(out);
}
{
  const v = new Vectors('front', { source: 'docs:dev.frontapp.com docs/webhooks (application webhooks)', secret: 'fakefrontapplicationsecret00001' });
  const event = (s) => ({ authorization: { id: 'cmp_fake' }, type: 'inbound_received', payload: { id: 'evt_fake', conversation: { subject: s } } });
  const k = await stampedHmac(v, { unit: 'ms', tol: 300, tolTag: 'policy:tolerance', encoding: 'base64', headers: (t, sig) => ({ 'x-front-request-timestamp': t, 'x-front-signature': sig }), message: (t, b) => [t, ':', b], body: event('Hello'), intl: event(text) });
  await v.reject('missing timestamp', 'missing header', { body: k.body, headers: { 'x-front-signature': k.good } });
  await v.reject('missing signature', 'missing header', { body: k.body, headers: { 'x-front-request-timestamp': k.t0 } });
  await v.reject('rule webhook: SHA-1 over the body alone', 'an older kind of webhook with the same header name', { body: k.body, headers: { 'x-front-signature': enc.base64(hmac('sha1', v.secret, k.body)) } });
  v.write(out);
}
{
  const v = new Vectors('recurly', { source: 'docs:docs.recurly.com signature-verification', secret: '354fab5bd35f5a0d50845ee7e30165244468b13c2c343f104e4e730a59326d9d' });
  const event = (s) => ({ id: 'fake01', object_type: 'account', site_id: 'fake', event_type: 'created', event_time: '2023-11-14T22:13:20Z', account_code: s });
  const k = await stampedHmac(v, { unit: 'ms', tol: 300, headers: (t, sig) => ({ 'recurly-signature': `${t},${sig}` }), message: (t, b) => [t, '.', b], body: event('a-1'), intl: event(text) });
  const p = PUBLISHED.recurly, raw = (x, more) => ({ body: k.body, headers: { 'content-type': 'application/json', 'recurly-signature': x }, ...more });
  assert.equal(enc.hex(hmac('sha256', p.secret, p.timestamp, '.', p.body)), p.signature);
  const pub = { body: p.body, secret: p.secret, source: p.source };
  await v.accept('published example of the official Ruby SDK\'s tests', 'published signature', raw(`${p.timestamp},${p.signature}`, { ...pub, now: p.now }));
  await v.reject('published example, today', 'the official SDK allows five minutes', raw(`${p.timestamp},${p.signature}`, pub));
  await v.accept('short wrong signature before the right one', 'any may match', raw(`${k.t0},de1ec7ab1e,${k.good}`));
  await v.accept('two signatures, the second one right', 'any may match', raw(`${k.t0},${'0'.repeat(64)},${k.good}`));
  await v.reject('timestamp is no number', 'malformed header', raw(`abc,${k.good}`));
  await v.reject('timestamp without a signature', 'malformed header', raw(`${k.t0},`));
  await v.reject('signature without a timestamp', 'malformed header', raw(k.good));
  v.write(out);
}

// ---- schemes of their own
{
  const url = URL_BASE + 'trello?board=1';
  const v = new Vectors('trello', { source: 'docs:developer.atlassian.com cloud/trello/guides/rest-api/webhooks', secret: 'faketrellooauthsecret00000000000000000000000000000000000000000001' });
  const event = (n) => json({ action: { id: 'fake01', type: 'updateCard', data: { card: { name: n } } }, model: { id: 'fake02' } }), body = event('Card');
  const sign = (b, u = url, s = v.secret, alg = 'sha1') => enc.base64(hmac(alg, s, b, u));
  const req = (b, s, more) => ({ url, body: b, headers: { 'content-type': 'application/json', 'x-trello-webhook': s }, ...more });
  await v.accept('valid', 'HMAC-SHA1 over body + callback URL', req(body, sign(body)));
  await v.accept('valid, non-ASCII text', 'signature matches', req(event(text), sign(event(text))));
  await v.accept('body that is not UTF-8, rightly signed', 'bytes are signed, not text', req(NON_UTF8, sign(NON_UTF8), { tags: ['bytes'] }));
  await v.accept('empty body, rightly signed', 'the URL alone', req('', sign(''), { tags: ['policy:empty-body'] }));
  await v.accept('rotation: two configured secrets, the second one matches', 'any configured secret may match', req(body, sign(body), { secrets: ['other', v.secret], tags: ['rotation'] }));
  await v.reject('tampered body', 'signature mismatch', req(flip(body), sign(body)));
  await v.reject('received under another URL', 'the callback URL is signed', req(body, sign(body), { url: url + '2' }));
  await v.reject('query dropped', 'the callback URL is signed with its query', req(body, sign(body, URL_BASE + 'trello')));
  await v.reject('body alone signed', 'the callback URL is missing', req(body, sign(body, '')));
  await v.reject('URL before the body', 'wrong order', req(body, enc.base64(hmac('sha1', v.secret, url, body))));
  await v.reject('wrong secret', 'signed with another secret', req(body, sign(body, url, 'other')));
  await v.reject('SHA-256', 'wrong algorithm', req(body, sign(body, url, v.secret, 'sha256')));
  await v.reject('hex instead of base64', 'wrong encoding', req(body, Buffer.from(sign(body), 'base64').toString('hex')));
  await v.reject('missing header', 'missing header', req(body, undefined));
  await v.reject('garbage', 'malformed header', req(body, '!!not base64!!'));
  v.write(out);
}
{
  const url = 'https://user:pass@hooks.example.test/in/mandrill?list=1';
  const v = new Vectors('mandrill', { source: 'docs:mailchimp.com developer/transactional/guides/track-respond-activity-webhooks (page not re-read)', secret: 'FAKEmandrillWebhookKey' });
  const sign = (pairs, u = url, s = v.secret, alg = 'sha1') => enc.base64(hmac(alg, s, u + [...pairs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([a, b]) => a + b).join('')));
  const req = (pairs, s, more) => ({ url, body: form(pairs), headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-mandrill-signature': s }, config: { public_url: url }, ...more });
  const events = (s) => [['mandrill_events', JSON.stringify([{ event: 'send', _id: 'fake01', ts: NOW, msg: { subject: s, email: 'a+b@example.test' } }])]], e = events('Hello & welcome = 100%');
  await v.accept('valid', 'HMAC-SHA1 over URL + name + value', req(e, sign(e)));
  await v.accept('valid, non-ASCII text', 'decoded values are signed', req(events(text), sign(events(text))));
  await v.accept('several fields, sent unsorted', 'names are sorted', req([['z', '1'], ...e, ['a', '2']], sign([['z', '1'], ...e, ['a', '2']])));
  await v.accept('empty batch (test request)', 'signature matches', req([['mandrill_events', '[]']], sign([['mandrill_events', '[]']])));
  await v.accept('URL without credentials', 'signature matches', req(e, sign(e, URL_BASE + 'mandrill'), { url: URL_BASE + 'mandrill', config: { public_url: URL_BASE + 'mandrill' } }));
  await v.accept('rotation: two configured secrets, the second one matches', 'any configured secret may match', req(e, sign(e), { secrets: ['other', v.secret], tags: ['rotation'] }));
  await v.reject('tampered value', 'signature mismatch', req(events('Hello & welcome = 10%'), sign(e)));
  await v.reject('field added', 'signature mismatch', req([...e, ['x', '1']], sign(e)));
  await v.reject('signed for another URL', 'the URL is signed', req(e, sign(e, url + '2')));
  await v.reject('credentials missing from the signed URL', 'the URL is signed as it was registered', req(e, sign(e, url.replace('user:pass@', ''))));
  await v.reject('raw body signed', 'the decoded fields are signed', req(e, enc.base64(hmac('sha1', v.secret, url, form(e)))));
  await v.reject('wrong secret', 'signed with another key', req(e, sign(e, url, 'other')));
  await v.reject('SHA-256', 'wrong algorithm', req(e, sign(e, url, v.secret, 'sha256')));
  await v.reject('missing header', 'missing header', req(e, undefined));
  await v.reject('garbage', 'malformed header', req(e, '!!not base64!!'));
  v.write(out);
}
{
  const v = new Vectors('netlify', { source: 'docs:docs.netlify.com site-deploys/notifications payload-signature (page not re-read)', secret: 'FAKEnetlifyJwsSecret' });
  const event = (s) => json({ id: 'fake01', state: 'ready', name: 'fake-site', title: s }), body = event('Deploy');
  const claims = (b) => ({ iss: 'netlify', sha256: enc.hex(sha256(b)) });
  const jws = (c, { alg = 'HS256', secret = v.secret, head } = {}) => { const p = [head ?? { alg, typ: 'JWT' }, c].map((x) => json(x).toString('base64url')).join('.'); return p + '.' + (alg === 'none' ? '' : hmac('sha' + alg.slice(2), secret, p).toString('base64url')); };
  const req = (b, s, more) => ({ body: b, headers: { 'content-type': 'application/json', 'x-netlify-event': 'deploy_created', 'x-webhook-signature': s }, ...more });
  await v.accept('valid', 'HS256, issuer netlify, hash of the body', req(body, jws(claims(body))));
  await v.accept('valid, non-ASCII text', 'hash matches', req(event(text), jws(claims(event(text)))));
  await v.accept('body that is not UTF-8, rightly hashed', 'bytes are hashed, not text', req(NON_UTF8, jws(claims(NON_UTF8)), { tags: ['bytes'] }));
  await v.accept('header without typ', 'typ is optional', req(body, jws(claims(body), { head: { alg: 'HS256' } })));
  await v.accept('rotation: two configured secrets, the second one matches', 'any configured secret may match', req(body, jws(claims(body)), { secrets: ['other', v.secret], tags: ['rotation'] }));
  await v.reject('tampered body', 'hash mismatch', req(flip(body), jws(claims(body))));
  await v.reject('wrong secret', 'signed with another secret', req(body, jws(claims(body), { secret: 'other' })));
  await v.reject('another issuer', 'iss must be netlify', req(body, jws({ ...claims(body), iss: 'other' })));
  await v.reject('no issuer', 'iss must be netlify', req(body, jws({ sha256: claims(body).sha256 })));
  await v.reject('no hash', 'the body must be bound', req(body, jws({ iss: 'netlify' })));
  await v.reject('alg none', 'unsigned token', req(body, jws(claims(body), { alg: 'none', head: { alg: 'none' } })));
  await v.reject('HS512', 'only HS256', req(body, jws(claims(body), { alg: 'HS512' })));
  await v.reject('claims swapped under an old signature', 'signature mismatch', req(body, (() => { const [h, , s] = jws(claims('x')).split('.'); return [h, json(claims(body)).toString('base64url'), s].join('.'); })()));
  await v.reject('two parts only', 'malformed token', req(body, jws(claims(body)).split('.').slice(0, 2).join('.')));
  await v.reject('garbage', 'malformed token', req(body, 'not a token'));
  await v.reject('missing header', 'missing header', req(body, undefined));
  await v.reject('bare HMAC instead of a token', 'malformed token', req(body, enc.hex(hmac('sha256', v.secret, body))));
  v.write(out);
}
{
  const key = crypto.createPrivateKey(fs.readFileSync(new URL('test-rsa-key.pem', import.meta.url))), pem = crypto.createPublicKey(key).export({ format: 'pem', type: 'spki' });
  const v = new Vectors('paddle-classic', { source: 'docs:classic.paddle.com webhooks/verifying-webhooks', secret: pem });
  const s = (x) => `s:${Buffer.byteLength(x)}:"${x}";`;
  const serialize = (f) => { const k = Object.keys(f).sort(); return `a:${k.length}:{${k.map((n) => s(n) + s(f[n])).join('')}}`; };
  const sign = (f, alg = 'sha1') => crypto.sign(alg, Buffer.from(serialize(f)), key).toString('base64');
  const req = (f, sig, more) => ({ body: form([...Object.entries(f), ...(sig === undefined ? [] : [['p_signature', sig]])]), headers: { 'content-type': 'application/x-www-form-urlencoded' }, ...more });
  const f = { alert_name: 'subscription_created', alert_id: '1234567', cancel_url: 'https://checkout.example.test/cancel?user=4&x=1', checkout_id: '3-fake', currency: 'EUR', email: 'a+b@example.test', event_time: '2023-11-14 22:13:20', marketing_consent: '', passthrough: '{"a": "b;c:\\"d\\""}', quantity: '1', status: 'active' };
  await v.accept('valid', 'RSA over the PHP-serialised sorted fields', req(f, sign(f)));
  await v.accept('fields sent in another order', 'fields are sorted', req(Object.fromEntries(Object.entries(f).reverse()), sign(f)));
  const intl = { ...f, customer_name: text }; await v.accept('non-ASCII value', 'PHP counts bytes, not characters', req(intl, sign(intl)));
  await v.accept('p_signature first', 'the signature\'s place does not matter', { ...req(f, undefined), body: form([['p_signature', sign(f)], ...Object.entries(f)]) });
  const one = { alert_name: 'x' }; await v.accept('one field', 'signature matches', req(one, sign(one)));
  await v.reject('tampered value', 'signature mismatch', req({ ...f, quantity: '2' }, sign(f)));
  await v.reject('field added', 'signature mismatch', req({ ...f, extra: '1' }, sign(f)));
  await v.reject('field removed', 'signature mismatch', (() => { const { email, ...g } = f; return req(g, sign(f)); })());
  await v.reject('fields not sorted before signing', 'wrong order', req(f, crypto.sign('sha1', Buffer.from(`a:2:{${s('b') + s('1') + s('a') + s('2')}}`), key).toString('base64')));
  await v.reject('characters counted instead of bytes', 'PHP counts bytes', req(intl, crypto.sign('sha1', Buffer.from(serialize(intl).replace(`s:${Buffer.byteLength(text)}:`, `s:${text.length}:`)), key).toString('base64')));
  await v.reject('SHA-256', 'wrong algorithm', req(f, sign(f, 'sha256')));
  await v.reject('another public key', 'wrong key', req(f, sign(f), { secret: PUBLISHED.otherRsaPublicKey }));
  await v.reject('missing p_signature', 'missing field', req(f, undefined));
  await v.reject('empty p_signature', 'malformed field', req(f, ''));
  await v.reject('garbage p_signature', 'malformed field', req(f, '!!not base64!!'));
  await v.reject('HMAC under the public key', 'a public key is never an HMAC key', req(f, enc.base64(hmac('sha1', pem, serialize(f)))));
  v.write(out);
}

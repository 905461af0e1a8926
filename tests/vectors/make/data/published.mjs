// Stripe, GitHub, Shopify and Slack: recorded with their SDKs, too; here is what those
// recordings leave out.

import { plain } from '../lib/secrets.mjs';

const three = (begin) => ['one', 'two', 'stranger'].map((end) => plain(`${begin}-${end}`));

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const form = (field, document) => Buffer.from(`a=1&${field}=${encodeURIComponent(JSON.stringify(document))}`);

const DELIVERY = '72d3162e-cc78-11e3-81ab-4c9367dc0958';
const SHOPIFY = { id: 'b54557e4-bdd9-4b37-8a5f-bf7d70bcd043', type: 'orders/create' };

export const published = [
  {
    name: 'github',
    header: 'x-hub-signature-256',
    prefix: 'sha256=',
    signed: ({ body }) => [body],
    secrets: three('FAKE-github'),
    headers: { 'x-github-delivery': DELIVERY, 'x-github-event': 'issues', 'x-github-hook-id': '292430182' },
    body: { action: 'opened', issue: { number: 1347, title: 'Found a bug' }, repository: { full_name: 'octocat/Hello-World' } },
    id: DELIVERY,
    type: 'issues.opened',
    bare: { id: DELIVERY, type: 'issues' },
    idHeader: 'x-github-delivery',
    more: (cases) => {
      const named = (type) => ({ id: DELIVERY, type });
      const push = { headers: { 'x-github-event': 'push' }, body: Buffer.from('{"ref":"refs/heads/main"}') };
      cases.accept('an event without an action', 'its type is the header alone', push, named('push'));
      const forms = { headers: FORM, body: form('payload', { action: 'closed' }) };
      cases.accept('a form, whose field payload is the document', 'GitHub sends either', forms, named('issues.closed'));
      const other = { headers: FORM, body: form('document', { action: 'closed' }) };
      cases.accept('a form without that field', 'its type is the header alone', other, named('issues'));
      cases.reject('only the old signature with SHA-1', 'SHA-256 is due', { algorithm: 'sha1', header: 'x-hub-signature', prefix: 'sha1=' });
    },
  },
  {
    name: 'shopify',
    header: 'x-shopify-hmac-sha256',
    encoding: 'base64',
    signed: ({ body }) => [body],
    secrets: three('FAKE-shopify'),
    headers: { 'x-shopify-topic': SHOPIFY.type, 'x-shopify-webhook-id': SHOPIFY.id, 'x-shopify-event-id': 'e-1', 'x-shopify-triggered-at': '2020-01-01T00:00:00Z' },
    body: { id: 820982911946154508, email: 'jon@example.test', currency: 'USD', total_price: '409.94' },
    ...SHOPIFY,
    bare: SHOPIFY,
    idHeader: 'x-shopify-webhook-id',
    more: (cases) => {
      const names = ['x-shopify-topic', 'x-shopify-webhook-id'];
      const headers = { 'shopify-topic': SHOPIFY.type, 'shopify-webhook-id': SHOPIFY.id };
      cases.accept('the newer names of all headers', 'newer events have them', { header: 'shopify-hmac-sha256', headers, without: names });
      cases.accept('the newer name of the signature alone', 'each header is found under either name', { header: 'shopify-hmac-sha256' });
      cases.accept('both names, and the newer says something else', 'the older name counts', {
        headers: { 'shopify-topic': 'orders/updated', 'shopify-webhook-id': 'w-2' },
      });
    },
  },
  {
    name: 'slack',
    header: 'x-slack-signature',
    prefix: 'v0=',
    timeHeader: 'x-slack-request-timestamp',
    time: { unit: 's', tolerance: 300 },
    signed: ({ time, body }) => ['v0:', time, ':', body],
    secrets: three('FAKE-slack'),
    body: { token: 'fake', team_id: 'T123ABC456', api_app_id: 'A123ABC456', event: { type: 'app_mention', user: 'U123ABC456', text: 'Hi' }, type: 'event_callback', event_id: 'Ev123ABC456', event_time: 1700000000 },
    id: 'Ev123ABC456',
    type: 'app_mention',
    more: (cases) => {
      const limited = Buffer.from('{"type":"app_rate_limited","team_id":"T123ABC456","minute_rate_limited":1700000000}');
      cases.accept('an event without an inner one', 'its type is its own', { body: limited }, { type: 'app_rate_limited' });
      const press = { headers: FORM, body: form('payload', { type: 'block_actions', user: { id: 'U1' } }) };
      cases.accept('a form, whose field payload is the document', 'interactions are sent so', press, { type: 'block_actions' });
      const command = { headers: FORM, body: Buffer.from('token=fake&command=%2Fweather&text=94070') };
      cases.accept('a form without that field', 'commands are sent so', command, {});
    },
  },
  {
    name: 'stripe',
    header: 'stripe-signature',
    prefix: 'v1=',
    join: ',',
    stamp: (time) => `t=${time}`,
    time: { unit: 's', tolerance: 300 },
    signed: ({ time, body }) => [time, '.', body],
    // The prefix is part of the key.
    secrets: three('whsec_FAKE-stripe'),
    body: { id: 'evt_1NG8Du2eZvKYlo2CUI79vXWy', object: 'event', api_version: '2019-02-19', created: 1700000000, type: 'setup_intent.created', livemode: false },
    id: 'evt_1NG8Du2eZvKYlo2CUI79vXWy',
    type: 'setup_intent.created',
    more: (cases) => {
      const [own] = cases.provider.secrets;
      cases.reject('whsec_ is not part of the key', 'it is', { signer: plain(own.text.slice(6)) });
      cases.accept('v0 beside v1', 'v0 is skipped', { value: (good, time) => `t=${time},v1=${good},v0=0011` });
      cases.reject('only v0', 'v1 is due', { prefix: 'v0=' });
    },
  },
];

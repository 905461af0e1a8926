// Providers that sign the body and nothing else.

import { bytes, decoded, plain } from '../lib/secrets.mjs';

const signed = ({ body }) => [body];

const three = (begin) => ['one', 'two', 'stranger'].map((end) => plain(`${begin}-${end}`));

/** One that a test may take apart; `more` adds cases of its own. */
const provider = (name, header, rest) => ({ name, header, signed, secrets: three(`FAKE-${name}`), ...rest });

export const bodyOnly = [
  provider('bitbucket', 'x-hub-signature', {
    prefix: 'sha256=',
    headers: { 'x-event-key': 'repo:push', 'x-request-uuid': '1f2c7a6e-0d3b-4c52-9a3f-7b1f6ad9e001', 'x-attempt-number': '1' },
    body: { push: { changes: [{ new: { type: 'branch', name: 'main' } }] }, repository: { full_name: 'fake/repo' } },
    id: '1f2c7a6e-0d3b-4c52-9a3f-7b1f6ad9e001',
    type: 'repo:push',
    bare: { id: '1f2c7a6e-0d3b-4c52-9a3f-7b1f6ad9e001', type: 'repo:push' },
    idHeader: 'x-request-uuid',
  }),
  provider('jira', 'x-hub-signature', {
    prefix: 'sha256=',
    headers: { 'x-atlassian-webhook-identifier': 'FAKE-1.5a9c' },
    body: { timestamp: 1700000000000, webhookEvent: 'jira:issue_updated', issue: { id: '10002', key: 'FAKE-7' } },
    id: 'FAKE-1.5a9c',
    type: 'jira:issue_updated',
    bare: { id: 'FAKE-1.5a9c' },
    idHeader: 'x-atlassian-webhook-identifier',
  }),
  provider('adyen-platform', 'hmacsignature', {
    encoding: 'base64',
    headers: { protocol: 'HmacSHA256' },
    body: { data: { balancePlatform: 'FakePlatform', accountHolder: { id: 'AH00000000000000000000001' } }, environment: 'test', type: 'balancePlatform.accountHolder.created' },
    secrets: ['one', 'two', 'stranger'].map((seed) => decoded(bytes(seed).toString('hex').toUpperCase(), bytes(seed))),
    more: (cases) => {
      const [own] = cases.provider.secrets;
      cases.reject('the digits of the key are the key', 'the key is hexadecimal, decoded', { signer: plain(own.text) });
    },
  }),
  provider('lemonsqueezy', 'x-signature', {
    headers: { 'x-event-name': 'order_created' },
    body: { meta: { event_name: 'order_created', custom_data: { customer_id: 25 } }, data: { type: 'orders', id: '1' } },
    type: 'order_created',
    more: (cases) => {
      cases.accept('the header names another event', 'the body\'s name counts: the header is not signed', { after: { 'x-event-name': 'order_refunded' } });
    },
  }),
  provider('razorpay', 'x-razorpay-signature', {
    headers: { 'x-razorpay-event-id': 'evt_FAKE00000001' },
    body: { entity: 'event', account_id: 'acc_FAKE', event: 'payment.authorized', contains: ['payment'], payload: { payment: { entity: { id: 'pay_FAKE', amount: 100 } } }, created_at: 1700000000 },
    id: 'evt_FAKE00000001',
    type: 'payment.authorized',
    bare: { id: 'evt_FAKE00000001' },
    idHeader: 'x-razorpay-event-id',
  }),
  provider('meta', 'x-hub-signature-256', {
    prefix: 'sha256=',
    body: { object: 'whatsapp_business_account', entry: [{ id: '102290129340398', changes: [{ field: 'messages', value: { messages: [{ id: 'wamid.FAKE', text: { body: 'café' } }] } }] }] },
    type: 'whatsapp_business_account.messages',
    more: (cases) => {
      const escaped = Buffer.from('{"object":"page","entry":[{"id":"1","time":1700000000,"changes":[{"field":"feed","value":{"message":"caf\\u00e9"}}]}]}');
      cases.accept('a body with escapes, as Meta sends it', 'the bytes are signed', { body: escaped }, { type: 'page.feed' });
      const messaging = Buffer.from('{"object":"page","entry":[{"id":"1","messaging":[{"message":{"mid":"m_FAKE"}}]}]}');
      cases.accept('an entry without changes', 'its type is the object alone', { body: messaging }, { type: 'page' });
      cases.reject('only the old signature with SHA-1', 'SHA-256 is due', { algorithm: 'sha1', header: 'x-hub-signature', prefix: 'sha1=' });
    },
  }),
  provider('line', 'x-line-signature', {
    encoding: 'base64',
    body: {
      destination: 'U00000000000000000000000000000001',
      events: [
        { type: 'message', webhookEventId: '01H810YECXQQZ37VAXPF6H9E6T', deliveryContext: { isRedelivery: false }, message: { type: 'text', id: '1', text: 'Hi' } },
        { type: 'follow', webhookEventId: '01H810YECXQQZ37VAXPF6H9E6U', deliveryContext: { isRedelivery: false } },
      ],
    },
    id: '01H810YECXQQZ37VAXPF6H9E6T.01H810YECXQQZ37VAXPF6H9E6U',
    type: 'message',
    more: (cases) => {
      const one = Buffer.from('{"destination":"U1","events":[{"type":"unfollow","webhookEventId":"01H810YECXQQZ37VAXPF6H9E6V"}]}');
      cases.accept('one event', 'its id is that of the request', { body: one }, { id: '01H810YECXQQZ37VAXPF6H9E6V', type: 'unfollow' });
      cases.accept('no event: the button Verify', 'it is signed', { body: Buffer.from('{"destination":"U1","events":[]}') }, {});
    },
  }),
  provider('asana', 'x-hook-signature', {
    body: { events: [{ user: { gid: '12345', resource_type: 'user' }, created_at: '2023-11-14T22:13:20.000Z', action: 'changed', resource: { gid: '1337', resource_type: 'task' } }, { action: 'added' }] },
    type: 'changed',
    more: (cases) => {
      cases.accept('no events: the heartbeat', 'it is signed', { body: Buffer.from('{"events":[]}') }, {});
    },
  }),
  provider('notion', 'x-notion-signature', {
    prefix: 'sha256=',
    body: { id: '367cba44-b6f3-4c92-81e7-6a2e9659efd4', timestamp: '2023-11-14T22:13:20.000Z', type: 'page.content_updated', workspace_id: '13950b26-c203-4f3b-b97d-93ec06319565', attempt_number: 1 },
    id: '367cba44-b6f3-4c92-81e7-6a2e9659efd4',
    type: 'page.content_updated',
  }),
  provider('intercom', 'x-hub-signature', {
    algorithm: 'sha1',
    prefix: 'sha1=',
    body: { type: 'notification_event', app_id: 'fake', id: 'notif_FAKE-0001', topic: 'conversation.user.created', delivery_attempts: 1, data: { item: { type: 'conversation', id: '147' } } },
    id: 'notif_FAKE-0001',
    type: 'conversation.user.created',
  }),
  provider('dropbox', 'x-dropbox-signature', {
    body: { list_folder: { accounts: ['dbid:AAH4f99T0taONIb-FAKE'] }, delta: { users: [12345678] } },
  }),
  provider('typeform', 'typeform-signature', {
    encoding: 'base64',
    prefix: 'sha256=',
    body: { event_id: '01FAKEZ6TRXN0000000000000', event_type: 'form_response', form_response: { form_id: 'lT4Z3j', token: 'a3a12ec67a1365927098a606107fac15' } },
    id: '01FAKEZ6TRXN0000000000000',
    type: 'form_response',
  }),
  provider('vercel', 'x-vercel-signature', {
    algorithm: 'sha1',
    body: { id: 'evt_FAKE_deployment', type: 'deployment.created', createdAt: 1700000000000, payload: { project: { id: 'prj_FAKE' } } },
    id: 'evt_FAKE_deployment',
    type: 'deployment.created',
  }),
  provider('heroku', 'heroku-webhook-hmac-sha256', {
    encoding: 'base64',
    body: { action: 'create', resource: 'release', webhook_metadata: { attempt: { id: 'a-FAKE' }, event: { id: 'e-FAKE-0001', include: 'api:release' }, webhook: { id: 'w-FAKE' } } },
    id: 'e-FAKE-0001',
    type: 'api:release',
  }),
  provider('circleci', 'circleci-signature', {
    prefix: 'v1=',
    join: ',',
    headers: { 'circleci-event-type': 'workflow-completed' },
    body: { id: '3888f21b-eaa7-38e3-8f3d-75a63bba8895', type: 'workflow-completed', happened_at: '2023-11-14T22:13:20Z', workflow: { id: 'fda08377-fe7e-46b1-8992-3a7aaecac9c3' } },
    id: '3888f21b-eaa7-38e3-8f3d-75a63bba8895',
    type: 'workflow-completed',
    bare: { type: 'workflow-completed' },
    more: (cases) => {
      cases.accept('a newer version beside v1', 'versions that are not known are skipped', { value: (good) => `v1=${good},v2=0011` });
      cases.reject('only a newer version', 'v1 is due', { prefix: 'v2=' });
      cases.accept('the header names another event', 'the header is not signed', { after: { 'circleci-event-type': 'job-completed' } }, { id: cases.provider.id, type: 'job-completed' });
    },
  }),
  provider('sentry', 'sentry-hook-signature', {
    headers: { 'request-id': '00000000fa4e00000000000000000001', 'sentry-hook-resource': 'issue', 'sentry-hook-timestamp': '1500000000' },
    body: { action: 'created', installation: { uuid: 'a8e5d37a-696c-4c54-adb5-b3f28d64c7de' }, data: { issue: { id: '1170820242' } } },
    id: '00000000fa4e00000000000000000001',
    type: 'issue.created',
    bare: { id: '00000000fa4e00000000000000000001', type: 'issue' },
    idHeader: 'request-id',
  }),
  provider('pagerduty', 'x-pagerduty-signature', {
    prefix: 'v1=',
    join: ',',
    body: { event: { id: '5ac64822-4adc-4fda-ade0-410becf0de4f', event_type: 'incident.priority_updated', resource_type: 'incident', occurred_at: '2023-11-14T22:13:20.000Z' } },
    id: '5ac64822-4adc-4fda-ade0-410becf0de4f',
    type: 'incident.priority_updated',
  }),
  provider('woocommerce', 'x-wc-webhook-signature', {
    encoding: 'base64',
    headers: { 'x-wc-webhook-topic': 'order.created', 'x-wc-webhook-resource': 'order', 'x-wc-webhook-delivery-id': '9f4e1b7c' },
    body: { id: 727, status: 'processing', currency: 'EUR', total: '29.35' },
    secrets: [
      decoded('one &amp; only &lt;the shop&#039;s&gt; &quot;key&quot;', 'one & only <the shop\'s> "key"'),
      plain('FAKE-woocommerce-two'),
      plain('FAKE-woocommerce-stranger'),
    ],
    id: '9f4e1b7c',
    type: 'order.created',
    bare: { id: '9f4e1b7c', type: 'order.created' },
    idHeader: 'x-wc-webhook-delivery-id',
    more: (cases) => {
      const [own] = cases.provider.secrets;
      cases.reject('the entities of the secret are the key', 'they are decoded first', { signer: plain(own.text) });
    },
  }),
  provider('airtable', 'x-airtable-content-mac', {
    prefix: 'hmac-sha256=',
    body: { base: { id: 'app00000000000000' }, webhook: { id: 'ach00000000000000' }, timestamp: '2023-11-14T22:13:20.000Z' },
    secrets: ['one', 'two', 'stranger'].map((seed) => decoded(bytes(seed).toString('base64'), bytes(seed))),
    more: (cases) => {
      const [own] = cases.provider.secrets;
      cases.reject('the text of the secret is the key', 'it is base64, decoded', { signer: plain(own.text) });
    },
  }),
  provider('coinbase-commerce', 'x-cc-webhook-signature', {
    body: { id: 1, scheduled_for: '2023-11-14T22:13:20Z', event: { id: '24934862-d980-46cb-9402-43c81b0cdba6', type: 'charge:created', api_version: '2018-03-22', data: { code: '66BEOV2A' } } },
    id: '24934862-d980-46cb-9402-43c81b0cdba6',
    type: 'charge:created',
  }),
  provider('gocardless', 'webhook-signature', {
    body: { events: [{ id: 'EV00BD05S5VM2T', resource_type: 'payments', action: 'paid_out', links: { payment: 'PM0003JRQDC8RR' } }], meta: { webhook_id: 'WB001FAKE' } },
  }),
  provider('onfido', 'x-sha2-signature', {
    body: { payload: { resource_type: 'check', action: 'check.completed', object: { id: '6d0d0c3a-fake', status: 'complete' } } },
  }),
  provider('easypost', 'x-hmac-signature', {
    prefix: 'hmac-sha256-hex=',
    body: { id: 'evt_fake0001', object: 'Event', description: 'tracker.updated', mode: 'test', result: { id: 'trk_fake' } },
    // Composed and compatibility characters: only NFKD takes both apart.
    secrets: [
      decoded('s\u00e9cret-\ufb01-\u2460', Buffer.from('se\u0301cret-fi-1')),
      plain('FAKE-easypost-two'),
      plain('FAKE-easypost-stranger'),
    ],
    more: (cases) => {
      const [own] = cases.provider.secrets;
      for (const form of ['NFC', 'NFD', 'NFKC']) {
        cases.reject(`the secret's ${form} is the key`, 'NFKD is due', { signer: plain(own.text.normalize(form)) });
      }
    },
  }),
  provider('paystack', 'x-paystack-signature', {
    algorithm: 'sha512',
    body: { event: 'charge.success', data: { id: 302961, domain: 'live', status: 'success', reference: 'qTPrJoy9Bx', amount: 10000 } },
  }),
  provider('xero', 'x-xero-signature', {
    encoding: 'base64',
    body: { events: [], firstEventSequence: 0, lastEventSequence: 0, entropy: 'S0m3r4Nd0mt3xt' },
  }),
  provider('nylas', 'x-nylas-signature', {
    body: { specversion: '1.0', type: 'message.created', source: '/google/emails/realtime', id: 'mock-id', time: 1700000000, data: { application_id: 'fake', object: { id: 'm-1' } } },
    more: (cases) => {
      const packed = Buffer.from('H4sIAAAAAAACA6tWykxRslJyc/R2VaoFAG5CLroNAAAA', 'base64'); // of {"id":"FAKE"}
      cases.accept('a compressed body', 'the compressed bytes are signed', { body: packed, headers: { 'content-encoding': 'gzip' } }, {});
    },
  }),
  provider('linkedin', 'x-li-signature', {
    signed: ({ body }) => ['hmacsha256=', body],
    body: { type: 'ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS', notifications: [{ notificationId: 1, action: 'COMMENT', organizationalEntity: 'urn:li:organization:1' }] },
  }),
];

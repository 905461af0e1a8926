// Providers that sign a time with the body.

import { ed25519, p256, plain } from '../lib/secrets.mjs';
import { NOW } from '../lib/request.mjs';

const three = (begin) => ['one', 'two', 'stranger'].map((end) => plain(`${begin}-${end}`));

const provider = (name, header, rest) => ({ name, header, secrets: three(`FAKE-${name}`), ...rest });

const time = (unit = 's', tolerance = 300) => ({ unit, tolerance });

const dotted = ({ time, body }) => [time, '.', body];
const stamp = (time) => `t=${time}`;

/** A header `t=…,v1=…`, as Stripe began it. */
const stamped = (name, header, rest) =>
  provider(name, header, { prefix: 'v1=', join: ',', stamp, time: time(), signed: dotted, ...rest });

const hexHalf = (half) => half.toString('hex');
const base64Half = (half) => half.toString('base64');

export const timed = [
  stamped('mux', 'mux-signature', {
    body: { type: 'video.asset.ready', id: '3a56ac3d-33da-4366-855b-f592d898409d', created_at: '2023-11-14T22:13:20.000000Z', object: { type: 'asset', id: '0201p02fGKPE7MrbC269XRD7LpcHhrmbu' }, environment: { name: 'Production', id: 'j0863n' } },
    id: '3a56ac3d-33da-4366-855b-f592d898409d',
    type: 'video.asset.ready',
  }),
  stamped('calendly', 'calendly-webhook-signature', {
    time: time('s', 180),
    body: { event: 'invitee.created', created_at: '2023-11-14T22:13:20.000000Z', payload: { email: 'fake@example.test', status: 'active' } },
    type: 'invitee.created',
  }),
  stamped('workos', 'workos-signature', {
    join: ', ',
    time: time('ms', 180),
    body: { id: 'event_FAKE0001', event: 'dsync.user.created', created_at: '2023-11-14T22:13:20.000Z', data: { id: 'directory_user_FAKE' } },
    more: (cases) => {
      cases.accept('no blank behind the comma', 'blanks between the items do not count', { value: (good, time) => `t=${time},v1=${good}` });
    },
  }),
  stamped('sanity', 'sanity-webhook-signature', {
    encoding: 'base64url',
    time: time('ms', 86400),
    headers: { 'idempotency-key': '1WHb2bKEbP2UMaNBCpdPDX2fake', 'sanity-operation': 'create' },
    body: { _id: 'drafts.fake', _type: 'post', title: 'Grüße' },
    id: '1WHb2bKEbP2UMaNBCpdPDX2fake',
    bare: { id: '1WHb2bKEbP2UMaNBCpdPDX2fake' },
    idHeader: 'idempotency-key',
  }),
  provider('paddle', 'paddle-signature', {
    prefix: 'h1=',
    join: ';',
    stamp: (time) => `ts=${time}`,
    time: time('s', 5),
    signed: ({ time, body }) => [time, ':', body],
    body: { event_id: 'evt_01hffakefakefakefakefakefa', event_type: 'transaction.completed', occurred_at: '2023-11-14T22:13:20.000000Z', notification_id: 'ntf_01hffakefakefakefakefakefa', data: { id: 'txn_01fake' } },
    id: 'evt_01hffakefakefakefakefakefa',
    type: 'transaction.completed',
  }),
  provider('recurly', 'recurly-signature', {
    join: ',',
    stamp: (time) => time,
    time: time('ms'),
    signed: dotted,
    body: { id: 'fake-0001', object_type: 'account', site_id: 'fake', event_type: 'created', event_time: '2023-11-14T22:13:20Z', account_code: 'a-1' },
    more: (cases) => {
      cases.reject('the time is the second item', 'it has to be the first', { value: (good, time) => `,${time},${good}` });
    },
  }),
  provider('zoom', 'x-zm-signature', {
    prefix: 'v0=',
    timeHeader: 'x-zm-request-timestamp',
    time: time(),
    signed: ({ time, body }) => ['v0:', time, ':', body],
    headers: { 'x-zm-trackingid': 'v=2.0;clid=us02;rid=WEB_fake0001' },
    body: { event: 'meeting.started', event_ts: 1700000000000, payload: { account_id: 'FAKE', object: { id: '1234567890', topic: 'My Meeting' } } },
    id: 'v=2.0;clid=us02;rid=WEB_fake0001',
    type: 'meeting.started',
    bare: { id: 'v=2.0;clid=us02;rid=WEB_fake0001' },
    idHeader: 'x-zm-trackingid',
  }),
  provider('customerio', 'x-cio-signature', {
    timeHeader: 'x-cio-timestamp',
    time: time(),
    signed: ({ time, body }) => ['v0:', time, ':', body],
    body: { event_id: '01E4C4CT6YDC7Y5M7FE1GWWPQJ', object_type: 'email', metric: 'sent', timestamp: NOW, data: { recipient: 'fake@example.test' } },
  }),
  provider('webflow', 'x-webflow-signature', {
    timeHeader: 'x-webflow-timestamp',
    time: time('ms'),
    signed: ({ time, body }) => [time, ':', body],
    body: { triggerType: 'form_submission', payload: { name: 'Contact Us', siteId: '65427cf400e02b306eaa049c', data: { email: 'fake@example.test' } } },
  }),
  provider('front', 'x-front-signature', {
    encoding: 'base64',
    timeHeader: 'x-front-request-timestamp',
    time: time('ms'),
    signed: ({ time, body }) => [time, ':', body],
    body: { type: 'inbound_received', authorization: { id: 'cmp_fake' }, payload: { id: 'evt_fake', emitted_at: 1700000000.0 } },
  }),
  provider('zendesk', 'x-zendesk-webhook-signature', {
    encoding: 'base64',
    timeHeader: 'x-zendesk-webhook-signature-timestamp',
    time: time('rfc3339'),
    signed: ({ time, body }) => [time, body],
    // Looks like base64, and is not decoded.
    secrets: ['RkFLRS16ZW5kZXNrLW9uZQ==', 'RkFLRS16ZW5kZXNrLXR3bw==', 'RkFLRS16ZW5kZXNrLXN0cg=='].map(plain),
    body: { account_id: 22129848, detail: { id: '6596848315901' }, event: {}, id: '2b24ef10-19df-4fc1-8e74-fake', subject: 'zen:user:6596848315901', type: 'zen:event-type:user.created', zendesk_event_version: '2022-06-20' },
    id: '2b24ef10-19df-4fc1-8e74-fake',
    type: 'zen:event-type:user.created',
    more: (cases) => {
      const key = Buffer.from(cases.provider.secrets[0].text, 'base64');
      cases.reject('signed with the secret decoded', 'its own bytes are the key', { signer: { key } });
      cases.accept('a time with another offset', 'it is the same instant', { time: '2023-11-15T00:13:20+02:00' });
    },
  }),
  provider('twitch', 'twitch-eventsub-message-signature', {
    prefix: 'sha256=',
    timeHeader: 'twitch-eventsub-message-timestamp',
    time: time('nanos', 600),
    signed: ({ time, body, headers }) => [headers['twitch-eventsub-message-id'] ?? '', time, body],
    headers: { 'twitch-eventsub-message-id': 'e76c6bd4-55c9-4987-8304-da1588d8988b', 'twitch-eventsub-message-type': 'notification', 'twitch-eventsub-message-retry': '0' },
    body: { subscription: { id: 'f1c2a387-161a-49f9-a165-0f21d7a4e1c4', status: 'enabled', type: 'channel.follow', version: '2' }, event: { user_id: '1234' } },
    id: 'e76c6bd4-55c9-4987-8304-da1588d8988b',
    type: 'channel.follow',
    bare: { id: 'e76c6bd4-55c9-4987-8304-da1588d8988b' },
    idHeader: 'twitch-eventsub-message-id',
    idIsSigned: true,
  }),
  provider('linear', 'linear-signature', {
    time: time('ms', 60),
    signed: ({ body }) => [body],
    headers: { 'linear-delivery': '234d1a4e-b617-4388-90fe-adc3633d6b72', 'linear-event': 'Issue', 'linear-timestamp': '1' },
    body: (time) =>
      JSON.stringify({ action: 'update', type: 'Issue', data: { id: '2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9' }, webhookTimestamp: /^-?[0-9]+$/.test(time) ? Number(time) : time, webhookId: '000042e3-d123-4980-b49f-8e140eef9329' }),
    id: '234d1a4e-b617-4388-90fe-adc3633d6b72',
    type: 'Issue.update',
    idHeader: 'linear-delivery',
    more: (cases) => {
      const named = (type) => ({ id: cases.provider.id, type });
      cases.accept('a body without an action', 'its type is the header alone', { body: Buffer.from(`{"webhookTimestamp":${NOW}000}`) }, named('Issue'));
      cases.reject('a body without a time', 'the header of the time is not signed', { body: Buffer.from('{"action":"update"}'), after: { 'linear-timestamp': `${NOW}000` } });
      cases.reject('a body that is not JSON', 'its time cannot be read', { body: Buffer.from('action=update') });
    },
  }),
  provider('discord', 'x-signature-ed25519', {
    algorithm: 'ed25519',
    timeHeader: 'x-signature-timestamp',
    time: time('s', 3600),
    signed: ({ time, body }) => [time, body],
    secrets: ['discord one', 'discord two', 'discord stranger'].map((seed) => ed25519(seed, hexHalf)),
    body: { version: 1, application_id: '1234560123453231555', type: 1, event: { type: 'APPLICATION_AUTHORIZED', timestamp: '2023-11-14T22:13:20.000000', data: { integration_type: 1 } } },
    type: 'APPLICATION_AUTHORIZED',
  }),
  provider('telnyx', 'telnyx-signature-ed25519', {
    algorithm: 'ed25519',
    encoding: 'base64',
    timeHeader: 'telnyx-timestamp',
    time: time(),
    signed: ({ time, body }) => [time, '|', body],
    secrets: ['telnyx one', 'telnyx two', 'telnyx stranger'].map((seed) => ed25519(seed, base64Half)),
    body: { data: { event_type: 'message.received', id: 'b301ed3f-1490-491f-995f-6e64e69674d4', occurred_at: '2023-11-14T22:13:20.000Z', payload: { direction: 'inbound', text: 'Hello' } }, meta: { attempt: 1 } },
  }),
  provider('sendgrid', 'x-twilio-email-event-webhook-signature', {
    algorithm: 'ecdsa',
    encoding: 'base64',
    timeHeader: 'x-twilio-email-event-webhook-timestamp',
    time: time('s', 86_400),
    signed: ({ time, body }) => [time, body],
    secrets: ['sendgrid one', 'sendgrid two', 'sendgrid stranger'].map((seed) => p256(seed)),
    body: '[{"email":"a@example.test","timestamp":1700000000,"event":"processed","sg_event_id":"c2dfZXZlbnRfaWQtMQ","sg_message_id":"m.1"},{"email":"a@example.test","timestamp":1700000000,"event":"delivered","sg_event_id":"c2dfZXZlbnRfaWQtMg","sg_message_id":"m.1"}]\r\n',
    id: 'c2dfZXZlbnRfaWQtMQ.c2dfZXZlbnRfaWQtMg',
    type: 'processed',
    more: (cases) => {
      const pem = p256('sendgrid one', (_, open) => open.export({ format: 'pem', type: 'spki' }));
      cases.accept('the public key as PEM', 'it is the same key', { secrets: [pem] });
      const one = Buffer.from('[{"event":"open","sg_event_id":"c2dfZXZlbnRfaWQtMw"}]\r\n');
      cases.accept('one event', 'its id is that of the request', { body: one }, { id: 'c2dfZXZlbnRfaWQtMw', type: 'open' });
    },
  }),
];

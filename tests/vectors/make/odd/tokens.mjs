// Providers that send a token and sign nothing.

import { AS_IT_IS, Cases, ODD } from './lib.mjs';

const json = (value) => JSON.stringify(value);
const basic = (text) => `Basic ${Buffer.from(text).toString('base64')}`;

/** What every token must be: there, and the same. `headers` makes them of a token. */
function token(cases, secret, headers, body, names) {
  cases.accept('the token', { secret, headers: headers(secret), body, ...names });
  cases.accept('the second of two tokens', { secrets: ['FAKE-old:x', secret], headers: headers(secret), body, ...names });
  cases.accept('another body: it is not signed', { secret, headers: headers(secret), body: '{}' });
  cases.accept(AS_IT_IS, { secret: 'FAKE:&amp;', headers: headers('FAKE:&amp;'), body });
  cases.reject('another token', { secret, headers: headers(`${secret}x`), body });
  cases.reject('the beginning of the token', { secret, headers: headers(secret.slice(0, -1)), body });
  cases.reject('in upper case', { secret, headers: headers(secret.toUpperCase()), body });
  cases.reject('an empty token', { secret, headers: headers(''), body });
  cases.reject('no token', { secret, headers: {}, body });
}

const telegram = new Cases('telegram', 'odd.mjs', {});
const bot = (value) => ({ 'x-telegram-bot-api-secret-token': value });
token(telegram, 'FAKE-telegram_Token', bot, json({ update_id: 7, message: { text: 'x' } }), { id: '7', type: 'message' });
telegram.accept('the id behind the rest', {
  secret: 'FAKE-t', headers: bot('FAKE-t'), body: json({ callback_query: { id: '1' }, update_id: 8 }), id: '8', type: 'callback_query',
});

const okta = new Cases('okta', 'odd.mjs', {});
const authorization = (value) => ({ authorization: value });
const hook = { eventId: 'e-1', data: { events: [{ uuid: 'u-1', eventType: 'user.session.start' }, { uuid: 'u-2', eventType: 'user.session.end' }] } };
token(okta, 'FAKE okta value', authorization, json(hook), { id: 'u-1.u-2', type: 'user.session.start' });
okta.accept('events without ids', {
  secret: 'FAKE-o', headers: authorization('FAKE-o'), body: json({ eventId: 'e-2', data: { events: [{ eventType: 'a.b' }] } }), id: 'e-2', type: 'a.b',
});

const auth0 = new Cases('auth0', 'odd.mjs', {});
const logs = [{ log_id: '90020', data: { type: 's' } }, { log_id: '90021', data: { type: 'f' } }];
token(auth0, 'Bearer FAKE-auth0', authorization, json(logs), { id: '90020.90021', type: 's' });

const postmark = new Cases('postmark', 'odd.mjs', {});
const credentials = (value) => ({ authorization: basic(value) });
const bounce = { MessageID: 'm-1', RecordType: 'Bounce', BouncedAt: '2023-11-14T22:13:20Z' };
token(postmark, 'FAKE-user:Password', credentials, json(bounce), { id: 'm-1.Bounce.2023-11-14T22:13:20Z', type: 'Bounce' });
for (const [RecordType, time] of [['Open', 'ReceivedAt'], ['Delivery', 'DeliveredAt'], ['SubscriptionChange', 'ChangedAt']]) {
  postmark.accept(`the time of ${RecordType}`, {
    secret: 'u:p', headers: credentials('u:p'), body: json({ MessageID: 'm-2', RecordType, [time]: 't' }), id: `m-2.${RecordType}.t`, type: RecordType,
  });
}
postmark.accept(`${AS_IT_IS}, ligatures`, { secret: ODD, headers: credentials(ODD) });
const tricky = 'FAKE:\u00fb\u00ff\u00fe>>>???';
postmark.accept('base64 with its own two signs', { secret: tricky, headers: credentials(tricky) });
postmark.accept('the scheme in another case', { secret: 'u:p', headers: authorization(`basic ${basic('u:p').slice(6)}`) });
postmark.reject('credentials that are not encoded', { secret: 'u:p', headers: authorization('Basic u:p') });
postmark.reject('credentials as a bearer token', { secret: 'u:p', headers: authorization(`Bearer ${basic('u:p').slice(6)}`) });
postmark.reject('credentials without a scheme', { secret: 'u:p', headers: authorization(basic('u:p').slice(6)) });

const gitlab = new Cases('gitlab-token', 'odd.mjs', {});
const secretToken = (value) => ({ 'x-gitlab-token': value, 'idempotency-key': 'i-1', 'x-gitlab-event-uuid': 'u-1' });
token(gitlab, 'FAKE-gitlab', secretToken, json({ object_kind: 'push' }), { id: 'i-1', type: 'push' });
gitlab.accept('a system hook', { secret: 'k', headers: secretToken('k'), body: json({ event_name: 'user_create' }), id: 'i-1', type: 'user_create' });

const graph = new Cases('ms-graph', 'odd.mjs', { secret: 'FAKE-client-state', headers: {} });
const notices = (...states) => json({ value: states.map((clientState, at) => ({ id: `n-${at}`, clientState, changeType: at ? 'deleted' : 'created' })) });
const state = 'FAKE-client-state';
graph.accept('one notification', { body: notices(state), id: 'n-0', type: 'created' });
graph.accept('two notifications', { body: notices(state, state), id: 'n-0.n-1', type: 'created' });
graph.accept('two subscriptions, two secrets', { secrets: [state, 'other'], body: notices(state, 'other'), id: 'n-0.n-1', type: 'created' });
graph.accept(AS_IT_IS, { secret: ODD, body: notices(ODD) });
graph.reject('the second one is another', { body: notices(state, 'other') });
graph.reject('the first one is another', { body: notices('other', state) });
graph.reject('the second one has none', { body: notices(state, undefined) });
graph.reject('the second one has an empty one', { body: notices(state, '') });
graph.reject('none at all', { body: notices() });
graph.reject('no array', { body: json({ value: { 0: { clientState: state } } }) });
graph.reject('beside the array', { body: json({ clientState: state, value: [] }) });
graph.reject('not JSON', { body: state });

export const tokens = [telegram, okta, auth0, postmark, gitlab, graph];

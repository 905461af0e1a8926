// Providers that sign more than the body, but no time: the URL as they know it.

import { plain } from '../lib/secrets.mjs';

const three = (begin) => ['one', 'two', 'stranger'].map((end) => plain(`${begin}-${end}`));

/** The registered URL is signed, wherever the request came in. */
function urls(cases) {
  const { url } = cases.provider;
  const seen = (other, registered) => ({ url: registered, config: { public_url: other } });
  cases.reject('signed for another host', 'the URL is signed', seen(url, url.replace('.test', '.example')));
  cases.reject('signed for another path', 'the URL is signed', seen(url, `${url}/`));
  cases.reject('signed for http instead of https', 'the URL is signed', seen(url, url.replace('https', 'http')));
  cases.accept('a URL with a query', 'the registered URL is signed whole', { url: `${url}?a=1&b=%20` });
  cases.reject('signed without the query', 'the registered URL is signed whole', seen(`${url}?a=1`, url));
}

export const elsewhere = [
  {
    name: 'square',
    header: 'x-square-hmacsha256-signature',
    encoding: 'base64',
    url: 'https://hooks.example.test/in/square',
    signed: ({ url, body }) => [url, body],
    secrets: three('FAKE-square'),
    headers: { 'square-environment': 'Sandbox' },
    body: { merchant_id: 'FAKE0001', type: 'customer.created', event_id: '5e4b6a50-2ce8-4dff-8a3e-d1b1f0d9fake', created_at: '2023-11-14T22:13:20Z', data: { type: 'customer', id: 'C-1' } },
    id: '5e4b6a50-2ce8-4dff-8a3e-d1b1f0d9fake',
    type: 'customer.created',
    more: urls,
  },
  {
    name: 'trello',
    header: 'x-trello-webhook',
    algorithm: 'sha1',
    encoding: 'base64',
    url: 'https://hooks.example.test/in/trello',
    signed: ({ url, body }) => [body, url],
    secrets: three('FAKE-trello'),
    body: { action: { id: '51f9424bcd6e040f3c002412', idMemberCreator: '4fc78a59a885233f4b349bd9', type: 'updateCard', date: '2023-11-14T22:13:20.000Z' }, model: { id: '4d5ea62fd76aa1136000000c' } },
    id: '51f9424bcd6e040f3c002412',
    type: 'updateCard',
    more: urls,
  },
];

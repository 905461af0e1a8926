// Cases for Box:
//
//   node tests/vectors/make/box.mjs [--check]
//
// `escaped` is what box-node-sdk 10.12.0 does (jsonStringifyWithEscapedUnicode).

import { AS_IT_IS, Cases, NOW, ODD, hmac, write } from './odd/lib.mjs';

const KEY = 'FAKE-box-primary';
const SECOND = 'FAKE-box-secondary';
const time = (off = 0) => new Date((NOW + off) * 1000).toISOString().replace('.000Z', 'Z');
const escaped = (body) =>
  body
    .replace(/[\u007f-\uffff]/g, (char) => `\\u${`0000${char.charCodeAt(0).toString(16)}`.slice(-4)}`)
    .replace(/(?<!\\)\//g, '\\/');

const body = '{"type":"webhook_event","id":"0f0f-1","trigger":"FILE.UPLOADED","source":{"name":"a.txt"}}';
const odd = '{"type":"webhook_event","id":"0f0f-2","trigger":"FILE.RENAMED","source":{"name":"é/😀.txt"}}';
const named = { id: '0f0f-1', type: 'FILE.UPLOADED' };

const headers = ({ primary, secondary, at = time(), of = body, version = '1', algorithm = 'HmacSHA256' }) => ({
  'box-delivery-id': 'd-1',
  'box-delivery-timestamp': at,
  ...(version && { 'box-signature-version': version }),
  ...(algorithm && { 'box-signature-algorithm': algorithm }),
  ...(primary && { 'box-signature-primary': hmac('sha256', primary, 'base64', of, at) }),
  ...(secondary && { 'box-signature-secondary': hmac('sha256', secondary, 'base64', of, at) }),
});

const box = new Cases('box', 'box.mjs', { secret: KEY, body });
const config = { secondary_secret: SECOND };

box.accept('primary signature', { headers: headers({ primary: KEY }), ...named });
box.accept('both signatures, both keys', { headers: headers({ primary: KEY, secondary: SECOND }), config, ...named });
box.accept('secondary signature with the secondary key', { headers: headers({ primary: 'other', secondary: SECOND }), config, ...named });
box.accept('secondary signature alone', { headers: headers({ secondary: SECOND }), config, ...named });
box.reject('primary key in the secondary header, keys told apart', { headers: headers({ secondary: KEY }), config });
box.reject('secondary key in the primary header, keys told apart', { headers: headers({ primary: SECOND }), config });
box.accept('without a secondary key every secret is tried on the second header', { headers: headers({ secondary: KEY }), ...named });
box.accept('without a secondary key the second secret is tried on the first header', {
  headers: headers({ primary: SECOND }), secrets: [KEY, SECOND], ...named,
});
box.accept(AS_IT_IS, { secret: ODD, headers: headers({ primary: ODD }) });
box.reject('neither key', { headers: headers({ primary: 'other', secondary: 'another' }), config });
box.accept('body with letters and slashes, signed as it is', {
  body: odd, headers: headers({ primary: KEY, of: odd }), id: '0f0f-2', type: 'FILE.RENAMED',
});
box.accept('body with letters and slashes, signed as PHP writes it', {
  body: odd, headers: headers({ primary: KEY, of: escaped(odd) }), id: '0f0f-2', type: 'FILE.RENAMED',
});
box.reject('body changed', { body: body.replace('a.txt', 'b.txt'), headers: headers({ primary: KEY }) });
box.reject('no signature', { headers: headers({}) });
box.reject('no time', { headers: { ...headers({ primary: KEY }), 'box-delivery-timestamp': '' } });
box.reject('signature in hexadecimal digits', {
  headers: { ...headers({}), 'box-signature-primary': hmac('sha256', KEY, 'hex', body, time()) },
});
box.reject('without the version', { headers: headers({ primary: KEY, version: '' }) });
box.reject('another version', { headers: headers({ primary: KEY, version: '2' }) });
box.reject('without the algorithm', { headers: headers({ primary: KEY, algorithm: '' }) });
box.reject('another algorithm', { headers: headers({ primary: KEY, algorithm: 'HmacSHA1' }) });
box.accept('with an offset', { headers: headers({ primary: KEY, at: '2023-11-14T14:13:20-08:00' }), ...named });
box.accept('600 s old', { headers: headers({ primary: KEY, at: time(-600) }), ...named });
box.reject('601 s old', { headers: headers({ primary: KEY, at: time(-601) }) });
box.accept('600 s ahead', { headers: headers({ primary: KEY, at: time(600) }), ...named });
box.reject('601 s ahead', { headers: headers({ primary: KEY, at: time(601) }) });
box.reject('seconds since 1970', { headers: headers({ primary: KEY, at: String(NOW) }) });

write([box]);

// Providers whose scheme is of its own kind. Judged by their own SDKs.
import crypto from 'node:crypto';
import querystring from 'node:querystring';
import { Vectors, stampedHmac, bodyHmac, json, form, flip, hmac, sha256, enc, iso, out, NOW, URL_BASE, NON_UTF8 } from './lib.mjs';
const load = async (name) => { const m = await import(name); return m.default ?? m; };

const contentful = await load('@contentful/node-apps-toolkit');
const { WebhooksManager } = await load('box-node-sdk/managers/webhooks');
const plivo = await load('plivo');
const birdJwt = await load('messagebird/lib/webhook-signature-jwt.js');
const braintree = await load('braintree');
const { TelnyxWebhook } = await import('telnyx/lib/webhooks.js');
const { WebhookSignatureValidator } = await load('mercadopago');
const { Signature } = await load('@hubspot/api-client');

const text = 'Zoë ordered 2× crème brûlée — 東京 🚀';
const asText = 'the SDK takes the body as text; the bytes are what is signed';
const ageOnly = 'the SDK checks only the age; the gateway checks the future as well';

{ // Contentful: canonical request
  const v = new Vectors('contentful', { source: 'sdk:npm:@contentful/node-apps-toolkit@3.16.1', secret: 'FAKE'.repeat(16),
    judge: (r) => contentful.verifyRequest(r.secret, { method: r.method, path: r.url.slice('https://hooks.example.test'.length), headers: r.headers, body: r.body.toString() }) });
  const headers = { 'content-type': 'application/vnd.contentful.management.v1+json', 'x-contentful-topic': 'ContentManagement.Entry.publish', 'x-contentful-webhook-name': 'Fake hook' };
  const made = (o = {}) => {
    const { body = entry, path = '/in/contentful', method = 'POST', sec = 0, extra = headers, secret = v.secret } = o;
    const signed = contentful.signRequest(secret, { method, path, headers: extra, body: body.toString() }, (NOW + sec) * 1000 + (o.ms ?? 0));
    return { body, method, url: 'https://hooks.example.test' + path, headers: { ...extra, ...signed } };
  };
  const byHand = (body, sec = 0) => {
    const t = String((NOW + sec) * 1000), names = [...Object.keys(headers), 'x-contentful-signed-headers', 'x-contentful-timestamp'].sort();
    const all = { ...headers, 'x-contentful-signed-headers': names.join(','), 'x-contentful-timestamp': t };
    const sig = hmac('sha256', v.secret, `POST\n/in/contentful\n${names.map((n) => `${n}:${all[n]}`).join(';')}\n`, body);
    return { body, headers: { ...all, 'x-contentful-signature': enc.hex(sig) } };
  };
  const entry = json({ sys: { type: 'Entry', id: 'fake01' }, fields: { title: { 'en-US': 'Hello' } } });
  const with_ = (r, h, more) => ({ ...r, headers: { ...r.headers, ...h }, ...more });
  const good = made(), inclusive = 'the SDK refuses the age of exactly 30 s; the gateway\'s tolerance is inclusive';
  await v.accept('valid, three headers signed', 'canonical request matches', good);
  await v.accept('valid, only the two obligatory headers signed', 'canonical request matches', made({ extra: {} }));
  await v.accept('valid, non-ASCII text', 'canonical request matches', made({ body: json({ fields: { title: { fr: text } } }) }));
  await v.accept('valid, signed by hand from the documented canonical form', 'canonical request matches', byHand(entry));
  await v.accept('valid, PUT', 'the method is signed', made({ method: 'PUT' }));
  await v.accept('empty body, rightly signed', 'signature over zero body bytes', made({ body: Buffer.alloc(0) }, {}));
  await v.accept('valid, 29 s old', 'inside the tolerance', made({ sec: -29 }));
  await v.accept('valid, exactly 30 s old', 'inside the tolerance (inclusive)', { ...made({ sec: -30 }), tags: ['policy:tolerance'], note: inclusive });
  await v.accept('valid, 30 s in the future', 'clock skew inside the tolerance', { ...made({ sec: 30 }), tags: ['policy:future'] });
  await v.accept('unsigned header added', 'only the listed headers are signed', with_(good, { 'x-request-id': 'abc' }));
  await v.accept('query string in the URL, as the SDK encodes it', 'the SDK percent-encodes the whole query, then the path again', { ...made({ path: '/in/contentful?env=master&n=1' }), tags: ['policy:query-encoding'] });
  await v.accept('body that is not UTF-8, rightly signed', 'bytes are signed, not text', { ...byHand(NON_UTF8), tags: ['bytes'] });
  await v.accept('upper-case hex digits', 'hex is decoded before it is compared', with_(good, { 'x-contentful-signature': good.headers['x-contentful-signature'].toUpperCase() }, { tags: ['policy:hex-case'] }));
  await v.accept('rotation: two configured secrets, the second one matches', 'any configured secret may match', { ...good, secrets: ['EKAF'.repeat(16), v.secret], tags: ['rotation'] });

  await v.reject('stale: 31 s old', 'timestamp too old', made({ sec: -31 }));
  await v.reject('future: 31 s ahead', 'timestamp too new: rejected by policy', { ...made({ sec: 31 }), tags: ['policy:future'] });
  await v.reject('tampered body', 'signature mismatch', { ...good, body: flip(good.body) });
  await v.reject('signed header changed', 'the listed headers are signed', with_(good, { 'x-contentful-topic': 'ContentManagement.Entry.delete' }));
  await v.reject('signed header removed', 'the listed headers are signed', with_(good, { 'x-contentful-topic': undefined }));
  await v.reject('a name taken off the list of signed headers', 'the list is signed', with_(good, { 'x-contentful-signed-headers': 'content-type,x-contentful-signed-headers,x-contentful-timestamp,x-contentful-webhook-name' }));
  await v.reject('a name put on the list of signed headers', 'the list is signed', with_(good, { 'x-contentful-signed-headers': good.headers['x-contentful-signed-headers'] + ',x-request-id', 'x-request-id': 'abc' }));
  await v.reject('another path', 'the path is signed', { ...good, url: URL_BASE + 'other' });
  await v.reject('another method', 'the method is signed', { ...good, method: 'PUT' });
  await v.reject('timestamp replaced', 'the timestamp is signed', with_(good, { 'x-contentful-timestamp': String(NOW * 1000 + 1) }));
  await v.reject('timestamp in seconds', 'milliseconds are due', with_(good, { 'x-contentful-timestamp': String(NOW) }));
  await v.reject('signed with another secret', 'wrong secret', made({ secret: 'EKAF'.repeat(16) }));
  for (const h of ['signature', 'signed-headers', 'timestamp']) await v.reject(`missing x-contentful-${h}`, 'missing header', with_(good, { [`x-contentful-${h}`]: undefined }));
  await v.reject('garbage signature', 'malformed header', with_(good, { 'x-contentful-signature': 'zz'.repeat(32) }));
  await v.reject('body alone signed', 'the canonical request is signed', with_(good, { 'x-contentful-signature': enc.hex(hmac('sha256', v.secret, entry)) }));
  v.write(out);
}
{ // Box: two signatures, two keys, body before timestamp
  const v = new Vectors('box', { source: 'sdk:npm:box-node-sdk@10.12.0', secret: 'FAKEboxPrimaryKey000000000000001', config: { secondary_secret: 'FAKEboxSecondaryKey0000000000001' },
    judge: (r) => WebhooksManager.validateMessage(r.body.toString(), r.headers, r.secret, { secondaryKey: r.config.secondary_secret }) });
  const second = v.config.secondary_secret;
  const sig = (t, b, key) => enc.base64(hmac('sha256', key, b, t));
  const head = (t, primary, secondary, more) => ({ 'content-type': 'application/json; charset=utf-8', 'box-delivery-id': 'fake0000-0000-0000-0000-000000000001', 'box-delivery-timestamp': t,
    'box-signature-algorithm': 'HmacSHA256', 'box-signature-version': '1', 'box-signature-primary': primary, 'box-signature-secondary': secondary, ...more });
  const at = (t, b, more, h) => ({ body: b, headers: head(t, sig(t, b, v.secret), sig(t, b, second), h), ...more });
  const event = (name) => ({ type: 'webhook_event', id: 'fake0001', created_at: '2023-11-14T14:13:20-08:00', trigger: 'FILE.UPLOADED', source: { id: '1', type: 'file', name } });
  const body = json(event('report.pdf')), t0 = iso(NOW), offset = '2023-11-14T14:13:20-08:00', wrong = enc.base64(Buffer.alloc(32, 7));
  const skew = 'the SDK tolerates no clock skew into the future; the gateway allows as much as into the past';
  await v.accept('valid, both signatures', 'signature matches', at(t0, body));
  await v.accept('valid, timestamp with an offset from UTC', 'RFC 3339 with an offset', at(offset, body));
  await v.accept('only the primary signature right', 'any of the two may match', at(t0, body, {}, { 'box-signature-secondary': wrong }));
  await v.accept('only the secondary signature right', 'any of the two may match', at(t0, body, {}, { 'box-signature-primary': wrong }));
  await v.accept('only the primary signature sent', 'any of the two may match', at(t0, body, {}, { 'box-signature-secondary': undefined }));
  await v.accept('only the secondary signature sent', 'any of the two may match', at(t0, body, {}, { 'box-signature-primary': undefined }));
  await v.accept('no secondary key configured', 'the primary one is enough', at(t0, body, { config: {} }));
  await v.accept('valid, non-ASCII text', 'signature matches', at(t0, json(event(text))));
  const raw = json({ ...event('Zoë 東京 🚀'), url: 'https://app.box.com/f/1', done: '\u007f' });
  const escaped = String(raw).replace(/[\u007f-\uffff]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')).replace(/\//g, '\\/');
  await v.accept('signed over the body with \\uXXXX and \\/ escapes, sent without them', 'the SDK tries the escaped form as well', { body: raw, headers: head(t0, sig(t0, escaped, v.secret), sig(t0, escaped, second)), tags: ['policy:escaped-body'] });
  await v.accept('599 s old', 'inside the tolerance', at(iso(NOW - 599), body));
  await v.accept('exactly 600 s old', 'inside the tolerance (inclusive)', at(iso(NOW - 600), body));
  await v.accept('60 s in the future', 'clock skew inside the tolerance', at(iso(NOW + 60), body, { tags: ['policy:future'], note: skew }));
  await v.accept('body that is not UTF-8, rightly signed', 'bytes are signed, not text', at(t0, NON_UTF8, { tags: ['bytes'] }));

  await v.reject('stale: 601 s old', 'timestamp too old', at(iso(NOW - 601), body));
  await v.reject('future: 601 s ahead', 'timestamp too new', at(iso(NOW + 601), body, { tags: ['policy:future'] }));
  await v.reject('tampered body', 'signature mismatch', { ...at(t0, body), body: flip(body) });
  await v.reject('timestamp replaced', 'the timestamp is signed', { ...at(t0, body), headers: { ...at(t0, body).headers, 'box-delivery-timestamp': iso(NOW - 1) } });
  await v.reject('same instant, written with another offset', 'the text of the timestamp is signed', { ...at(t0, body), headers: { ...at(t0, body).headers, 'box-delivery-timestamp': offset } });
  await v.reject('both signatures made with another key', 'wrong secret', { body, headers: head(t0, sig(t0, body, 'x'.repeat(32)), sig(t0, body, 'y'.repeat(32))) });
  await v.reject('no signature', 'missing header', at(t0, body, {}, { 'box-signature-primary': undefined, 'box-signature-secondary': undefined }));
  await v.reject('no timestamp', 'missing header', at(t0, body, {}, { 'box-delivery-timestamp': undefined }));
  await v.reject('signature version 2', 'only version 1 is known', at(t0, body, {}, { 'box-signature-version': '2' }));
  await v.reject('signature version missing', 'only version 1 is known', at(t0, body, {}, { 'box-signature-version': undefined }));
  await v.reject('signature algorithm HmacSHA1', 'only HmacSHA256 is known', at(t0, body, {}, { 'box-signature-algorithm': 'HmacSHA1' }));
  await v.reject('timestamp before the body', 'wrong order', { body, headers: head(t0, sig(body, t0, v.secret), undefined) });
  await v.reject('timestamp as Unix seconds', 'RFC 3339 is due', at(String(NOW), body, { note: 'to the SDK this is no date, and a date that is none passes its window' }));
  await v.reject('garbage signatures', 'malformed header', at(t0, body, {}, { 'box-signature-primary': '!!', 'box-signature-secondary': '!!' }));
  await v.reject('secondary signature, no secondary key configured', 'the key is not configured', at(t0, body, { config: {} }, { 'box-signature-primary': wrong }));
  v.write(out);
}
{ // Plivo v3: URL with sorted query, sorted form, nonce
  const v = new Vectors('plivo-v3', { source: 'sdk:npm:plivo@4.79.0', secret: 'FAKEplivoAuthToken000000000000000000001',
    judge: (r) => plivo.validateV3Signature(r.method, r.url, r.headers['x-plivo-signature-v3-nonce'], r.secret, r.headers['x-plivo-signature-v3'], r.method === 'POST' ? { ...querystring.parse(r.body.toString()) } : {}) });
  const nonce = '05429567804466091622';
  const byName = (pairs) => [...pairs].sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0));
  const signedText = (url, pairs, n) => {
    const [base, query = ''] = url.split('?');
    const q = byName([...new URLSearchParams(query)]).map(([k, x]) => `${k}=${x}`).join('&');
    return base + (q || pairs.length ? '?' + q : '') + (q && pairs.length ? '.' : '') + byName(pairs).map(([k, x]) => k + x).join('') + '.' + n;
  };
  const sign = (url, pairs, { secret = v.secret, n = nonce } = {}) => enc.base64(hmac('sha256', secret, signedText(url, pairs, n)));
  const req = (url, pairs, sig, more = {}) => ({ url, body: form(pairs), headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-plivo-signature-v3': sig, 'x-plivo-signature-v3-nonce': nonce, ...more.headers }, ...(more.rest ?? {}) });
  const url = URL_BASE + 'plivo-v3', qurl = url + '?room=7&a=1';
  const call = [['To', '15555550123'], ['From', '+15555550100'], ['CallUUID', 'fake0000-0000-0000-0000-000000000001'], ['Event', 'Hangup']];
  const intl = [...call, ['Text', text]], good = sign(url, call), get = (u, s) => ({ ...req(u, [], s), body: '', method: 'GET', headers: { 'x-plivo-signature-v3': s, 'x-plivo-signature-v3-nonce': nonce } });
  await v.accept('form post, no query', 'URL, "?", sorted form, nonce', req(url, call, good));
  await v.accept('form post, with a query', 'URL with sorted query, ".", sorted form, nonce', req(qurl, call, sign(qurl, call)));
  await v.accept('form post, query sent in another order', 'the query is sorted', req(url + '?a=1&room=7', call, sign(qurl, call)));
  await v.accept('form fields sent in another order', 'the form is sorted', req(url, [...call].reverse(), good));
  await v.accept('non-ASCII, "+" and spaces in a form value', 'decoded values are signed', req(url, intl, sign(url, intl)));
  await v.accept('same field twice', 'values of one name are sorted', req(url, [['A', '2'], ['A', '1'], ['B', 'x']], sign(url, [['A', '2'], ['A', '1'], ['B', 'x']])));
  await v.accept('upper-case names sort before lower-case ones', 'byte order', req(url, [['a', '1'], ['B', '2'], ['Z', '3']], sign(url, [['a', '1'], ['B', '2'], ['Z', '3']])));
  await v.accept('percent-codes in the query', 'decoded query values are signed', req(url + '?q=a%20b%2Bc', call, sign(url + '?q=a%20b%2Bc', call)));
  await v.accept('several signatures, the last one right', 'any of the comma list may match', req(url, call, `${enc.base64(Buffer.alloc(32))},${good}`));
  await v.accept('GET with a query', 'URL with sorted query, nonce', get(qurl, sign(qurl, [])));
  await v.accept('GET without a query', 'URL, nonce', get(url, sign(url, [])));
  await v.accept('rotation: two configured secrets, the second one matches', 'any configured secret may match', { ...req(url, call, good), secrets: ['FAKEother', v.secret], tags: ['rotation'] });
  const tampered = call.map(([k, x]) => [k, k === 'To' ? '15555550124' : x]);
  await v.reject('tampered form value', 'signature mismatch', req(url, tampered, good));
  await v.reject('form field added', 'signature mismatch', req(url, [...call, ['X', '1']], good));
  await v.reject('query dropped by a proxy', 'the query is signed', req(url, call, sign(qurl, call)));
  await v.reject('query value changed', 'the query is signed', req(url + '?room=8&a=1', call, sign(qurl, call)));
  await v.reject('signed for http, received as https', 'the scheme is signed', req(url, call, sign(url.replace('https', 'http'), call)));
  await v.reject('another path', 'the path is signed', req(URL_BASE + 'other', call, good));
  await v.reject('nonce replaced', 'the nonce is signed', req(url, call, good, { headers: { 'x-plivo-signature-v3-nonce': '1' } }));
  await v.reject('missing nonce', 'missing header', req(url, call, good, { headers: { 'x-plivo-signature-v3-nonce': undefined } }));
  await v.reject('missing signature', 'missing header', req(url, call, undefined));
  await v.reject('garbage signature', 'malformed header', req(url, call, '!!not base64!!'));
  await v.reject('signed with another token', 'wrong secret', req(url, call, sign(url, call, { secret: 'FAKEother' })));
  await v.reject('x-plivo-signature-v2 only', 'the header of another scheme', req(url, call, undefined, { headers: { 'x-plivo-signature-v2': enc.base64(hmac('sha256', v.secret, url + nonce)), 'x-plivo-signature-v2-nonce': nonce } }));
  await v.reject('signed like v2 (URL and nonce only)', 'the form is missing from the signed text', req(url, call, enc.base64(hmac('sha256', v.secret, url + nonce))));
  v.write(out);
}
{ // MessageBird: JWT with hashes of URL and body
  const v = new Vectors('messagebird', { source: 'sdk:npm:messagebird@4.0.1', secret: 'FAKEmessagebirdSigningKey0000000001',
    judge: (r) => birdJwt.verify(r.url, r.body, r.headers['messagebird-signature-jwt'], crypto.createSecretKey(Buffer.from(r.secret))) });
  const url = URL_BASE + 'messagebird', body = json({ id: 'fake0001', event: 'message.created', text: 'hi' });
  const claims = (b, o = {}) => ({ iss: 'MessageBird', nbf: NOW, iat: NOW, exp: NOW + 60, jti: 'fake0000-0000-0000-0000-000000000001', url_hash: enc.hex(sha256(o.url ?? url)), ...(b.length ? { payload_hash: enc.hex(sha256(b)) } : {}), ...o.claims });
  const jwt = (c, { alg = 'HS256', secret = v.secret, head } = {}) => {
    const p = [head ?? { alg, typ: 'JWT' }, c].map((x) => json(x).toString('base64url')).join('.');
    return p + '.' + (alg === 'none' ? '' : hmac('sha' + alg.slice(2), secret, p).toString('base64url'));
  };
  const req = (b, token, more) => ({ body: b, headers: { 'content-type': 'application/json', 'messagebird-signature-jwt': token }, ...more });
  const drop = (c, k) => { const d = { ...c }; delete d[k]; return d; };
  const c0 = claims(body), intl = json({ text }), qurl = url + '?status=delivered&at=2023-11-14T22%3A13%3A20Z';
  await v.accept('valid, HS256', 'claims and signature match', req(body, jwt(c0)));
  await v.accept('valid, HS384', 'HS256, HS384 and HS512 are allowed', req(body, jwt(c0, { alg: 'HS384' })));
  await v.accept('valid, HS512', 'HS256, HS384 and HS512 are allowed', req(body, jwt(c0, { alg: 'HS512' })));
  await v.accept('valid, non-ASCII text', 'claims and signature match', req(intl, jwt(claims(intl))));
  await v.accept('URL with a query', 'the whole URL is hashed', req(body, jwt(claims(body, { url: qurl })), { url: qurl }));
  await v.accept('GET without a body and without payload_hash', 'there is nothing to hash', { ...req('', jwt(claims(''))), method: 'GET' });
  await v.accept('one second before it expires', 'exp is in the future', req(body, jwt({ ...c0, nbf: NOW - 59, iat: NOW - 59, exp: NOW + 1 })));
  await v.accept('body that is not UTF-8, rightly hashed', 'bytes are hashed, not text', req(NON_UTF8, jwt(claims(NON_UTF8)), { tags: ['bytes'] }));
  await v.accept('rotation: two configured secrets, the second one matches', 'any configured secret may match', req(body, jwt(c0), { secrets: ['FAKEother', v.secret], tags: ['rotation'] }));
  await v.reject('tampered body', 'payload_hash mismatch', req(flip(body), jwt(c0)));
  await v.reject('another URL', 'url_hash mismatch', req(body, jwt(c0), { url: URL_BASE + 'other' }));
  await v.reject('query changed', 'url_hash mismatch', req(body, jwt(claims(body, { url: qurl })), { url: qurl + '&x=1' }));
  await v.reject('signed with another key', 'wrong secret', req(body, jwt(c0, { secret: 'FAKEother' })));
  await v.reject('another issuer', 'iss must be MessageBird', req(body, jwt({ ...c0, iss: 'messagebird.example' })));
  await v.reject('issuer missing', 'iss must be MessageBird', req(body, jwt(drop(c0, 'iss'))));
  await v.reject('expired one minute ago', 'exp is in the past', req(body, jwt({ ...c0, nbf: NOW - 120, iat: NOW - 120, exp: NOW - 60 })));
  await v.reject('not valid before one hour from now', 'nbf is in the future', req(body, jwt({ ...c0, nbf: NOW + 3600, iat: NOW + 3600, exp: NOW + 7200 })));
  await v.reject('url_hash missing', 'the URL must be bound', req(body, jwt(drop(c0, 'url_hash'))));
  await v.reject('payload_hash missing though there is a body', 'the body must be bound', req(body, jwt(drop(c0, 'payload_hash'))));
  await v.reject('jti missing', 'the SDK wants the token id', req(body, jwt(drop(c0, 'jti')), { tags: ['policy:jti'] }));
  await v.reject('alg none', 'unsigned token', req(body, jwt(c0, { alg: 'none', head: { alg: 'none', typ: 'JWT' } })));
  await v.reject('header says RS256, signature is an HMAC', 'only HS256, HS384, HS512', req(body, jwt(c0, { head: { alg: 'RS256', typ: 'JWT' } })));
  await v.reject('header says HS512, signature is HS256', 'signature mismatch', req(body, jwt(c0, { head: { alg: 'HS512', typ: 'JWT' } })));
  await v.reject('critical header that nobody knows', 'unknown crit', req(body, jwt(c0, { head: { alg: 'HS256', typ: 'JWT', crit: ['x-fake'], 'x-fake': 1 } })));
  await v.reject('two parts only', 'malformed token', req(body, jwt(c0).split('.').slice(0, 2).join('.')));
  await v.reject('missing header', 'missing header', req(body, undefined));
  await v.reject('older messagebird-signature header only', 'the header of another scheme', { body, headers: { 'messagebird-request-timestamp': String(NOW), 'messagebird-signature': enc.base64(hmac('sha256', v.secret, NOW + '\n\n', sha256(body))) } });
  v.write(out);
}
{ // Braintree: signature and payload are form fields
  const publicKey = 'fakepublickey0001', gateway = (privateKey) => new braintree.BraintreeGateway({ environment: braintree.Environment.Sandbox, merchantId: 'fakemerchant', publicKey, privateKey });
  const v = new Vectors('braintree', { source: 'sdk:npm:braintree@3.40.0', secret: 'fakeprivatekey00000000000000000001', config: { public_key: publicKey },
    judge: async (r) => { const f = querystring.parse(r.body.toString()); return Boolean(await gateway(r.secret).webhookNotification.parse(f.bt_signature, f.bt_payload)); } });
  const mac = (payload, secret = v.secret) => enc.hex(hmac('sha1', crypto.createHash('sha1').update(secret).digest(), payload));
  const req = (sig, payload, more) => ({ body: form([['bt_signature', sig], ['bt_payload', payload]].filter(([, x]) => x !== undefined)), headers: { 'content-type': 'application/x-www-form-urlencoded' }, ...more });
  const xml = (kind, id) => `<?xml version="1.0" encoding="UTF-8"?>\n<notification>\n  <timestamp type="datetime">${iso(NOW)}</timestamp>\n  <kind>${kind}</kind>\n  <subject>\n    <subscription>\n      <id>${id}</id>\n      <transactions type="array"/>\n      <add_ons type="array"/>\n      <discounts type="array"/>\n    </subscription>\n  </subject>\n</notification>\n`;
  const pay = (s) => Buffer.from(s).toString('base64') + '\n';
  const sample = gateway(v.secret).webhookTesting.sampleNotification(braintree.WebhookNotification.Kind.SubscriptionCanceled, 'fake_sub_1');
  const p = pay(xml('subscription_went_active', 'fake')), intl = pay(xml('subscription_charged_successfully', text)), pair = (x, k = publicKey) => `${k}|${x}`;
  await v.accept('sample notification made by the SDK', 'signature matches', req(sample.bt_signature, sample.bt_payload));
  await v.accept('check notification made by the SDK', 'signature matches', (() => { const s = gateway(v.secret).webhookTesting.sampleNotification(braintree.WebhookNotification.Kind.Check, 'x'); return req(s.bt_signature, s.bt_payload); })());
  await v.accept('valid, non-ASCII text in the XML', 'signature matches', req(pair(mac(intl)), intl));
  await v.accept('several pairs, ours is the second', 'the pair of our public key counts', req(`${pair('0'.repeat(40), 'otherkey')}&${pair(mac(p))}`, p));
  await v.accept('payload lost its trailing newline', 'the payload is also tried with a newline', req(pair(mac(p)), p.trimEnd()));
  await v.accept('payload in 76-character lines', 'the payload is signed as sent', (() => { const q = p.trimEnd().replace(/(.{76})/g, '$1\n') + '\n'; return req(pair(mac(q)), q); })());
  await v.accept('upper-case hex digits', 'hex is decoded before it is compared', req(pair(mac(p).toUpperCase()), p, { tags: ['policy:hex-case'] }));
  await v.accept('fields in the other order', 'names count, not order', { ...req('', ''), body: form([['bt_payload', p], ['bt_signature', pair(mac(p))]]) });
  await v.reject('tampered payload', 'signature mismatch', req(pair(mac(p)), pay(xml('subscription_canceled', 'fake'))));
  await v.reject('only the pair of another public key', 'no pair of our key', req(pair(mac(p), 'otherkey'), p));
  await v.reject('our public key, signature of another private key', 'wrong secret', req(pair(mac(p, 'other')), p));
  await v.reject('private key used without hashing it', 'the key is SHA-1 of the private key', req(pair(enc.hex(hmac('sha1', v.secret, p))), p));
  await v.reject('signature without a public key', 'malformed field', req(mac(p), p));
  await v.reject('empty signature behind our public key', 'malformed field', req(pair(''), p));
  await v.reject('garbage signature', 'malformed field', req(pair('zz'.repeat(20)), p));
  await v.reject('truncated signature', 'wrong length', req(pair(mac(p).slice(0, 20)), p));
  await v.reject('missing bt_signature', 'missing field', req(undefined, p));
  await v.reject('missing bt_payload', 'missing field', req(pair(mac('')), undefined));
  await v.reject('payload with characters outside base64, rightly signed', 'illegal characters', req(pair(mac(p + '<')), p + '<'));
  await v.reject('fields as JSON', 'a form is due', { body: json({ bt_signature: pair(mac(p)), bt_payload: p }), headers: { 'content-type': 'application/json' } });
  v.write(out);
}
{ // Telnyx: Ed25519
  const key = (n) => crypto.createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, n)]), format: 'der', type: 'pkcs8' });
  const pub = (k) => crypto.createPublicKey(k).export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64');
  const k1 = key(1), k2 = key(2);
  const v = new Vectors('telnyx', { source: 'sdk:npm:telnyx@7.24.0', secret: pub(k1), judge: async (r) => { await new TelnyxWebhook(r.secret).verify(r.body.toString(), r.headers); return true; } });
  const sign = (t, b, k = k1) => enc.base64(crypto.sign(null, Buffer.concat([Buffer.from(t + '|'), Buffer.from(b)]), k));
  const req = (t, b, sig, more) => ({ body: b, headers: { 'content-type': 'application/json', 'telnyx-signature-ed25519': sig, 'telnyx-timestamp': t }, ...more });
  const at = (sec, b, more) => req(String(NOW + sec), b, sign(String(NOW + sec), b), more);
  const event = (t) => json({ data: { event_type: 'message.received', id: 'fake0000-0000-0000-0000-000000000001', occurred_at: '2023-11-14T22:13:20.000+00:00', payload: { text: t }, record_type: 'event' }, meta: { attempt: 1, delivered_to: URL_BASE + 'telnyx' } });
  const body = event('hi'), t0 = String(NOW), good = sign(t0, body);
  await v.accept('valid, timestamp = now', 'Ed25519 over timestamp, "|", body', at(0, body));
  await v.accept('valid, non-ASCII text', 'signature matches', at(-5, event(text)));
  await v.accept('exactly 300 s old', 'inside the tolerance (inclusive)', at(-300, body));
  await v.accept('300 s in the future', 'clock skew inside the tolerance', at(300, body, { tags: ['policy:future'] }));
  await v.accept('body that is not UTF-8, rightly signed', 'bytes are signed, not text', at(0, NON_UTF8, { tags: ['bytes'] }));
  await v.accept('empty body, rightly signed', 'signature over zero body bytes', at(0, Buffer.alloc(0), { tags: ['policy:empty-body'] }));
  await v.accept('rotation: two configured keys, the second one matches', 'any configured key may match', at(0, body, { secrets: [pub(k2), pub(k1)], tags: ['rotation'] }));
  await v.reject('stale: 301 s old', 'timestamp too old', at(-301, body));
  await v.reject('future: 301 s ahead', 'timestamp too new', at(301, body, { tags: ['policy:future'] }));
  await v.reject('tampered body', 'signature mismatch', req(t0, flip(body), good));
  await v.reject('timestamp replaced', 'the timestamp is signed', req(String(NOW + 1), body, good));
  await v.reject('another public key', 'wrong key', req(t0, body, sign(t0, body, k2)));
  await v.reject('missing signature', 'missing header', req(t0, body, undefined));
  await v.reject('missing timestamp', 'missing header', req(undefined, body, good));
  await v.reject('short signature', 'wrong length', req(t0, body, enc.base64(Buffer.from(good, 'base64').subarray(0, 63))));
  await v.reject('signature in hex', 'wrong encoding', req(t0, body, Buffer.from(good, 'base64').toString('hex')));
  await v.reject('garbage signature', 'malformed header', req(t0, body, '!!not base64!!'));
  await v.reject('base64 padding cut off', 'base64 is strict: padding is due', req(t0, body, good.replace(/=+$/, ''), { tags: ['policy:base64-strict'] }));
  await v.reject('"." instead of "|" between timestamp and body', 'wrong separator', req(t0, body, enc.base64(crypto.sign(null, Buffer.from(t0 + '.' + body), k1))));
  await v.reject('letters behind the timestamp, signed as sent', 'a timestamp is digits only', req(t0 + 'abc', body, sign(t0 + 'abc', body)));
  await v.reject('HMAC under the public key', 'a public key is never an HMAC key', req(t0, body, enc.base64(hmac('sha512', Buffer.from(v.secret, 'base64'), t0, '|', body))));
  v.write(out);
}
{ // Mercado Pago: the body is not signed
  const v = new Vectors('mercadopago', { source: 'sdk:npm:mercadopago@3.6.1', secret: 'fakemercadopagosecret000000000000000000000000000000000000000001',
    judge: (r) => { WebhookSignatureValidator.validate({ xSignature: r.headers['x-signature'], xRequestId: r.headers['x-request-id'], dataId: new URL(r.url).searchParams.get('data.id'), secret: r.secret }); return true; } });
  const url = (id) => URL_BASE + 'mercadopago?' + (id ? `data.id=${id}&` : '') + 'type=payment', rid = 'fake0000-0000-0000-0000-000000000001';
  const manifest = (id, r, t) => (id ? `id:${id};` : '') + (r ? `request-id:${r};` : '') + `ts:${t};`;
  const sig = (id, r, t, secret = v.secret) => enc.hex(hmac('sha256', secret, manifest(id, r, t)));
  const body = json({ action: 'payment.updated', api_version: 'v1', data: { id: '123456' }, id: 1, live_mode: false, type: 'payment' });
  const req = (id, r, header, more) => ({ url: url(id), body, headers: { 'content-type': 'application/json', 'x-request-id': r, 'x-signature': header }, ...more });
  const t = String(NOW), good = sig('123456', rid, t), std = (more) => req('123456', rid, `ts=${t},v1=${good}`, more), ms = NOW + '000', order = 'ORD01FAKE4KY8HWQ6NA5PXB65B3';
  await v.accept('valid', 'HMAC over id, request id and timestamp', std());
  await v.accept('non-ASCII text in the body', 'only id, request id and timestamp are signed', std({ body: json({ data: { id: '123456' }, note: text }), tags: ['body-not-signed'] }));
  await v.accept('body changed', 'only id, request id and timestamp are signed', std({ body: json({ data: { id: '999' } }), tags: ['body-not-signed'] }));
  await v.accept('no data.id in the URL', 'an absent part is left out', req('', rid, `ts=${t},v1=${sig('', rid, t)}`));
  await v.accept('no x-request-id', 'an absent part is left out', req('123456', undefined, `ts=${t},v1=${sig('123456', '', t)}`));
  await v.accept('spaces in the header, parts in the other order', 'the parts are trimmed', req('123456', rid, `v1=${good}, ts=${t}`));
  await v.accept('id with upper-case letters, signed as sent', 'the SDKs keep the case of the id since June 2026', req(order, rid, `ts=${t},v1=${sig(order, rid, t)}`, { tags: ['policy:id-case'] }));
  await v.accept('id with upper-case letters, signed in lower case', 'the documentation asks for lower case: try both', req(order, rid, `ts=${t},v1=${sig(order.toLowerCase(), rid, t)}`, { tags: ['policy:id-case'], note: 'the SDK keeps the case of the id since June 2026; the documentation says lower case' }));
  await v.accept('timestamp in milliseconds', 'the documentation\'s example has thirteen digits; the SDK calls it seconds', req('123456', rid, `ts=${ms},v1=${sig('123456', rid, ms)}`, { tags: ['policy:unit'] }));
  await v.accept('one hour old', 'no window is documented', req('123456', rid, `ts=${NOW - 3600},v1=${sig('123456', rid, NOW - 3600)}`, { tags: ['policy:tolerance'] }));
  await v.accept('upper-case hex digits', 'hex is decoded before it is compared', req('123456', rid, `ts=${t},v1=${good.toUpperCase()}`, { tags: ['policy:hex-case'] }));
  await v.reject('another data.id', 'the id is signed', req('123457', rid, `ts=${t},v1=${good}`));
  await v.reject('data.id dropped', 'the id is signed', req('', rid, `ts=${t},v1=${good}`));
  await v.reject('another x-request-id', 'the request id is signed', req('123456', 'fake-2', `ts=${t},v1=${good}`));
  await v.reject('x-request-id dropped', 'the request id is signed', req('123456', undefined, `ts=${t},v1=${good}`));
  await v.reject('timestamp replaced', 'the timestamp is signed', req('123456', rid, `ts=${NOW + 1},v1=${good}`));
  await v.reject('signed with another secret', 'wrong secret', req('123456', rid, `ts=${t},v1=${sig('123456', rid, t, 'other')}`));
  await v.reject('missing x-signature', 'missing header', req('123456', rid, undefined));
  await v.reject('no timestamp', 'malformed header', req('123456', rid, `v1=${good}`));
  await v.reject('signature under v2', 'only v1 is known', req('123456', rid, `ts=${t},v2=${good}`));
  await v.reject('letters in the timestamp, signed as sent', 'a timestamp is digits only', req('123456', rid, `ts=${t}abc,v1=${sig('123456', rid, t + 'abc')}`));
  await v.reject('garbage signature', 'malformed header', req('123456', rid, `ts=${t},v1=zz`));
  await v.reject('manifest without the last semicolon', 'every part ends in a semicolon', req('123456', rid, `ts=${t},v1=${enc.hex(hmac('sha256', v.secret, manifest('123456', rid, t).slice(0, -1)))}`));
  await v.reject('HMAC of the body', 'the manifest is signed, not the body', req('123456', rid, `ts=${t},v1=${enc.hex(hmac('sha256', v.secret, body))}`));
  v.write(out);
}
{ // HubSpot v2: a plain hash over secret, method, URL and body
  const url = URL_BASE + 'hubspot-v2?portal=1';
  const v = new Vectors('hubspot-v2', { source: 'sdk:npm:@hubspot/api-client@13.5.0', secret: 'fake0000-0000-4000-8000-hubspotv2000',
    judge: (r) => Signature.isValid({ signatureVersion: 'v2', signature: r.headers['x-hubspot-signature'], clientSecret: r.secret, requestBody: r.body.toString(), url: r.url, method: r.method }) });
  const sum = (b, { method = 'POST', u = url, secret = v.secret } = {}) => enc.hex(sha256(secret, method, u, b));
  const req = (b, s, more) => ({ url, body: b, headers: { 'content-type': 'application/json', 'x-hubspot-signature': s, 'x-hubspot-signature-version': 'v2' }, ...more });
  const event = (n) => json({ objectId: 1, propertyName: 'firstname', propertyValue: n, portalId: 62515 }), body = event('Jane'), good = sum(body);
  await v.accept('valid', 'hash over secret, method, URL and body', req(body, good));
  await v.accept('valid, non-ASCII text', 'hash matches', req(event(text), sum(event(text))));
  await v.accept('GET without a body', 'hash over secret, method and URL', { ...req('', sum('', { method: 'GET' })), method: 'GET' });
  await v.reject('body that is not UTF-8, rightly signed', 'a hash of a secret and what is no text may be an extended one', req(NON_UTF8, sum(NON_UTF8), { tags: ['bytes'] }));
  await v.accept('rotation: two configured secrets, the second one matches', 'any configured secret may match', req(body, good, { secrets: ['other', v.secret], tags: ['rotation'] }));
  await v.accept('upper-case hex digits', 'hex is decoded before it is compared', req(body, good.toUpperCase(), { tags: ['policy:hex-case'] }));
  await v.reject('tampered body', 'hash mismatch', req(flip(body), good));
  await v.reject('another method', 'the method is signed', req(body, good, { method: 'PUT' }));
  await v.reject('another URL', 'the URL is signed', req(body, good, { url: url + '&x=1' }));
  await v.reject('query dropped', 'the URL is signed with its query', req(body, good, { url: URL_BASE + 'hubspot-v2' }));
  await v.reject('another secret', 'wrong secret', req(body, sum(body, { secret: 'other' })));
  await v.reject('signed the v1 way', 'method and URL are missing', req(body, enc.hex(sha256(v.secret, body))));
  await v.reject('HMAC instead of a plain hash', 'wrong algorithm', req(body, enc.hex(hmac('sha256', v.secret, 'POST', url, body))));
  await v.reject('missing signature', 'missing header', req(body, undefined));
  await v.reject('garbage signature', 'malformed header', req(body, 'zz'.repeat(32)));
  await v.reject('v3 signature only', 'the header of another scheme', { url, body, headers: { 'x-hubspot-signature-v3': enc.base64(hmac('sha256', v.secret, 'POST', url, body, NOW + '000')), 'x-hubspot-request-timestamp': NOW + '000' } });
  v.write(out);
}

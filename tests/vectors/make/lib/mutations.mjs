// What every provider's requests go through: the changes that must not matter, and those
// that must.

import { NOW, bodyOf, headerValue, signedBytes, writeTime } from './request.mjs';
import { plain } from './secrets.mjs';

const flipped = (bytes, at) => {
  const copy = Buffer.from(bytes);
  copy[at] ^= 1;
  return copy;
};

const isHmac = ({ algorithm = 'sha256' }) => algorithm.startsWith('sha');

/** All of them. */
export function everyMutation(cases) {
  accepted(cases);
  if (cases.provider.encoding !== undefined) base64(cases);
  else hex(cases);
  damaged(cases);
  keys(cases);
  bodies(cases);
  repeated(cases);
  if (cases.provider.time) times(cases);
  if (cases.provider.idHeader) idHeaders(cases);
}

function accepted(cases) {
  const { provider } = cases;
  const [own, next] = provider.secrets;
  cases.accept('as the provider sends it', 'the signature matches');
  cases.accept('rotation: signed with the old secret', 'every configured secret is tried', { signer: own, secrets: [next, own] });
  cases.accept('rotation: signed with the new secret', 'every configured secret is tried', { signer: next, secrets: [own, next] });
}

function hex(cases) {
  cases.accept('hexadecimal digits in upper case', 'hexadecimal is decoded before it is compared', {
    encode: (raw) => raw.toString('hex').toUpperCase(),
  });
  cases.reject('the signature in base64', 'hexadecimal is due', { encode: (raw) => raw.toString('base64') });
  cases.reject('one digit of the signature is missing', 'half a byte is none', {
    encode: (raw) => raw.toString('hex').slice(0, -1),
  });
}

function base64(cases) {
  const { encoding } = cases.provider;
  cases.reject('the signature in hexadecimal', `${encoding} is due`, { encode: (raw) => raw.toString('hex') });
  if (encoding === 'base64') {
    const padless = (raw) => raw.toString('base64').replace(/=+$/, '');
    cases.reject('base64 without its padding', 'base64 is taken strictly', { encode: padless });
    cases.reject('base64url instead of base64', 'base64 is taken strictly', { encode: (raw) => raw.toString('base64url') });
  } else {
    cases.reject('base64 instead of base64url', 'base64url is taken strictly', { encode: (raw) => raw.toString('base64') });
    cases.reject('base64url with padding', 'base64url is taken strictly', {
      encode: (raw) => `${raw.toString('base64url')}=`,
    });
  }
}

/** Signatures that are none. */
function damaged(cases) {
  const { provider } = cases;
  const { encoding = 'hex', prefix } = provider;
  const write = (raw) => raw.toString(encoding);
  const value = (text) => ({ value: (_, time) => headerValue(provider, [text], time) });
  cases.reject('no signature', 'nothing is proven', { without: [provider.header] });
  cases.reject('the header of the signature is empty', 'nothing is proven', { value: () => '' });
  cases.reject('nothing behind the name of the signature', 'nothing is proven', value(''));
  cases.reject('garbage for a signature', 'it cannot be decoded', value('this is not a signature!'));
  cases.reject('one byte of the signature is wrong', 'it does not match', { encode: (raw) => write(flipped(raw, 5)) });
  cases.reject('the signature lacks its last byte', 'a part of a signature is none', { encode: (raw) => write(raw.subarray(0, -1)) });
  cases.reject('the signature has one byte more', 'more than a signature is none', {
    encode: (raw) => write(Buffer.concat([raw, Buffer.from([0])])),
  });
  cases.reject('a signature of zeros', 'it does not match', { encode: (raw) => write(Buffer.alloc(raw.length)) });
  if (prefix) {
    cases.reject('the signature lacks its prefix', `${prefix} is due`, { prefix: '' });
    cases.reject('the signature has another prefix', `${prefix} is due`, { prefix: `x${prefix}` });
  }
}

/** Signatures that somebody else makes. */
function keys(cases) {
  const { provider } = cases;
  const [own, next, stranger] = provider.secrets;
  cases.reject('signed with another secret', 'only the configured ones count', { signer: stranger });
  cases.reject('signed with neither of two secrets', 'only the configured ones count', { signer: stranger, secrets: [own, next] });
  if (isHmac(provider) && own.key.equals(Buffer.from(own.text))) {
    const odd = plain('FAKE &amp; \ufb01');
    cases.accept('a secret is its own bytes', 'neither entities nor ligatures are resolved', { signer: odd, secrets: [odd] });
  }
  if (isHmac(provider)) {
    cases.reject('signed with an empty key', 'an empty key is nobody\'s', { signer: { key: Buffer.alloc(0) } });
    cases.reject('a plain hash instead of a signature', 'everybody can make it', { algorithm: 'hash' });
    const others = ['sha1', 'sha256', 'sha512'].filter((name) => name !== (provider.algorithm ?? 'sha256'));
    for (const algorithm of others) {
      cases.reject(`signed with HMAC-${algorithm.toUpperCase()}`, 'the provider uses another hash', { algorithm });
    }
  } else {
    cases.reject('an HMAC with the public key', 'everybody knows the public key', { algorithm: 'sha256' });
  }
}

function bodies(cases) {
  const { provider } = cases;
  const body = bodyOf(provider, provider.time && writeTime(provider, NOW * 1000));
  cases.reject('one byte of the body is another', 'the body is signed', { sent: flipped(body, body.length - 3) });
  cases.reject('a line feed behind the body', 'the body is signed', { sent: Buffer.concat([body, Buffer.from('\n')]) });
  cases.reject('the body is missing', 'the body is signed', { sent: Buffer.alloc(0) });
  cases.accept('the body is indented', 'the bytes are signed, not what they mean', {
    body: Buffer.from(JSON.stringify(JSON.parse(body), null, 2)),
  });
  if (signsMore(provider)) {
    cases.reject('the body alone is signed', 'more than the body is due', { signed: body });
  }
  if (typeof provider.body === 'function') return;
  const bare = provider.bare ?? {};
  cases.accept('an empty body, signed', 'nothing is wrong with an empty body', { body: Buffer.alloc(0) }, bare);
  cases.accept('a body that is not UTF-8, signed', 'a body is bytes', { body: Buffer.from('7bff00fe80c3287d', 'hex') }, bare);
}

/** Whether anything beside the body is signed. */
function signsMore(provider) {
  const body = Buffer.from('body');
  return !signedBytes(provider, { time: '1', body, url: 'u', headers: provider.headers ?? {} }).equals(body);
}

/** What proxies do to headers that come twice. */
function repeated(cases) {
  const { provider } = cases;
  const zeros = (raw) => Buffer.alloc(raw.length, 7).toString(provider.encoding ?? 'hex');
  const both = (good, time, raw) => [zeros(raw), good].map((one) => headerValue(provider, [one], time));
  cases.accept('the header comes twice, the second one is right', 'any of several may match', { value: both });
  cases.accept('the header came twice, and a proxy has joined it', 'any of several may match', {
    value: (...all) => both(...all).join(', '),
  });
  cases.reject('the header comes twice, and none is right', 'one has to match', {
    value: (good, time, raw) => [both(good, time, raw)[0], both(good, time, raw)[0]],
  });
  if (provider.join) {
    cases.accept('several signatures, the second one is right', 'any of several may match', {
      value: (good, time, raw) => headerValue(provider, [zeros(raw), good], time),
    });
    cases.accept('several signatures, the first one is right', 'any of several may match', {
      value: (good, time, raw) => headerValue(provider, [good, zeros(raw)], time),
    });
    cases.reject('several signatures, and none is right', 'one has to match', {
      value: (good, time, raw) => headerValue(provider, [zeros(raw), zeros(raw)], time),
    });
  }
}

function times(cases) {
  const { provider } = cases;
  const { unit, tolerance } = provider.time;
  const step = unit === 'ms' ? 1 : 1000;
  const at = (ms) => ({ time: writeTime(provider, NOW * 1000 + ms) });
  const edge = tolerance * 1000;
  cases.accept(`${tolerance} s old`, 'the tolerance is inclusive', at(-edge));
  cases.accept(`${tolerance} s in the future`, 'clocks differ in both directions', at(edge));
  cases.reject(`${step} ms older than ${tolerance} s`, 'the time is too old', at(-edge - step));
  cases.reject(`${step} ms more than ${tolerance} s in the future`, 'the time is too far in the future', at(edge + step));
  cases.reject('a time long ago', 'the time is too old', at(-30 * 86_400_000));
  const good = writeTime(provider, NOW * 1000);
  const wrong = unit === 's' || unit === 'ms'
    ? [`${good}abc`, `-${good}`, `+${good}`, `${good}.0`, unit === 's' ? `${NOW}000` : String(NOW), '0x6553f100']
    : [good.replace('Z', ''), String(NOW), `${good}x`, good.slice(0, 10)];
  for (const time of wrong) cases.reject(`the time is ${time}, signed`, 'it is no time of this provider\'s', { time });
  if (provider.timeHeader) {
    cases.reject('no time', 'without a time it could be old', { without: [provider.timeHeader] });
    cases.reject('the header of the time is empty', 'without a time it could be old', { after: { [provider.timeHeader]: '' } });
    cases.reject('another time than the signed one', 'the time is signed', { after: { [provider.timeHeader]: at(-2000).time } });
  }
  if (provider.stamp) {
    cases.reject('no time', 'without a time it could be old', { value: (sig) => headerValue(provider, [sig]) });
    cases.reject('another time than the signed one', 'the time is signed', {
      value: (sig) => headerValue(provider, [sig], at(-2000).time),
    });
  }
}

/** Ids in headers: signed ones cannot be changed, others only name the event. */
function idHeaders(cases) {
  const { provider } = cases;
  const { idHeader, idIsSigned } = provider;
  const other = { after: { [idHeader]: 'another-id' } };
  const none = { without: [idHeader] };
  if (idIsSigned) {
    cases.reject('another id than the signed one', 'the id is signed', other);
    cases.reject('no id', 'the id is signed', none);
  } else {
    cases.accept('the same under another id', 'the header of the id is not signed', other, { ...provider, id: 'another-id' });
    cases.accept('no id', 'an event needs none', none, { type: provider.type });
  }
}

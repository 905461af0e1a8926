// Standard Webhooks and those who follow it.

import { bytes, decoded, ed25519, plain } from '../lib/secrets.mjs';
import { headerValue } from '../lib/request.mjs';

const ID = 'msg_2KWPBgLlAfxdpx2AI54pPJ85f4W';

const body = { type: 'contact.created', timestamp: '2023-11-14T22:13:20.000000Z', data: { id: '1f81eb52-5198-4599-803e-771906343485' } };

const signed = ({ time, body, headers }) =>
  [headers['svix-id'] ?? headers['webhook-id'] ?? '', '.', time, '.', body];

const shared = ['one', 'two', 'stranger'].map((seed) => decoded(`whsec_${bytes(seed).toString('base64')}`, bytes(seed)));

const base = (name, family, rest) => ({
  name,
  header: `${family}-signature`,
  timeHeader: `${family}-timestamp`,
  prefix: 'v1,',
  join: ' ',
  encoding: 'base64',
  time: { unit: 's', tolerance: 300 },
  signed,
  headers: { [`${family}-id`]: ID },
  body,
  id: ID,
  type: 'contact.created',
  bare: { id: ID },
  idHeader: `${family}-id`,
  idIsSigned: true,
  ...rest,
});

/** Secrets whose base64 is the key. */
function decodedSecrets(cases) {
  const [own] = cases.provider.secrets;
  const bare = decoded(own.text.slice(6), own.key);
  cases.accept('the secret without whsec_', 'the prefix may be left out', { secrets: [bare] });
  cases.reject('the text of the secret is the key', 'it is base64, decoded', { signer: plain(own.text) });
  cases.reject('the base64 of the secret is the key', 'it is base64, decoded', { signer: plain(bare.text) });
}

function versions(cases) {
  cases.accept('a version that is not known beside v1', 'it is skipped', { value: (good) => `v2,AAAA v1,${good}` });
  cases.reject('only a version that is not known', 'v1 is due', { prefix: 'v2,' });
  cases.reject('only v1a, with a shared secret', 'v1 is due', { prefix: 'v1a,' });
}

const openKeys = ['one', 'two', 'stranger'].map((seed) => ed25519(seed, (half) => `whpk_${half.toString('base64')}`));
const ownKey = ed25519('one', (half, seed) => `whsk_${seed.toString('base64')}`);

/** Signatures with public keys, where both kinds may come. */
function openKinds(cases) {
  const [own, next] = openKeys;
  const asked = { signer: own, secrets: [own], algorithm: 'ed25519', prefix: 'v1a,' };
  cases.accept('a public key', 'v1a is Ed25519', asked);
  cases.accept('a public key, and the second of two', 'every configured key is tried', { ...asked, secrets: [next, own] });
  cases.accept('the sender\'s own key', 'it holds the public one', { ...asked, secrets: [ownKey] });
  cases.accept('a shared secret and a public key, signed with the latter', 'each kind has its own signatures', {
    ...asked,
    secrets: [cases.provider.secrets[0], own],
  });
  cases.accept('a shared secret and a public key, signed with the former', 'each kind has its own signatures', {
    secrets: [cases.provider.secrets[0], own],
  });
  cases.accept('a public key, and v1 beside v1a', 'each kind has its own signatures', {
    ...asked,
    value: (good) => `v1,AAAA v1a,${good}`,
  });
  for (const begin of ['whpk', 'whsk']) {
    const text = `${begin}${bytes('shared').toString('base64')}`;
    const shared = decoded(text, Buffer.from(text, 'base64'));
    cases.accept(`a shared secret that begins with ${begin}`, 'no underscore follows, so it is base64', { signer: shared, secrets: [shared] });
  }
  cases.reject('a signature of Ed25519 as v1', 'v1a is due', { ...asked, prefix: 'v1,' });
  cases.reject('another key of the kind', 'it does not match', { ...asked, signer: next });
  cases.reject('an HMAC with the public key as v1', 'everybody knows the public key', { signer: own, secrets: [own] });
  cases.reject('an HMAC with the public key as v1a', 'everybody knows the public key', { signer: own, secrets: [own], prefix: 'v1a,' });
  cases.reject('an HMAC with the text of the public key', 'everybody knows the public key', { signer: plain(own.text), secrets: [own] });
}

/** Svix lets each header be of either family. */
function families(cases) {
  const other = 'webhook-id';
  const time = '1700000000';
  const renamed = { header: 'webhook-signature' };
  cases.accept('all headers of the other family', 'both families are known', {
    ...renamed,
    headers: { [other]: ID },
    after: { 'webhook-timestamp': time },
    without: ['svix-id', 'svix-timestamp'],
  });
  cases.accept('the signature alone is of the other family', 'each header falls back on its own', renamed);
  cases.accept('the id alone is of the other family', 'each header falls back on its own', {
    headers: { [other]: ID },
    without: ['svix-id'],
  });
  cases.accept('the time alone is of the other family', 'each header falls back on its own', {
    after: { 'webhook-timestamp': time },
    without: ['svix-timestamp'],
  });
  cases.accept('both families, of which the other has another id', 'the own family counts', { headers: { [other]: 'msg_other' } });
  cases.accept('both families, of which the other has another time', 'the own family counts', { after: { 'webhook-timestamp': '1600000000' } });
  cases.accept('both families, of which the other has another signature', 'any of several may match', { after: { 'webhook-signature': 'v1,AAAA' } });
  cases.reject('another id in the other family', 'the id is signed', {
    after: { [other]: 'msg_other' },
    without: ['svix-id'],
  });
}

export const standard = [
  base('standard-webhooks', 'webhook', {
    secrets: shared,
    more: (cases) => {
      decodedSecrets(cases);
      versions(cases);
      openKinds(cases);
    },
  }),
  base('standard-webhooks-v1a', 'webhook', {
    secrets: openKeys,
    algorithm: 'ed25519',
    prefix: 'v1a,',
    more: (cases) => {
      const [own] = openKeys;
      const bare = { ...own, text: own.text.slice(5) };
      cases.accept('the key without whpk_', 'the prefix may be left out', { secrets: [bare] });
      cases.accept('the sender\'s own key', 'it holds the public one', { secrets: [ownKey] });
      cases.accept('v1 beside v1a', 'versions that are not asked for are skipped', { value: (good) => `v1,AAAA v1a,${good}` });
      cases.reject('only v1', 'v1a is due', { prefix: 'v1,' });
    },
  }),
  base('svix', 'svix', {
    secrets: shared,
    more: (cases) => {
      decodedSecrets(cases);
      versions(cases);
      families(cases);
    },
  }),
  base('bigcommerce', 'webhook', {
    // Its own bytes are the key, although it could be decoded.
    secrets: ['RkFLRS1iaWdjb21tZXJjZS0x', 'RkFLRS1iaWdjb21tZXJjZS0y', 'RkFLRS1iaWdjb21tZXJjZS0z'].map(plain),
    body: { scope: 'store/order/created', store_id: '1025646', data: { type: 'order', id: 250 }, hash: 'dd70c0976e06b67aaf671e73f49dcb79230ebf9d', created_at: 1700000000, producer: 'stores/fake' },
    type: undefined,
    more: (cases) => {
      versions(cases);
      const key = Buffer.from(cases.provider.secrets[0].text, 'base64');
      cases.reject('signed with the secret decoded', 'its own bytes are the key', { signer: { key } });
      cases.accept('the same signature twice', 'any of several may match', {
        value: (good, time) => headerValue(cases.provider, [good, good], time),
      });
    },
  }),
];

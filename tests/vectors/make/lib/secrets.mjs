// Secrets as an operator configures them (`text`), with the key that signs. All are
// made up; private keys come from fixed seeds, so that a second run makes the same.

import { createECDH, createHmac, createPrivateKey, createPublicKey, verify } from 'node:crypto';

/** The text's own bytes are the key. */
export const plain = (text) => ({ text, key: Buffer.from(text) });

/** The text stands for other bytes. */
export const decoded = (text, key) => ({ text, key: Buffer.from(key) });

/** 32 bytes that nobody uses. */
export const bytes = (seed) => createHmac('sha256', 'made up').update(seed).digest();

/** An Ed25519 pair; `write` says how its public half is configured. */
export function ed25519(seed, write) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), bytes(seed)]);
  const own = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const jwk = createPublicKey(own).export({ format: 'jwk' });
  const half = Buffer.from(jwk.x, 'base64url');
  return { text: write(half, bytes(seed)), key: half, own };
}

/** A P-256 pair; its public half is configured as base64 of the SPKI. */
export function p256(seed, write = (spki) => spki.toString('base64')) {
  const scalar = bytes(seed);
  const point = pointOf(scalar);
  const half = (from) => point.subarray(from, from + 32).toString('base64url');
  const jwk = { kty: 'EC', crv: 'P-256', d: scalar.toString('base64url'), x: half(1), y: half(33) };
  const open = createPublicKey(createPrivateKey({ key: jwk, format: 'jwk' }));
  const spki = open.export({ format: 'der', type: 'spki' });
  return { text: write(spki, open), key: spki, scalar, open };
}

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

const number = (buffer) => BigInt(`0x${buffer.toString('hex')}`);

function pointOf(scalar) {
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(scalar);
  return curve.getPublicKey();
}

function power(base, exponent) {
  let result = 1n;
  for (; exponent > 0n; exponent >>= 1n, base = (base * base) % ORDER) {
    if (exponent & 1n) result = (result * base) % ORDER;
  }
  return result;
}

function derInteger(value) {
  let hex = value.toString(16);
  if (hex.length % 2) hex = `0${hex}`;
  if (parseInt(hex.slice(0, 2), 16) > 127) hex = `00${hex}`;
  return Buffer.concat([Buffer.from([2, hex.length / 2]), Buffer.from(hex, 'hex')]);
}

/**
 * ECDSA with SHA-256 in DER. The nonce is derived from key and message instead of drawn,
 * so that files do not change from run to run; node judges the result.
 */
export function ecdsa(pair, message, digest) {
  const nonce = createHmac('sha256', pair.scalar).update(message).digest();
  const r = number(pointOf(nonce).subarray(1, 33)) % ORDER;
  const s = (power(number(nonce), ORDER - 2n) * (number(digest) + r * number(pair.scalar))) % ORDER;
  const both = Buffer.concat([derInteger(r), derInteger(s)]);
  const signature = Buffer.concat([Buffer.from([0x30, both.length]), both]);
  if (!verify('sha256', message, pair.open, signature)) throw new Error('made a wrong signature');
  return signature;
}

// Compares the conversion of the template with the platform's, on sequences of the bytes and
// code units at which a decoder or an encoder changes its mind.
import assert from "node:assert/strict";

import { decode, encode } from "UTF8_MODULE";

const BYTES = [
  0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xee, 0xef, 0xf0,
  0xf1, 0xf4, 0xf5, 0xff,
];
const UNITS = [0x41, 0x7f, 0x80, 0x7ff, 0x800, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xffff];
const CASES = 200_000;

let seed = 1;
const pick = (list) => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
  return list[(seed >>> 8) % list.length];
};
const some = (list, count) => Array.from({ length: count }, () => pick(list));

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();
for (let at = 0; at < CASES; at += 1) {
  const bytes = Uint8Array.from(some(BYTES, at % 9));
  assert.equal(decode(bytes), decoder.decode(bytes), `bytes ${bytes}`);
  const text = String.fromCharCode(...some(UNITS, at % 6));
  assert.deepEqual(encode(text), encoder.encode(text), `text ${JSON.stringify(text)}`);
}
const long = "aé€😀".repeat(5_000);
assert.equal(decode(encode(long)), long);
console.log(`${CASES} sequences of bytes, ${CASES} of code units`);

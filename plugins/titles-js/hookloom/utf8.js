// UTF-8, as TextDecoder and TextEncoder convert it: the engine inside of a component has
// neither.

/** Code units handed to `String.fromCharCode` at once: arguments lie on the stack. */
const UNITS = 2048;

/**
 * The text of these bytes. What is not UTF-8 reads as U+FFFD, once for each maximal part
 * of a sequence (https://encoding.spec.whatwg.org/#utf-8-decoder).
 *
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function decode(bytes) {
  let text = "";
  let units = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at];
    if (first < 0x80) {
      units.push(first);
      at += 1;
    } else {
      at = sequence(bytes, at, units);
    }
    if (units.length >= UNITS) {
      text += String.fromCharCode.apply(null, units);
      units = [];
    }
  }
  return text + String.fromCharCode.apply(null, units);
}

/** Reads one sequence of several bytes, and returns where the next one begins. */
function sequence(bytes, start, units) {
  const first = bytes[start];
  const length = first < 0xc2 || first > 0xf4 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  let point = length === 0 ? 0 : first & (0xff >> (length + 1));
  // The second byte's bounds shut out overlong forms, surrogates and what is above U+10FFFF.
  let lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  let highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  let at = start + 1;
  for (; at < start + length; at += 1) {
    // Behind the end this compares with undefined, and is neither.
    if (!(bytes[at] >= lowest && bytes[at] <= highest)) break;
    point = (point << 6) | (bytes[at] & 0x3f);
    [lowest, highest] = [0x80, 0xbf];
  }
  if (length === 0 || at < start + length) {
    units.push(0xfffd);
  } else if (point > 0xffff) {
    units.push(0xd7c0 + (point >> 10), 0xdc00 + (point & 0x3ff));
  } else {
    units.push(point);
  }
  return at;
}

/**
 * The bytes of this text. A surrogate without its other half becomes U+FFFD.
 *
 * @param {string} text
 * @returns {Uint8Array}
 */
export function encode(text) {
  // No code unit becomes more than three bytes.
  const bytes = new Uint8Array(text.length * 3);
  let end = 0;
  for (let at = 0; at < text.length; at += 1) {
    let point = text.charCodeAt(at);
    if (point < 0x80) {
      bytes[end++] = point;
      continue;
    }
    if (point >= 0xd800 && point <= 0xdfff) {
      const next = text.charCodeAt(at + 1);
      const pair = point < 0xdc00 && next >= 0xdc00 && next <= 0xdfff;
      point = pair ? ((point - 0xd7c0) << 10) + (next - 0xdc00) : 0xfffd;
      if (pair) at += 1;
    }
    if (point < 0x800) {
      bytes[end++] = 0xc0 | (point >> 6);
    } else {
      if (point < 0x10000) {
        bytes[end++] = 0xe0 | (point >> 12);
      } else {
        bytes[end++] = 0xf0 | (point >> 18);
        bytes[end++] = 0x80 | ((point >> 12) & 0x3f);
      }
      bytes[end++] = 0x80 | ((point >> 6) & 0x3f);
    }
    bytes[end++] = 0x80 | (point & 0x3f);
  }
  return bytes.slice(0, end);
}

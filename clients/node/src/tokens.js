// The form of access tokens. Holdfast alone decides whether a token belongs to a live session.

/** No token is longer. Longer text is refused without a call. */
const MAX_LENGTH = 512;
const VISIBLE = /^[\x21-\x7e]+$/;
/** Owner (16 bytes), place (a digit), secret (32 bytes) and checksum (4 bytes), in base64url. */
const FORM = /^(hf1\.[A-Za-z0-9_-]{22}\.[0-9]\.[A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{6})$/;

/**
 * Returns whether a text can be a token at all: 1 to 512 visible ASCII characters.
 * @param {string} text
 */
export function canBeToken(text) {
  return text.length <= MAX_LENGTH && VISIBLE.test(text);
}

/**
 * Returns whether a text has the form and the checksum of an access token. It chooses between several cookies of one name only.
 * @param {string} text
 */
export function isWellFormed(text) {
  const [, body, checksum] = FORM.exec(text) ?? [];
  return body !== undefined && base64url(crc32(body)) === checksum;
}

/**
 * CRC-32 of ASCII text, bit by bit (Node has a function for it from 22.2).
 * @param {string} text
 */
function crc32(text) {
  let sum = ~0;
  for (let at = 0; at < text.length; at++) {
    sum ^= text.charCodeAt(at);
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (0xedb88320 & -(sum & 1));
  }
  return ~sum >>> 0;
}

/**
 * The four bytes of a number, the highest first.
 * @param {number} number
 */
function base64url(number) {
  const bytes = [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff);
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** UTF-8, also on engines without TextEncoder and TextDecoder, such as Hermes and QuickJS. */

/**
 * The bytes of a text, one character each. Unpaired surrogates become U+FFFD. The expression has no flag `u`, which
 * Babel compiles for React Native into one that also replaces the character before a low surrogate.
 */
export function bytesOfText(text: string): string {
  const paired = text.replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, (found) =>
    found[1] ? found : '\ufffd',
  );
  return unescape(encodeURIComponent(paired));
}

/** The text of bytes, one character each. @throws URIError if they are not UTF-8 */
const strictTextOf = (bytes: string): string => decodeURIComponent(escape(bytes));

/** The text of bytes, one character each. A byte order mark is kept, and every malformed byte becomes U+FFFD. */
export function textOfBytes(bytes: string): string {
  return bytes.replace(/[\x80-\xff][\x80-\xbf]{0,3}/g, function decode(sequence): string {
    try {
      return strictTextOf(sequence);
    } catch {
      return sequence && `${decode(sequence.slice(0, -1))}\ufffd`;
    }
  });
}

/** Encodes a text. Unpaired surrogates become U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  return typeof TextEncoder === 'function'
    ? new TextEncoder().encode(text)
    : Uint8Array.from(bytesOfText(text), (byte) => byte.charCodeAt(0));
}

let decoder: TextDecoder | undefined;

/** Decodes a text, including a byte order mark. @throws TypeError or URIError if the bytes are not UTF-8 */
export function decodeUtf8(bytes: Uint8Array): string {
  if (typeof TextDecoder !== 'function')
    return strictTextOf(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  // One decoder, since it takes far more memory than a short text.
  decoder ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  return decoder.decode(bytes);
}

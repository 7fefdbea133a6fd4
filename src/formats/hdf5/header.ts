/** Object headers of version 1 [IV.A.1]: the messages that describe a group or a dataset. */

import { claim, enter, readUint64, reject, type Source } from './source';

/** A header message. */
export interface Message {
  /** The offset of its content in the file. */
  readonly at: number;
  /** The length of its content in bytes. */
  readonly size: number;
}

/** The type of each message that is read, and its minimum size in bytes. */
const messages = {
  shape: [0x01, 4],
  links: [0x02, 0],
  type: [0x03, 8],
  link: [0x06, 0],
  externalFiles: [0x07, 0],
  layout: [0x08, 4],
  filters: [0x0b, 0],
  table: [0x11, 16],
} as const;

/** The first message of each kind, and all attributes. */
export type Header = Readonly<Partial<Record<keyof typeof messages, Message>>> & {
  readonly attributes: readonly Message[];
};

const attributeType = 0x0c;

/**
 * Reads an object header.
 *
 * @throws RangeError if the header is truncated, has another version, or shares messages with others
 */
export function headerAt(source: Source, at: number, what: string): Header {
  const { view, bytes } = source;
  const name = `the header of ${what}`;
  enter(source, at, what);
  claim(source, at, 16, name);
  if (bytes[at] !== 1)
    reject(
      `${name} has version ${bytes[at] === 0x4f ? "2 (tracked creation order, or libver='latest')" : bytes[at]}; ` +
        'only version 1 is supported.',
    );
  const found: { -readonly [K in keyof typeof messages]?: Message } = {};
  const attributes: Message[] = [];
  const blocks = [{ from: at + 16, length: view.getUint32(at + 8, true) }];
  for (let block = blocks.pop(); block !== undefined; block = blocks.pop()) {
    const end = block.from + block.length;
    claim(source, block.from, block.length, name);
    for (let start = block.from; start + 8 <= end; ) {
      const [type, size, flags] = [view.getUint16(start, true), view.getUint16(start + 2, true), bytes[start + 4]!];
      const message = { at: start + 8, size };
      start += 8 + size;
      if (start > end) reject(`a message of ${name} is longer than its block.`);
      if (type === 0x10) {
        if (size < 16) reject(`a message of ${name} is truncated.`);
        blocks.push({ from: readUint64(source, message.at, name), length: readUint64(source, message.at + 8, name) });
      }
      if (type === attributeType && size >= 8 && (flags & 2) === 0) attributes.push(message);
      for (const [kind, [messageType, minimumSize]] of Object.entries(messages) as [
        keyof typeof messages,
        readonly [number, number],
      ][]) {
        if (type !== messageType || found[kind] !== undefined) continue;
        if (flags & 2) reject(`${what} has a shared ${kind} (a committed type), which is not supported.`);
        if (size < minimumSize) reject(`the ${kind} of ${what} is truncated.`);
        found[kind] = message;
      }
    }
  }
  return { ...found, attributes };
}

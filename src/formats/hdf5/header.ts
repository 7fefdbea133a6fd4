/** Object headers of versions 1 [IV.A.1.a] and 2 [IV.A.1.b]: the messages that describe a group or a dataset. */

import { checkChecksum, checkSignature, claim, enter, readUint, readUint64, reject, type Source } from './source';

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
  linkInfo: [0x02, 18],
  type: [0x03, 8],
  externalFiles: [0x07, 0],
  layout: [0x08, 4],
  filters: [0x0b, 0],
  table: [0x11, 16],
  attributeInfo: [0x15, 18],
} as const;

/** The first message of each kind, all links and all attributes. */
export type Header = Readonly<Partial<Record<keyof typeof messages, Message>>> & {
  readonly links: readonly Message[];
  readonly attributes: readonly Message[];
};

const linkType = 0x06;
const attributeType = 0x0c;
const continuationType = 0x10;

/**
 * Reads an object header.
 *
 * @throws RangeError if the header is truncated, has another version, or shares messages with others
 */
export function headerAt(source: Source, at: number, what: string): Header {
  const name = `the header of ${what}`;
  const found: { -readonly [K in keyof typeof messages]?: Message } = {};
  const [links, attributes]: [Message[], Message[]] = [[], []];
  enter(source, at, what);
  for (const { type, flags, ...message } of messagesOf(source, at, name)) {
    if (type === linkType) links.push(message);
    if (type === attributeType && (flags & 2) === 0) attributes.push(message);
    for (const [kind, [messageType, minimumSize]] of Object.entries(messages) as [
      keyof typeof messages,
      readonly [number, number],
    ][]) {
      if (type !== messageType || found[kind] !== undefined) continue;
      if (flags & 2) reject(`${what} has a shared ${kind} (a committed type), which is not supported.`);
      if (message.size < minimumSize) reject(`the ${kind} of ${what} is truncated.`);
      found[kind] = message;
    }
  }
  return { ...found, links, attributes };
}

/** The messages in all blocks of a header, with their types and flags. */
function* messagesOf(
  source: Source,
  at: number,
  name: string,
): Generator<Message & { readonly type: number; readonly flags: number }> {
  const { view, bytes } = source;
  const { prefix, ...first } = firstBlock(source, at, name);
  const blocks = [first];
  for (let block = blocks.pop(); block !== undefined; block = blocks.pop()) {
    const end = block.from + block.length;
    for (let start = block.from; start + prefix <= end; ) {
      const [type, size, flags] =
        prefix === 8
          ? [view.getUint16(start, true), view.getUint16(start + 2, true), bytes[start + 4]!]
          : [bytes[start]!, view.getUint16(start + 1, true), bytes[start + 3]!];
      const message = { type, flags, at: start + prefix, size };
      start += prefix + size;
      if (start > end) reject(`a message of ${name} is longer than its block.`);
      if (type === continuationType) {
        if (size < 16) reject(`a message of ${name} is truncated.`);
        const [from, length] = [0, 8].map((offset) => readUint64(source, message.at + offset, name)) as [
          number,
          number,
        ];
        blocks.push(prefix === 8 ? claimed(source, from, length, name) : continuation(source, from, length, name));
      }
      yield message;
    }
  }
}

/** A part of a header: messages of `length` bytes. */
interface Block {
  readonly from: number;
  readonly length: number;
}

function claimed(source: Source, from: number, length: number, name: string): Block {
  claim(source, from, length, name);
  return { from, length };
}

/** A further block of a header of version 2. */
function continuation(source: Source, at: number, length: number, name: string): Block {
  const size = Math.max(8, length);
  checkSignature(source, at, 'OCHK', name);
  claim(source, at, size, name);
  checkChecksum(source, at, size, name);
  return { from: at + 4, length: size - 8 };
}

/** The first block of a header, and the number of bytes before the content of each of its messages. */
function firstBlock(source: Source, at: number, name: string): Block & { readonly prefix: number } {
  const { view, bytes } = source;
  const isNew = bytes[at] === 0x4f;
  claim(source, at, isNew ? 6 : 16, name);
  if (isNew) checkSignature(source, at, 'OHDR', name);
  const version = bytes[isNew ? at + 4 : at]!;
  if (version !== (isNew ? 2 : 1)) reject(`${name} has version ${version}; only versions 1 and 2 are supported.`);
  if (!isNew) return { ...claimed(source, at + 16, view.getUint32(at + 8, true), name), prefix: 8 };
  const flags = bytes[at + 5]!;
  // Optional fields: four times of four bytes, two limits of two bytes.
  const sizeAt = at + 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);
  const width = 1 << (flags & 3);
  const from = sizeAt + width;
  const length = readUint(source, sizeAt, width, name);
  const end = from + length + 4;
  claim(source, at + 6, end - at - 6, name);
  checkChecksum(source, at, end - at, name);
  // A tracked creation order adds an index to each message.
  return { from, length, prefix: flags & 4 ? 6 : 4 };
}

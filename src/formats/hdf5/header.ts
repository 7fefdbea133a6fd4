/** Object headers of version 1 [IV.A.1]: what a group or a dataset says of itself, in messages. */

import { claim, enter, refuse, type Source, wide } from './source';

export interface Message {
  readonly at: number;
  readonly size: number;
}

/** The messages that are read, and how many bytes each has at least. */
const messages = {
  shape: [0x01, 4],
  links: [0x02, 0],
  type: [0x03, 8],
  link: [0x06, 0],
  elsewhere: [0x07, 0],
  layout: [0x08, 4],
  filters: [0x0b, 0],
  table: [0x11, 16],
} as const;

/** The first message of each kind. */
export type Header = Readonly<Partial<Record<keyof typeof messages, Message>>>;

/** @throws RangeError where the header is cut short, of another version, or shares messages with others */
export function headerAt(source: Source, at: number, what: string): Header {
  const { view, bytes } = source;
  const name = `the header of ${what}`;
  enter(source, at, what);
  claim(source, at, 16, name);
  if (bytes[at] !== 1)
    refuse(
      `${name} is of version ${bytes[at] === 0x4f ? "2 (in order of creation, or libver='latest')" : bytes[at]}; version 1 is what is read.`,
    );
  const found: { -readonly [K in keyof Header]: Header[K] } = {};
  const blocks = [{ from: at + 16, length: view.getUint32(at + 8, true) }];
  for (let block = blocks.pop(); block !== undefined; block = blocks.pop()) {
    const end = block.from + block.length;
    claim(source, block.from, block.length, name);
    for (let to = block.from; to + 8 <= end; ) {
      const [type, size, flags] = [view.getUint16(to, true), view.getUint16(to + 2, true), bytes[to + 4]!];
      const message = { at: to + 8, size };
      to += 8 + size;
      if (to > end) refuse(`a message of ${name} is longer than its block.`);
      if (type === 0x10) {
        if (size < 16) refuse(`a message of ${name} is cut short.`);
        blocks.push({ from: wide(source, message.at, name), length: wide(source, message.at + 8, name) });
      }
      for (const [kind, [number, least]] of Object.entries(messages) as [keyof Header, readonly [number, number]][]) {
        if (type !== number || found[kind] !== undefined) continue;
        if (flags & 2) refuse(`${what} shares its ${kind} with others (a committed type).`);
        if (size < least) refuse(`the ${kind} of ${what} is cut short.`);
        found[kind] = message;
      }
    }
  }
  return found;
}

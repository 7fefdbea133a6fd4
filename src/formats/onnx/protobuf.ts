/**
 * The wire format of protocol buffers (protobuf.dev/programming-guides/encoding): a message is a row of fields, each a tag (number · 8 + wire type) and its
 * value. Nothing is copied while reading, and nothing is allocated for a length that is not there.
 */

import { joinBytes } from '../file-bytes';

/** A message that was read: its fields by number, each as often as it stands. */
export interface Message {
  /** Who reads, and what: for messages. */
  readonly where: string;
  readonly fields: ReadonlyMap<number, readonly Field[]>;
  /** How many fields may still be read in the whole file: two bytes are enough for one that takes hundreds in memory. */
  readonly budget: { fields: number };
}

/** More than any model has that is run step by step. */
const mostFields = 500_000;

/** The value of one field as its wire type has it: bytes; a number of 32 or 64 bits that is not cut into its type yet. */
type Field = Uint8Array | bigint;

const refuse = (where: string, what: string): never => {
  throw new RangeError(`${where} ${what}`);
};

/** Reads the fields of a message. @throws RangeError where it is cut short or has a field that cannot be */
export function readMessage(
  where: string,
  bytes: Uint8Array,
  budget: Message['budget'] = { fields: mostFields },
): Message {
  const fields = new Map<number, Field[]>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const cursor = { bytes, at: 0 };
  const take = (length: number): number => {
    const from = cursor.at;
    if (length > bytes.length - from)
      refuse(
        where,
        `needs ${length} bytes at byte ${from}, but ${bytes.length - from} follow. Was the file cut short?`,
      );
    cursor.at += length;
    return from;
  };
  while (cursor.at < bytes.length) {
    const begin = cursor.at;
    if (budget.fields-- === 0) refuse(where, `is too much: a file of more than ${mostFields} fields is not read.`);
    const tag = Number(readVarint(where, cursor));
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    if (number < 1 || number >= 2 ** 29)
      refuse(where, `has the field ${number} at byte ${begin}, which cannot be. Is this an ONNX file?`);
    let value: Field;
    if (wire === 0) value = readVarint(where, cursor);
    else if (wire === 1) value = view.getBigUint64(take(8), true);
    else if (wire === 2) {
      const length = Number(readVarint(where, cursor));
      const from = take(length);
      value = bytes.subarray(from, from + length);
    } else if (wire === 5) value = BigInt(view.getUint32(take(4), true));
    else value = refuse(where, `has the wire type ${wire} at byte ${begin}, which cannot be. Is this an ONNX file?`);
    const same = fields.get(number);
    if (same === undefined) fields.set(number, [value]);
    else same.push(value);
  }
  return { where, fields, budget };
}

/** Seven bits a byte, lowest first, the eighth says that more follow; at most 64 bits. */
function readVarint(where: string, cursor: { readonly bytes: Uint8Array; at: number }): bigint {
  const { bytes } = cursor;
  let value = 0;
  for (let scale = 1; scale < 2 ** 49; scale *= 128) {
    const byte = nextByte(where, cursor);
    value += (byte & 127) * scale;
    if (byte < 128) return BigInt(value);
  }
  let high = BigInt(value);
  for (let shift = 49n; shift < 70n; shift += 7n) {
    const byte = nextByte(where, cursor);
    high += BigInt(byte & 127) << shift;
    if (byte < 128) return BigInt.asUintN(64, high);
  }
  return refuse(where, `has a number of more than ten bytes before byte ${cursor.at} of ${bytes.length}.`);
}

function nextByte(where: string, cursor: { readonly bytes: Uint8Array; at: number }): number {
  const byte = cursor.bytes[cursor.at++];
  return byte ?? refuse(where, 'ends in the middle of a number. Was the file cut short?');
}

const all = ({ fields }: Message, number: number): readonly Field[] => fields.get(number) ?? [];

/** Whether a field stands in the message. */
export const has = ({ fields }: Message, number: number): boolean => fields.has(number);

/** The bytes of every field of that number. @throws RangeError where one is a number */
export function allBytes(message: Message, number: number, name: string): readonly Uint8Array[] {
  return all(message, number).map((value) =>
    typeof value === 'bigint' ? refuse(message.where, `has ${name} of the wrong wire type.`) : value,
  );
}

/** The texts of every field of that number. @throws RangeError where one is not UTF-8 */
export function allTexts(message: Message, number: number, name: string): readonly string[] {
  return allBytes(message, number, name).map((bytes) => {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return refuse(message.where, `has ${name} that is not text in UTF-8.`);
    }
  });
}

/** The messages of every field of that number; `name` says which for messages. */
export function allMessages(message: Message, number: number, name: string): readonly Message[] {
  return allBytes(message, number, name).map((bytes, i) =>
    readMessage(`${message.where} ${name} ${i}`, bytes, message.budget),
  );
}

/** The 64-bit integers of a field, one by one or packed. */
export function allInt64(message: Message, number: number, name: string): BigInt64Array {
  const values = all(message, number);
  const result = new BigInt64Array(
    values.reduce((size, value) => size + (typeof value === 'bigint' ? 1 : countVarints(value)), 0),
  );
  let count = 0;
  for (const value of values) {
    if (typeof value === 'bigint') result[count++] = BigInt.asIntN(64, value);
    else
      for (const cursor = { bytes: value, at: 0 }; cursor.at < value.length; )
        result[count++] = BigInt.asIntN(64, readVarint(`${message.where} ${name}`, cursor));
  }
  return result;
}

/** Every varint ends with a byte below 128. */
const countVarints = (bytes: Uint8Array): number => bytes.reduce((count, byte) => (byte < 128 ? count + 1 : count), 0);

/** The numbers of single precision of a field, one by one or packed. @throws RangeError where bytes are left over */
export function allFloats(message: Message, number: number, name: string): Float32Array {
  return new Float32Array(fixed(message, number, name, 4));
}

/** The numbers of double precision of a field, one by one or packed. @throws RangeError where bytes are left over */
export function allDoubles(message: Message, number: number, name: string): Float64Array {
  return new Float64Array(fixed(message, number, name, 8));
}

function fixed(message: Message, number: number, name: string, width: 4 | 8): ArrayBuffer {
  const parts = all(message, number).map((value) => {
    if (typeof value !== 'bigint')
      return value.length % width === 0
        ? value
        : refuse(message.where, `has ${name} of ${value.length} bytes, which is no multiple of ${width}.`);
    const bytes = new DataView(new ArrayBuffer(8));
    bytes.setBigUint64(0, value, true);
    return new Uint8Array(bytes.buffer, 0, width);
  });
  return joinBytes(parts).buffer as ArrayBuffer;
}

/** The last field of that number, which counts where it stands more than once; the empty text where there is none. */
export const text = (message: Message, number: number, name: string): string =>
  allTexts(message, number, name).at(-1) ?? '';

/** The last 64-bit integer of that number, rounded beyond 2⁵³, where these files mean "to the end"; 0 where there is none. */
export const integer = (message: Message, number: number, name: string): number =>
  Number(allInt64(message, number, name).at(-1) ?? 0n);

/** A varint, negative numbers as 64 bits of two's complement; what is larger than 64 bits hold becomes the largest that they do. */
export function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  const whole =
    typeof value === 'bigint' ? value : value >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(Math.max(value, -(2 ** 63)));
  let rest = BigInt.asUintN(64, whole);
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/** The fields of a message to be written, one behind the other. */
export const bytesField = (number: number, bytes: Uint8Array): Uint8Array =>
  joinBytes([varint(number * 8 + 2), varint(bytes.length), bytes]);
export const messageField = (number: number, fields: readonly Uint8Array[]): Uint8Array =>
  bytesField(number, joinBytes(fields));
export const textField = (number: number, value: string): Uint8Array =>
  bytesField(number, new TextEncoder().encode(value));
export const integerField = (number: number, value: number): Uint8Array =>
  joinBytes([varint(number * 8), varint(value)]);
export const integersField = (number: number, values: readonly number[]): Uint8Array =>
  messageField(number, values.map(varint));

/** Numbers of single precision, packed or, as a field of one of them, by themselves. */
export const floatsField = (number: number, values: readonly number[]): Uint8Array =>
  bytesField(number, new Uint8Array(Float32Array.from(values).buffer));
export const floatField = (number: number, value: number): Uint8Array =>
  joinBytes([varint(number * 8 + 5), new Uint8Array(Float32Array.of(value).buffer)]);

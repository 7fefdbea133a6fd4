/**
 * The wire format of protocol buffers (protobuf.dev/programming-guides/encoding): a message is a sequence of fields,
 * each a tag (field number · 8 + wire type) and a value. Decoding does not copy bytes, and a declared length allocates
 * nothing before the bytes are known to be there.
 */

import { decodeUtf8, encodeUtf8 } from '../../data/utf8';
import { lastOf } from '../../tensor/arrays';
import { joinBytes } from '../file-bytes';

/** A decoded message. */
export interface Message {
  /** The public function and the path of the message, for error messages. */
  readonly where: string;
  /** The values by field number, in the order of the file. */
  readonly fields: ReadonlyMap<number, readonly Field[]>;
  readonly file: FileState;
}

/** The shared data of all messages of a file. */
interface FileState {
  /** The number of fields that may still be read: a field of 2 bytes can take hundreds of bytes of memory. */
  remaining: number;
}

/**
 * The number of fields that a file of `size` bytes may have: more than any supported model has, whose names alone take
 * more bytes, and few enough that the values take at most about ten times the bytes of a large file.
 */
const fieldLimit = (size: number): number => 60_000 + Math.floor(size / 20);

/** The value of one field by its wire type: bytes, or 32 or 64 bits that are not yet converted to their type. */
type Field = Uint8Array | bigint;

/** A reading position. */
interface Cursor {
  readonly bytes: Uint8Array;
  offset: number;
}

const reject = (where: string, reason: string): never => {
  throw new RangeError(`${where} ${reason}`);
};

/** Decodes the fields of a message. @throws RangeError if it is truncated or malformed, or has too many fields */
export function readMessage(
  where: string,
  bytes: Uint8Array,
  file: FileState = { remaining: fieldLimit(bytes.length) },
): Message {
  const fields = new Map<number, Field[]>();
  const cursor: Cursor = { bytes, offset: 0 };
  while (cursor.offset < bytes.length) {
    if (file.remaining-- === 0) reject(where, 'has more fields than any model of the size of this file.');
    const start = cursor.offset;
    const tag = Number(readVarint(where, cursor));
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (number < 1 || number >= 2 ** 29)
      reject(where, `has the invalid field number ${number} at byte ${start}. Is this an ONNX file?`);
    const value = readField(where, cursor, wireType, start);
    const values = fields.get(number);
    if (values === undefined) fields.set(number, [value]);
    else values.push(value);
  }
  return { where, fields, file };
}

function readField(where: string, cursor: Cursor, wireType: number, start: number): Field {
  const bytes = cursor.bytes;
  switch (wireType) {
    case 0:
      return readVarint(where, cursor);
    case 1:
      return viewOf(bytes).getBigUint64(advance(where, cursor, 8), true);
    case 2: {
      const length = Number(readVarint(where, cursor));
      const offset = advance(where, cursor, length);
      return bytes.subarray(offset, offset + length);
    }
    case 5:
      return BigInt(viewOf(bytes).getUint32(advance(where, cursor, 4), true));
    default:
      return reject(where, `has the invalid wire type ${wireType} at byte ${start}. Is this an ONNX file?`);
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Moves the cursor past `length` bytes and returns their offset. @throws RangeError if fewer bytes are left */
function advance(where: string, cursor: Cursor, length: number): number {
  const { bytes, offset } = cursor;
  const left = bytes.length - offset;
  if (length > left)
    reject(where, `needs ${length} bytes at byte ${offset}, but only ${left} are left. Is the file truncated?`);
  cursor.offset += length;
  return offset;
}

/** Reads 7 bits per byte, lowest first, up to 64 bits; the eighth bit of a byte marks that another one follows. */
function readVarint(where: string, cursor: Cursor): bigint {
  let value = 0;
  for (let scale = 1; scale < 2 ** 49; scale *= 128) {
    const byte = readByte(where, cursor);
    value += (byte & 127) * scale;
    if (byte < 128) return BigInt(value);
  }
  let large = BigInt(value);
  for (let shift = 49n; shift < 70n; shift += 7n) {
    const byte = readByte(where, cursor);
    large += BigInt(byte & 127) << shift;
    if (byte < 128) return BigInt.asUintN(64, large);
  }
  return reject(where, `has a varint of more than 10 bytes before byte ${cursor.offset} of ${cursor.bytes.length}.`);
}

/** Reads a byte and moves the cursor past it. */
function readByte(where: string, cursor: Cursor): number {
  const byte = cursor.bytes[cursor.offset++];
  return byte ?? reject(where, 'ends inside a varint. Is the file truncated?');
}

/** The values of a field, in order. */
const valuesOf = ({ fields }: Message, number: number): readonly Field[] => fields.get(number) ?? [];

/** Whether the message has the field. */
export const has = ({ fields }: Message, number: number): boolean => fields.has(number);

/** The values of a bytes field. @throws RangeError if one has the wire type of a number */
export function allBytes(message: Message, number: number, name: string): readonly Uint8Array[] {
  return valuesOf(message, number).map((value) =>
    typeof value === 'bigint' ? reject(message.where, `has a field ${name} of the wrong wire type.`) : value,
  );
}

/** The values of a string field. @throws RangeError if one is not UTF-8 */
export function allTexts(message: Message, number: number, name: string): readonly string[] {
  return allBytes(message, number, name).map((bytes) => {
    try {
      return decodeUtf8(bytes);
    } catch {
      return reject(message.where, `has a field ${name} that is not valid UTF-8.`);
    }
  });
}

/**
 * Decodes the values of a message field, one by one, since a decoded message takes far more memory than its bytes.
 *
 * @param name the name of the field, for error messages
 */
export function allMessages<R>(
  message: Message,
  number: number,
  name: string,
  decode: (inner: Message) => R,
): readonly R[] {
  return allBytes(message, number, name).map((bytes, i) =>
    decode(readMessage(`${message.where} ${name} ${i}`, bytes, message.file)),
  );
}

/** The value of a message field: the last one if it occurs more than once. */
export const lastMessage = (message: Message, number: number, name: string): Message | undefined =>
  lastOf(allMessages(message, number, name, (inner) => inner));

/** The values of a repeated 64-bit integer field, packed or not. */
export function allInt64(message: Message, number: number, name: string): BigInt64Array {
  const result = new BigInt64Array(countIntegers(message, number));
  forEachInteger(message, number, name, (value, i) => {
    result[i] = value;
  });
  return result;
}

/** The values of a repeated 32-bit integer field, packed or not. */
export function allInt32(message: Message, number: number, name: string): Int32Array {
  const result = new Int32Array(countIntegers(message, number));
  forEachInteger(message, number, name, (value, i) => {
    result[i] = Number(BigInt.asIntN(32, value));
  });
  return result;
}

/**
 * The values of a repeated 64-bit integer field, packed or not, rounded beyond 2⁵³.
 *
 * @throws RangeError if there are more than `limit`
 */
export function allNumbers(message: Message, number: number, name: string, limit: number): readonly number[] {
  const count = countIntegers(message, number);
  if (count > limit) reject(message.where, `must have at most ${limit} ${name}, got ${count}.`);
  const result: number[] = [];
  forEachInteger(message, number, name, (value) => result.push(Number(value)));
  return result;
}

const countIntegers = (message: Message, number: number): number =>
  valuesOf(message, number).reduce((size, value) => size + (typeof value === 'bigint' ? 1 : countVarints(value)), 0);

function forEachInteger(
  message: Message,
  number: number,
  name: string,
  visit: (value: bigint, i: number) => void,
): void {
  const where = `${message.where} ${name}`;
  let count = 0;
  for (const value of valuesOf(message, number)) {
    if (typeof value === 'bigint') visit(BigInt.asIntN(64, value), count++);
    else {
      const cursor: Cursor = { bytes: value, offset: 0 };
      while (cursor.offset < value.length) visit(BigInt.asIntN(64, readVarint(where, cursor)), count++);
    }
  }
}

/** Counts varints: the last byte of each is below 128. */
const countVarints = (bytes: Uint8Array): number => bytes.reduce((count, byte) => (byte < 128 ? count + 1 : count), 0);

/** The values of a repeated float field, packed or not. @throws RangeError if the bytes are not a multiple of 4 */
export function allFloats(message: Message, number: number, name: string): Float32Array {
  return new Float32Array(fixedWidthBytes(message, number, name, 4));
}

/** The values of a repeated double field, packed or not. @throws RangeError if the bytes are not a multiple of 8 */
export function allDoubles(message: Message, number: number, name: string): Float64Array {
  return new Float64Array(fixedWidthBytes(message, number, name, 8));
}

function fixedWidthBytes(message: Message, number: number, name: string, width: 4 | 8): ArrayBuffer {
  const parts = valuesOf(message, number).map((value) => {
    if (typeof value !== 'bigint')
      return value.length % width === 0
        ? value
        : reject(message.where, `must have ${name} of a multiple of ${width} bytes, got ${value.length}.`);
    const bytes = new DataView(new ArrayBuffer(8));
    bytes.setBigUint64(0, value, true);
    return new Uint8Array(bytes.buffer, 0, width);
  });
  // `joinBytes` allocates its result, so that the buffer is an ArrayBuffer and has no other bytes.
  return joinBytes(parts).buffer as ArrayBuffer;
}

/** The value of a string field: the last one if it occurs more than once, `''` if it is missing. */
export const text = (message: Message, number: number, name: string): string =>
  lastOf(allTexts(message, number, name)) ?? '';

/**
 * The value of an integer field: the last one if it occurs more than once, 0 if it is missing. It is rounded beyond
 * 2⁵³, where ONNX files mean "to the end".
 */
export const integer = (message: Message, number: number, name: string): number =>
  Number(lastOf(allInt64(message, number, name)) ?? 0n);

/** Encodes a varint, clamped to 64 bits; negative numbers are in two's complement. */
export function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  const clamped =
    typeof value === 'bigint' ? value : value >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(Math.max(value, -(2 ** 63)));
  let rest = BigInt.asUintN(64, clamped);
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/** Encodes a field of bytes. */
export const bytesField = (number: number, bytes: Uint8Array): Uint8Array =>
  joinBytes([varint(number * 8 + 2), varint(bytes.length), bytes]);

/** Encodes a message, or a packed field, from its encoded parts. */
export const messageField = (number: number, fields: readonly Uint8Array[]): Uint8Array =>
  bytesField(number, joinBytes(fields));

/** Encodes a string field. */
export const textField = (number: number, value: string): Uint8Array => bytesField(number, encodeUtf8(value));

/** Encodes an integer field. */
export const integerField = (number: number, value: number): Uint8Array =>
  joinBytes([varint(number * 8), varint(value)]);

/** Encodes a packed integer field. */
export const integersField = (number: number, values: readonly number[]): Uint8Array =>
  messageField(number, values.map(varint));

/** Encodes a packed float field. */
export const floatsField = (number: number, values: readonly number[]): Uint8Array =>
  bytesField(number, new Uint8Array(Float32Array.from(values).buffer));

/** Encodes a single float field. */
export const floatField = (number: number, value: number): Uint8Array =>
  joinBytes([varint(number * 8 + 5), new Uint8Array(Float32Array.of(value).buffer)]);

/** Datasets in one piece: shape [IV.A.2.b], type [IV.A.2.d] and place [IV.A.2.i]. */

import { formatShape, type Shape, sizeOf } from '../../tensor/shape';
import type { Tensor } from '../../tensor/tensor';
import { fromFloat16 } from '../half-precision';
import type { Header, Message } from './header';
import { claim, nowhere, refuse, type Source, wide } from './source';

/** Kinds of types by their number in the file. */
const kinds = [
  'whole numbers',
  'numbers',
  'times',
  'text',
  'bits',
  'bytes of no type (bfloat16?)',
  'several fields',
  'references',
  'names',
  'lists',
  'arrays',
];
const others = [0, 3, 8, 9];

/** Single, double and half precision of IEEE 754: place and length of sign, exponent and fraction, and the bias of the exponent. */
const readers: Readonly<Record<string, (raw: ArrayBuffer) => Float32Array>> = {
  '31,0,32,23,8,0,23,127': (raw) => new Float32Array(raw),
  '63,0,64,52,11,0,52,1023': (raw) => new Float32Array(new Float64Array(raw)),
  '15,0,16,10,5,0,10,15': (raw) => fromFloat16(new Uint16Array(raw)),
};

/** A dataset in single precision; nothing where it holds whole numbers or text. @throws RangeError where it is cut short or of a kind that is not read */
export function datasetOf(
  source: Source,
  { shape, type, layout, filters, elsewhere }: Header,
  path: string,
): Tensor | undefined {
  if (type === undefined) return refuse(`${path} is neither a group nor a dataset.`);
  if (shape === undefined || layout === undefined) return refuse(`${path} has no numbers: is it a committed type?`);
  const kind = source.bytes[type.at]! & 15;
  if (others.includes(kind)) return undefined;
  if (kind !== 1)
    return refuse(`${path} holds ${kinds[kind] ?? `type ${kind}`}; float32, float64 and float16 are what is read.`);
  if (filters !== undefined) refuse(`${path} is compressed, or filtered in another way.`);
  if (elsewhere !== undefined) refuse(`${path} lies in another file.`);
  const { width, read } = numbersOf(source, type, path);
  const lengths = shapeOf(source, shape, path);
  return { shape: lengths, data: read(rawOf(source, layout, lengths, width, path)) };
}

function shapeOf(source: Source, { at, size }: Message, path: string): Shape {
  const { bytes } = source;
  const [version, rank] = [bytes[at]!, bytes[at + 1]!];
  if (version !== 1 && version !== 2)
    refuse(`the shape of ${path} is of version ${version}; 1 and 2 are what is read.`);
  const from = version === 1 ? 8 : 4;
  if (rank > 32 || from + 8 * rank > size)
    refuse(`the shape of ${path} is to have ${rank} axes, more than there can be.`);
  // A dataset without a shape (h5py.Empty) has no numbers.
  if (version === 2 && bytes[at + 3] === 2) return [0];
  const shape = Array.from({ length: rank }, (_, axis) => wide(source, at + from + 8 * axis, path));
  if (!shape.every(Number.isSafeInteger)) refuse(`${path} has a shape beyond all numbers, ${formatShape(shape)}.`);
  return shape;
}

/** How many bytes a number of a type has, and how they become single precision. */
function numbersOf(
  { bytes, view }: Source,
  { at, size }: Message,
  path: string,
): { readonly width: number; readonly read: (raw: ArrayBuffer) => Float32Array } {
  if (size < 20) refuse(`the type of ${path} is cut short.`);
  const [flags, sign, width] = [bytes[at + 1]!, bytes[at + 2]!, view.getUint32(at + 4, true)];
  const read =
    readers[
      [
        sign,
        view.getUint16(at + 8, true),
        view.getUint16(at + 10, true),
        ...bytes.subarray(at + 12, at + 16),
        view.getUint32(at + 16, true),
      ].join()
    ];
  // The fraction has a leading 1 that is not stored; no order of bytes of a VAX.
  if (read === undefined || 8 * width !== view.getUint16(at + 10, true) || (flags & 0x70) !== 0x20)
    return refuse(`${path} holds numbers of ${width} bytes that are none of float32, float64 and float16.`);
  // The other order of bytes: all turned round, then the numbers.
  return { width, read: (flags & 1) === 0 ? read : (raw) => (new Uint8Array(raw).reverse(), read(raw).reverse()) };
}

/** The bytes of a dataset, in memory of their own. */
function rawOf(source: Source, { at, size: length }: Message, shape: Shape, width: number, path: string): ArrayBuffer {
  const { bytes, view } = source;
  const [version, kind] = [bytes[at]!, bytes[at + 1]!];
  const size = width * sizeOf(shape);
  if (version !== 3)
    refuse(
      `${path} is laid out by version ${version}${version === 4 ? " (libver='latest', or virtual)" : ''}; version 3 is what is read.`,
    );
  if (kind === 2) refuse(`${path} is stored in chunks; in one piece is what is read.`);
  if (kind > 2) refuse(`${path} is laid out in way ${kind}; in one piece is what is read.`);
  if (kind === 0) {
    const stored = view.getUint16(at + 2, true);
    if (stored !== size || 4 + stored > length)
      refuse(`${path} ${formatShape(shape)} is to have ${size} bytes, its header holds ${stored}.`);
    return bytes.slice(at + 4, at + 4 + size).buffer as ArrayBuffer;
  }
  if (size === 0) return new ArrayBuffer(0);
  if (length < 18) refuse(`the layout of ${path} is cut short.`);
  const [from, stored] = [wide(source, at + 2, path), wide(source, at + 10, path)];
  if (stored !== size) refuse(`${path} ${formatShape(shape)} is to have ${size} bytes, it is stored in ${stored}.`);
  if (from === nowhere) refuse(`${path} was never written.`);
  claim(source, from, size, path);
  return bytes.slice(from, from + size).buffer as ArrayBuffer;
}

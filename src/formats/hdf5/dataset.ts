/** Datasets: shape [IV.A.2.b], type [IV.A.2.d] and layout [IV.A.2.i]. */

import { formatShape, type Shape, sizeOf } from '../../tensor/shape';
import type { Tensor } from '../../tensor/tensor';
import { fromFloat16 } from '../half-precision';
import { type Chunked, readChunks } from './chunks';
import { filtersOf } from './filters';
import type { Header, Message } from './header';
import { claim, readUint64, reject, type Source, undefinedAddress } from './source';

/** The names of the type classes, by class number. */
const classNames = [
  'integers',
  'floating-point values',
  'times',
  'strings',
  'bit fields',
  'opaque values (bfloat16?)',
  'compound values',
  'references',
  'enumerations',
  'variable-length values',
  'arrays',
  'complex values',
];

/** The classes of datasets that are skipped: integers, strings, enumerations and variable-length values. */
const skippedClasses = [0, 3, 8, 9];

/**
 * The conversions of IEEE 754 single, double and half precision, by the properties that a type message gives: sign bit,
 * bit offset, precision, exponent offset and length, fraction offset and length, exponent bias.
 */
const readers: Readonly<Record<string, (raw: ArrayBuffer) => Float32Array>> = {
  '31,0,32,23,8,0,23,127': (raw) => new Float32Array(raw),
  '63,0,64,52,11,0,52,1023': (raw) => new Float32Array(new Float64Array(raw)),
  '15,0,16,10,5,0,10,15': (raw) => fromFloat16(new Uint16Array(raw)),
};

/**
 * Reads a dataset in single precision.
 *
 * @returns `undefined` if the dataset has integers or strings
 * @throws RangeError if the dataset is truncated or of an unsupported type or layout
 */
export function datasetOf(
  source: Source,
  { shape, type, layout, filters, externalFiles }: Header,
  path: string,
): Tensor | undefined {
  if (type === undefined) return reject(`${path} is neither a group nor a dataset.`);
  if (shape === undefined || layout === undefined) return reject(`${path} has no data. Is it a committed type?`);
  const typeClass = source.bytes[type.at]! & 15;
  if (skippedClasses.includes(typeClass)) return undefined;
  if (typeClass !== 1) {
    const values = classNames[typeClass] ?? `values of type class ${typeClass}`;
    return reject(`${path} has ${values}; only float32, float64 and float16 are supported.`);
  }
  if (externalFiles !== undefined) reject(`${path} is stored in another file, which is not supported.`);
  const { width, read } = floatTypeOf(source, type, path);
  const dimensions = shapeOf(source, shape, path);
  const dataset = { ...dimensions, width, filters: filtersOf(source, filters, path), path };
  return { shape: dimensions.shape, data: read(rawOf(source, layout, dataset)) };
}

/** The shape of a dataset, and the largest shape to which it can grow. */
function shapeOf(source: Source, { at, size }: Message, path: string): Pick<Chunked, 'shape' | 'limits'> {
  const { bytes } = source;
  const [version, rank] = [bytes[at]!, bytes[at + 1]!];
  if (version !== 1 && version !== 2)
    reject(`the shape of ${path} has version ${version}; only versions 1 and 2 are supported.`);
  const from = version === 1 ? 8 : 4;
  if (rank > 32 || from + 8 * rank > size)
    reject(`the shape of ${path} has ${rank} dimensions, more than its message holds.`);
  // A null dataspace (h5py.Empty) has no elements.
  if (version === 2 && bytes[at + 3] === 2) return { shape: [0], limits: [0] };
  const lengths = (start: number): Shape =>
    Array.from({ length: rank }, (_, axis) => readUint64(source, at + start + 8 * axis, path));
  const shape = lengths(from);
  if (!shape.every(Number.isSafeInteger)) reject(`the shape of ${path} is too large: ${formatShape(shape)}.`);
  const hasLimits = (bytes[at + 2]! & 1) !== 0 && from + 16 * rank <= size;
  return { shape, limits: hasLimits ? lengths(from + 8 * rank) : shape };
}

/** The size of an element in bytes, and the conversion to single precision. */
function floatTypeOf(
  { bytes, view }: Source,
  { at, size }: Message,
  path: string,
): { readonly width: number; readonly read: (raw: ArrayBuffer) => Float32Array } {
  if (size < 20) reject(`the type of ${path} is truncated.`);
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
  // The flags 0x70 give the normalization, which must be an implied leading 1, and the byte order of a VAX, which is
  // not supported.
  if (read === undefined || 8 * width !== view.getUint16(at + 10, true) || (flags & 0x70) !== 0x20)
    return reject(`${path} has ${width}-byte floating-point values that are not float32, float64 or float16.`);
  const isLittleEndian = (flags & 1) === 0;
  return { width, read: isLittleEndian ? read : (raw) => readBigEndian(raw, read) };
}

/** Reverses all bytes, in place, and then the order of the elements. */
function readBigEndian(raw: ArrayBuffer, read: (raw: ArrayBuffer) => Float32Array): Float32Array {
  new Uint8Array(raw).reverse();
  return read(raw).reverse();
}

/** A copy of the bytes of a dataset. */
function rawOf(source: Source, layout: Message, dataset: Chunked): ArrayBuffer {
  const { at, size: length } = layout;
  const { shape, width, filters, path } = dataset;
  const { bytes, view } = source;
  const [version, kind] = [bytes[at]!, bytes[at + 1]!];
  const size = width * sizeOf(shape);
  if (version < 3 || version > 5)
    reject(`the layout of ${path} has version ${version}; only versions 3 to 5 are supported.`);
  if (kind === 2) return readChunks(source, layout, dataset);
  if (kind === 3) reject(`${path} is a virtual dataset, which is not supported.`);
  if (kind > 2) reject(`${path} has layout class ${kind}; only contiguous and chunked datasets are supported.`);
  if (filters.length > 0) reject(`${path} has filters, but no chunks.`);
  if (kind === 0) {
    const stored = view.getUint16(at + 2, true);
    if (stored !== size || 4 + stored > length)
      reject(`${path} ${formatShape(shape)} must have ${size} bytes, its header has ${stored}.`);
    return bytes.slice(at + 4, at + 4 + size).buffer as ArrayBuffer;
  }
  if (size === 0) return new ArrayBuffer(0);
  if (length < 18) reject(`the layout of ${path} is truncated.`);
  const [from, stored] = [readUint64(source, at + 2, path), readUint64(source, at + 10, path)];
  if (stored !== size) reject(`${path} ${formatShape(shape)} must have ${size} bytes, the file has ${stored}.`);
  if (from === undefinedAddress) reject(`${path} was never written.`);
  claim(source, from, size, path);
  return bytes.slice(from, from + size).buffer as ArrayBuffer;
}

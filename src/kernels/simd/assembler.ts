/**
 * A small WebAssembly assembler. Instructions are values that carry the type of their result on the stack, and nest
 * like expressions. It has the instructions that the kernels need (WebAssembly core specification 2.0 with fixed-width
 * SIMD, and relaxed SIMD).
 */

import { lastOf } from '../../tensor/arrays';

/** The type of a local, a parameter or an expression. */
export type ValueType = 'i32' | 'f64' | 'v128';

/** Instructions that leave one value of type T on the stack, or none if T is `void`. */
export interface Code<T extends ValueType | 'void'> {
  readonly type: T;
  /** Bytes and nested code, which is flattened once, at the end. */
  readonly parts: readonly (number | Code<ValueType | 'void'>)[];
}

/** A local variable or parameter of a function. Used as code, it reads the variable. */
export interface Local<T extends ValueType> extends Code<T> {
  readonly index: number;
}

/** An expression with an integer value: a length, an address or a condition. */
export type I32 = Code<'i32'>;
/** An expression with a value in double precision. */
export type F64 = Code<'f64'>;
/** An expression with a vector value: four floats (or four integers, or two doubles). */
export type Vector = Code<'v128'>;
/** Code without a value. */
export type Statement = Code<'void'>;

const typeBytes = { i32: 0x7f, f64: 0x7c, v128: 0x7b } as const;

/** Encodes a 32-bit integer as signed LEB128. That of a nonnegative integer is also a valid unsigned one. */
function leb128(value: number): number[] {
  const low = value & 0x7f;
  const rest = value >> 7;
  return rest === (low & 0x40 ? -1 : 0) ? [low] : [low | 0x80, ...leb128(rest)];
}

type Operand = Code<ValueType>;

/** An instruction: its operands, opcode and immediates. */
function plain<T extends ValueType | 'void'>(
  type: T,
  opcode: readonly number[],
  operands: readonly Operand[],
  immediate: readonly number[] = [],
): Code<T> {
  return { type, parts: (operands as Code<T>['parts']).concat(opcode, immediate) };
}

/** A SIMD instruction, by its opcode after the prefix. */
function simd<T extends ValueType | 'void'>(
  type: T,
  opcode: number,
  operands: readonly Operand[],
  immediate: readonly number[] = [],
): Code<T> {
  return plain(type, opcode < 0x80 ? [0xfd, opcode] : [0xfd, (opcode & 0x7f) | 0x80, opcode >> 7], operands, immediate);
}

// Integers.
export const number = (value: number): I32 => plain('i32', [0x41], [], leb128(value));
export const add = (a: I32, b: I32): I32 => plain('i32', [0x6a], [a, b]);
export const subtract = (a: I32, b: I32): I32 => plain('i32', [0x6b], [a, b]);
export const multiply = (a: I32, b: I32): I32 => plain('i32', [0x6c], [a, b]);
export const bitAnd = (a: I32, b: I32): I32 => plain('i32', [0x71], [a, b]);
/** The size of a number of floats in bytes: a shift by 2. */
export const inBytes = (floats: I32): I32 => plain('i32', [0x74], [floats, number(2)]);
export const equal = (a: I32, b: I32): I32 => plain('i32', [0x46], [a, b]);
/** a < b, signed. */
export const less = (a: I32, b: I32): I32 => plain('i32', [0x48], [a, b]);
/** a < b, unsigned, for addresses. */
export const below = (a: I32, b: I32): I32 => plain('i32', [0x49], [a, b]);
/** condition ? a : b. Both are evaluated. */
export const select = <T extends ValueType>(condition: I32, a: Code<T>, b: Code<T>): Code<T> =>
  plain(a.type, [0x1b], [a, b, condition]);
/** The first lane as an integer, truncated and saturated to 32 bits. */
export const truncate = (a: Vector): I32 => simd('i32', 0x1b, [simd('v128', 0xf8, [a])], [0]);

// Double precision.
export const f64 = (value: number): F64 =>
  plain('f64', [0x44], [], Array.from(new Uint8Array(new Float64Array([value]).buffer)));
const addF64 = (a: F64, b: F64): F64 => plain('f64', [0xa0], [a, b]);
export const subtractF64 = (a: F64, b: F64): F64 => plain('f64', [0xa1], [a, b]);
export const divideF64 = (a: F64, b: F64): F64 => plain('f64', [0xa3], [a, b]);
/** An integer in double precision. */
export const toF64 = (a: I32): F64 => plain('f64', [0xb7], [a]);
export const squareRootF64 = (a: F64): F64 => plain('f64', [0x9f], [a]);

// Pairs of doubles.
export const pairZero = (): Vector => simd('v128', 0x0c, [], new Array<number>(16).fill(0));
export const pairAdd = (a: Vector, b: Vector): Vector => simd('v128', 0xf0, [a, b]);
export const pairMultiply = (a: Vector, b: Vector): Vector => simd('v128', 0xf2, [a, b]);
/** The first two floats as doubles. */
export const pairOf = (a: Vector): Vector => simd('v128', 0x5f, [a]);
/** The two doubles as the first two floats; the other lanes are 0. */
export const singles = (a: Vector): Vector => simd('v128', 0x5e, [a]);
/** The sum of the two doubles. */
export const pairSum = (a: Local<'v128'>): F64 => addF64(simd('f64', 0x21, [a], [0]), simd('f64', 0x21, [a], [1]));

// Vectors in memory. Addresses and offsets are in bytes.
const at = (offset: number): number[] => [2, ...leb128(offset)];
export const load = (address: I32, offset = 0): Vector => simd('v128', 0x00, [address], at(offset));
/** Loads one float into all four lanes. */
export const loadSplat = (address: I32, offset = 0): Vector => simd('v128', 0x09, [address], at(offset));
/** Loads one float into the first lane; the other lanes are 0. */
export const loadOne = (address: I32, offset = 0): Vector => simd('v128', 0x5c, [address], at(offset));
export const store = (address: I32, value: Vector, offset = 0): Statement =>
  simd('void', 0x0b, [address, value], at(offset));
/** Loads two floats into the first two lanes; the other lanes are 0. */
export const loadTwo = (address: I32, offset = 0): Vector => simd('v128', 0x5d, [address], at(offset));
/** Stores the first two lanes, or the last two. */
export const storeTwo = (address: I32, value: Vector, half: 0 | 1, offset = 0): Statement =>
  simd('void', 0x5b, [address, value], [...at(offset), half]);
/** Stores the first lane. */
export const storeOne = (address: I32, value: Vector, offset = 0): Statement =>
  simd('void', 0x5a, [address, value], [...at(offset), 0]);

/** Copies bytes. The ranges may overlap. */
export const moveBytes = (to: I32, from: I32, bytes: I32): Statement =>
  plain('void', [0xfc, 0x0a], [to, from, bytes], [0, 0]);

// Vectors of floats.
export const vZero: () => Vector = pairZero;
export const vAdd = (a: Vector, b: Vector): Vector => simd('v128', 0xe4, [a, b]);
export const vSubtract = (a: Vector, b: Vector): Vector => simd('v128', 0xe5, [a, b]);
export const vMultiply = (a: Vector, b: Vector): Vector => simd('v128', 0xe6, [a, b]);
export const vDivide = (a: Vector, b: Vector): Vector => simd('v128', 0xe7, [a, b]);
/** b < a ? b : a, which is a if either is NaN. */
export const vMin = (a: Vector, b: Vector): Vector => simd('v128', 0xea, [a, b]);
/** a < b ? b : a, which is a if either is NaN. */
export const vMax = (a: Vector, b: Vector): Vector => simd('v128', 0xeb, [a, b]);
export const vAbs = (a: Vector): Vector => simd('v128', 0xe0, [a]);
export const vNegate = (a: Vector): Vector => simd('v128', 0xe1, [a]);
export const vSquareRoot = (a: Vector): Vector => simd('v128', 0xe3, [a]);
/** a · b + c with one rounding. Requires relaxed SIMD. */
export const fusedMultiplyAdd = (a: Vector, b: Vector, c: Vector): Vector => simd('v128', 0x105, [a, b, c]);
/** The value, rounded to single precision, in all four lanes. */
export const splat = (a: F64): Vector => simd('v128', 0x13, [plain('f64', [0xb6], [a])]);
/** Selects four of the eight lanes of a (0…3) and b (4…7). */
export const shuffle = (a: Vector, b: Vector, lanes: readonly [number, number, number, number]): Vector =>
  simd(
    'v128',
    0x0d,
    [a, b],
    lanes.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]),
  );

// Masks: all bits of a lane are set if the condition holds.
export const vEqual = (a: Vector, b: Vector): Vector => simd('v128', 0x41, [a, b]);
export const vLess = (a: Vector, b: Vector): Vector => simd('v128', 0x43, [a, b]);
export const vOr = (a: Vector, b: Vector): Vector => simd('v128', 0x50, [a, b]);
export const vXor = (a: Vector, b: Vector): Vector => simd('v128', 0x51, [a, b]);
export const vAnd = (a: Vector, b: Vector): Vector => simd('v128', 0x4e, [a, b]);
/** a & ~mask. */
export const vExcept = (a: Vector, mask: Vector): Vector => simd('v128', 0x4f, [a, mask]);
/** Whether any bit is set. */
export const anyTrue = (a: Vector): I32 => simd('i32', 0x53, [a]);
/** Selects the bits of a where the mask is set, and those of b elsewhere. */
export const vSelect = (mask: Vector, a: Vector, b: Vector): Vector => simd('v128', 0x52, [a, b, mask]);

// Vectors of integers.
/** Integers to floats. */
export const fromWholes = (a: Vector): Vector => simd('v128', 0xfa, [a]);
export const wholeAdd = (a: Vector, b: Vector): Vector => simd('v128', 0xae, [a, b]);
export const wholeMultiply = (a: Vector, b: Vector): Vector => simd('v128', 0xb5, [a, b]);
export const wholeSubtract = (a: Vector, b: Vector): Vector => simd('v128', 0xb1, [a, b]);
export const wholeShiftLeft = (a: Vector, by: number): Vector => simd('v128', 0xab, [a, number(by)]);
/** Logical right shift: shifts in zeros. */
export const wholeShiftDown = (a: Vector, by: number): Vector => simd('v128', 0xad, [a, number(by)]);
/** Arithmetic right shift: preserves the sign. */
export const wholeShiftRight = (a: Vector, by: number): Vector => simd('v128', 0xac, [a, number(by)]);
/** The integer in all four lanes. */
export const splatWord = (a: I32): Vector => simd('v128', 0x11, [a]);
/** The integers 0, 1, 2, 3. */
export const ordinals = (): Vector =>
  simd(
    'v128',
    0x0c,
    [],
    [0, 1, 2, 3].flatMap((lane) => [lane, 0, 0, 0]),
  );
/** A constant integer in all four lanes. */
export const word = (value: number): Vector => splatWord(number(value));

// Statements.
export const set = <T extends ValueType>(local: Local<T>, value: Code<T>): Statement =>
  plain('void', [0x21], [value], leb128(local.index));
/** Adds to a local. */
export const increase = (local: Local<'i32'>, by: number | I32): Statement =>
  set(local, add(local, typeof by === 'number' ? number(by) : by));
/** Sets the local. Used as code, it has the assigned value. */
export const tee = <T extends ValueType>(local: Local<T>, value: Code<T>): Code<T> =>
  plain(value.type, [0x22], [value], leb128(local.index));
/** A sequence of statements as one. */
export const block = (statements: readonly Code<ValueType | 'void'>[]): Statement => ({
  type: 'void',
  parts: statements,
});
/** Runs the statements while the condition holds. */
export const loopWhile = (condition: I32, statements: readonly Statement[]): Statement => ({
  type: 'void',
  parts: [condition, 0x04, 0x40, 0x03, 0x40, ...statements, condition, 0x0d, 0x00, 0x0b, 0x0b],
});
/** Runs the first statements if the condition holds, and the others if not. */
export const when = (condition: I32, then: readonly Statement[], otherwise: readonly Statement[] = []): Statement => ({
  type: 'void',
  parts: [condition, 0x04, 0x40, ...then, ...(otherwise.length > 0 ? [0x05, ...otherwise] : []), 0x0b],
});

/** The elements of one iteration of a loop: all four lanes of a vector, or only the first one. */
export interface Elements {
  /** The number of elements per iteration. */
  readonly count: number;
  load(address: I32, offset?: number): Vector;
  store(address: I32, value: Vector, offset?: number): Statement;
  /** Sets the unused lanes of x to 0. */
  only(x: Vector): Vector;
  /** Sets the unused lanes of x to the value of the first lane. */
  fill(x: Vector): Vector;
}

/** An endless iterable, for destructuring. The type is a tuple, so that no element may be undefined. */
type Many<T> = readonly [T, T, T, T, T, T, T, T, T, T, T, T];

/** Allocates the locals and constants of a function. */
export interface Writer {
  /** Whether fused multiply-add is available. */
  readonly fused: boolean;
  /**
   * Writes the body of a loop for eight elements, if the engine merges pairs of vectors. Its stores come after
   * everything else, so the body must not store inside of a loop.
   */
  readonly pair?: ((w: Writer, body: (elements: Elements) => readonly Statement[]) => Statement[]) | undefined;
  /** Allocates a local, initially 0. */
  local<T extends ValueType>(type: T): Local<T>;
  /** Allocates a vector local per destructured element: `const [a, b] = w.vectors`. */
  readonly vectors: Many<Local<'v128'>>;
  /** Allocates an integer local per destructured element. */
  readonly pointers: Many<Local<'i32'>>;
  /**
   * A local with a number, or an expression of parameters, in all four lanes, set at the start of the function. Equal
   * numbers share one local.
   */
  constant(value: number | F64): Local<'v128'>;
}

/** Flattens code into bytes. */
function bytesOf(parts: Code<'void'>['parts'], bytes: number[] = []): number[] {
  // `for … of` would allocate an object per byte until the engine has compiled this function.
  parts.forEach((part) => {
    if (typeof part === 'number') bytes.push(part);
    else bytesOf(part.parts, bytes);
  });
  return bytes;
}

/** What the code of a module depends on, besides its function. */
export interface Abilities extends Pick<Writer, 'fused' | 'pair'> {
  /** The limits of the memory, encoded; by default, those of a memory that is not shared. */
  readonly limits?: readonly number[];
}

/**
 * Assembles a module with one function `run` over the memory `env.memory`. If the last code of the body has a value, it
 * is the result.
 */
export function assemble(
  parameters: readonly ValueType[],
  abilities: Abilities,
  write: (parameters: readonly Local<ValueType>[], writer: Writer) => readonly Code<'void' | 'f64'>[],
): Uint8Array<ArrayBuffer> {
  const locals: ValueType[] = [];
  const localAt = <T extends ValueType>(type: T, index: number): Local<T> => ({
    type,
    index,
    parts: [0x20, ...leb128(index)],
  });
  const local = <T extends ValueType>(type: T): Local<T> => localAt(type, parameters.length + locals.push(type) - 1);
  const constants = new Map<number | F64, Local<'v128'>>();
  const constant = (value: number | F64): Local<'v128'> => {
    const existing = constants.get(value) ?? local('v128');
    constants.set(value, existing);
    return existing;
  };
  const allocator = <T extends ValueType>(type: T): Many<Local<T>> => {
    const iterable: Iterable<Local<T>> = {
      *[Symbol.iterator]() {
        for (;;) yield local(type);
      },
    };
    // Only ever destructured, for which an iterable and a tuple are the same.
    return iterable as Iterable<Local<T>> & Many<Local<T>>;
  };
  const writer = { ...abilities, local, constant, vectors: allocator('v128'), pointers: allocator('i32') };
  const body = write(
    parameters.map((type, index) => localAt(type, index)),
    writer,
  );
  const prologue = Array.from(constants, ([value, target]) =>
    set(target, splat(typeof value === 'number' ? f64(value) : value)),
  );
  const declared = locals.flatMap((type) => [1, typeBytes[type]]);
  const results = lastOf(body)?.type === 'f64' ? [typeBytes.f64] : [];

  // Content after its size, and after the id of a section. Concatenation copies the code in one call; spreading it
  // would be a slow loop until the engine has compiled this function.
  const sized = (content: readonly number[], ...id: number[]): number[] => id.concat(leb128(content.length), content);
  const text = (value: string): number[] => sized(Array.from(value, (letter) => letter.charCodeAt(0)));
  return new Uint8Array(
    [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00].concat(
      sized([1, 0x60, ...sized(parameters.map((type) => typeBytes[type])), ...sized(results)], 1),
      sized([1, ...text('env'), ...text('memory'), 0x02, ...(abilities.limits ?? [0x00, 0x01])], 2),
      sized([1, 0], 3),
      sized([1, ...text('run'), 0x00, 0x00], 7),
      sized(sized(leb128(locals.length).concat(declared, bytesOf([...prologue, ...body]), 0x0b), 1), 10),
    ),
  );
}

/**
 * A small assembler of WebAssembly: instructions are values that carry the type of what they leave on the stack, and nest as expressions
 * do. It knows the instructions that the kernels need (WebAssembly core specification 2.0 with fixed-width SIMD, and relaxed SIMD).
 */

/** What a local, a parameter or an expression holds. */
export type ValueType = 'i32' | 'f32' | 'v128';

/** Instructions that leave one value of type T, or, for `void`, none. */
export interface Code<T extends ValueType | 'void'> {
  readonly type: T;
  readonly bytes: readonly number[];
}

/** A local variable or parameter of a function. */
export interface Local<T extends ValueType> extends Code<T> {
  readonly index: number;
}

const typeBytes = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    const low = value & 0x7f;
    value >>>= 7;
    bytes.push(value === 0 ? low : low | 0x80);
  } while (value !== 0);
  return bytes;
}

/** Signed LEB128. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  for (;;) {
    const low = value & 0x7f;
    value >>= 7;
    if ((value === 0 && (low & 0x40) === 0) || (value === -1 && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

function code<T extends ValueType | 'void'>(type: T, ...parts: readonly (readonly number[])[]): Code<T> {
  return { type, bytes: parts.flat() };
}

/** An instruction of SIMD, by its number behind the prefix. */
function simd<T extends ValueType | 'void'>(type: T, opcode: number, operands: readonly Code<ValueType>[], immediate: readonly number[] = []): Code<T> {
  return code(type, ...operands.map(({ bytes }) => bytes), [0xfd], unsigned(opcode), immediate);
}

function plain<T extends ValueType | 'void'>(type: T, opcode: number, operands: readonly Code<ValueType>[], immediate: readonly number[] = []): Code<T> {
  return code(type, ...operands.map(({ bytes }) => bytes), [opcode], immediate);
}

type I32 = Code<'i32'>;
type F32 = Code<'f32'>;
type V128 = Code<'v128'>;
type Statement = Code<'void'>;

// Whole numbers.
export const number = (value: number): I32 => plain('i32', 0x41, [], signed(value));
export const add = (a: I32, b: I32): I32 => plain('i32', 0x6a, [a, b]);
export const subtract = (a: I32, b: I32): I32 => plain('i32', 0x6b, [a, b]);
export const multiply = (a: I32, b: I32): I32 => plain('i32', 0x6c, [a, b]);
export const shiftLeft = (a: I32, by: number): I32 => plain('i32', 0x74, [a, number(by)]);
/** a < b, signed. */
export const less = (a: I32, b: I32): I32 => plain('i32', 0x48, [a, b]);
/** a < b, unsigned: for addresses. */
export const below = (a: I32, b: I32): I32 => plain('i32', 0x49, [a, b]);
/** condition ? a : b, both worked out. */
export const select = <T extends ValueType>(condition: I32, a: Code<T>, b: Code<T>): Code<T> => plain(a.type, 0x1b, [a, b, condition]);

// Single numbers in memory. Addresses and offsets are in bytes.
export const load = (address: I32, offset = 0): F32 => plain('f32', 0x2a, [address], [2, ...unsigned(offset)]);
export const store = (address: I32, value: F32, offset = 0): Statement => plain('void', 0x38, [address, value], [2, ...unsigned(offset)]);
export const zero = (): F32 => plain('f32', 0x43, [], [0, 0, 0, 0]);
export const addF32 = (a: F32, b: F32): F32 => plain('f32', 0x92, [a, b]);

// Vectors of four.
export const loadVector = (address: I32, offset = 0): V128 => simd('v128', 0x00, [address], [2, ...unsigned(offset)]);
/** The number at the address, four times. */
export const loadSplat = (address: I32, offset = 0): V128 => simd('v128', 0x09, [address], [2, ...unsigned(offset)]);
export const storeVector = (address: I32, value: V128, offset = 0): Statement => simd('void', 0x0b, [address, value], [2, ...unsigned(offset)]);
export const zeroVector = (): V128 => simd('v128', 0x0c, [], new Array<number>(16).fill(0));
export const addVector = (a: V128, b: V128): V128 => simd('v128', 0xe4, [a, b]);
export const subtractVector = (a: V128, b: V128): V128 => simd('v128', 0xe5, [a, b]);
export const divideVector = (a: V128, b: V128): V128 => simd('v128', 0xe7, [a, b]);
/** The smaller of each pair; NaN where one is NaN. */
export const minVector = (a: V128, b: V128): V128 => simd('v128', 0xe8, [a, b]);
/** The larger of each pair; NaN where one is NaN. */
export const maxVector = (a: V128, b: V128): V128 => simd('v128', 0xe9, [a, b]);
/** The number four times. */
export const constantVector = (value: number): V128 => {
  const bytes = Array.from(new Uint8Array(new Float32Array([value]).buffer));
  return simd('v128', 0x0c, [], [...bytes, ...bytes, ...bytes, ...bytes]);
};
export const multiplyVector = (a: V128, b: V128): V128 => simd('v128', 0xe6, [a, b]);
/** a · b + c with one rounding; relaxed SIMD. */
export const fusedMultiplyAdd = (a: V128, b: V128, c: V128): V128 => simd('v128', 0x105, [a, b, c]);
/** Four of the eight numbers of a and b: lanes 0…3 are a's, 4…7 b's. */
export const shuffle = (a: V128, b: V128, lanes: readonly [number, number, number, number]): V128 =>
  simd('v128', 0x0d, [a, b], lanes.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]));

// Statements.
export const set = <T extends ValueType>(local: Local<T>, value: Code<T>): Statement => plain('void', 0x21, [value], unsigned(local.index));
export const block = (statements: readonly Statement[]): Statement => code('void', ...statements.map(({ bytes }) => bytes));
/** Runs the statements as long as the condition holds. */
export const loopWhile = (condition: I32, statements: readonly Statement[]): Statement =>
  code('void', condition.bytes, [0x04, 0x40, 0x03, 0x40], block(statements).bytes, condition.bytes, [0x0d, 0x00, 0x0b, 0x0b]);
export const when = (condition: I32, then: readonly Statement[], otherwise: readonly Statement[] = []): Statement =>
  code('void', condition.bytes, [0x04, 0x40], block(then).bytes, otherwise.length > 0 ? [0x05, ...block(otherwise).bytes] : [], [0x0b]);

/** A function of the module. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  readonly locals: readonly ValueType[];
  readonly body: Statement;
  /** Whether other code may call it by name from outside. All are internal or exported alike by index order. */
  readonly index: number;
}

/** Makes locals while a function's body is written. */
export interface Locals {
  <T extends ValueType>(type: T): Local<T>;
}

/**
 * Writes a function: `write` gets its parameters as locals, and a maker of further ones.
 *
 * @param index its place in the module, by which {@link call} finds it
 */
export function defineFunction<const P extends readonly ValueType[]>(
  index: number,
  name: string,
  parameters: P,
  write: (parameters: { [K in keyof P]: Local<P[K]> }, locals: Locals) => readonly Statement[],
): WasmFunction {
  const types: ValueType[] = [];
  const localAt = <T extends ValueType>(type: T, at: number): Local<T> => ({ type, index: at, bytes: [0x20, ...unsigned(at)] });
  const given = parameters.map((type, at) => localAt(type, at)) as unknown as { [K in keyof P]: Local<P[K]> };
  const statements = write(given, (type) => localAt(type, parameters.length + types.push(type) - 1));
  return { name, parameters, locals: types, body: block(statements), index };
}

/** Calls a function of the module that answers nothing. */
export const call = (target: WasmFunction, operands: readonly Code<ValueType>[]): Statement =>
  plain('void', 0x10, operands, unsigned(target.index));

/** A module of functions over the memory `env.memory`, all exported by name. */
export function assemble(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const text = (value: string): number[] => [...unsigned(value.length), ...Array.from(value, (letter) => letter.charCodeAt(0))];
  const list = (items: readonly (readonly number[])[]): number[] => [...unsigned(items.length), ...items.flat()];
  const section = (id: number, content: readonly number[]): number[] => [id, ...unsigned(content.length), ...content];
  const sized = (content: readonly number[]): number[] => [...unsigned(content.length), ...content];
  return Uint8Array.from([
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
    ...section(1, list(functions.map(({ parameters }) => [0x60, ...list(parameters.map((type) => [typeBytes[type]])), 0]))),
    ...section(2, list([[...text('env'), ...text('memory'), 0x02, 0x00, 0x01]])),
    ...section(3, list(functions.map((_, index) => unsigned(index)))),
    ...section(7, list(functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]))),
    ...section(10, list(functions.map(({ locals, body }) =>
      sized([...list(locals.map((type) => [1, typeBytes[type]])), ...body.bytes, 0x0b])))),
  ]);
}

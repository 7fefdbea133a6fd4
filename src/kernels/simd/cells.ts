/** The pointwise pair of the LSTM, one time step, four numbers at a time. Operands as in `CellKernels`, in bytes; H is a multiple of 4. */

import { activations } from './activation';
import {
  add, addVector, below, constantVector, defineFunction, less, loadVector, loopWhile, multiplyVector, number, set, shiftLeft, storeVector,
  subtract, subtractVector, type Code, type Local, type WasmFunction,
} from './assembler';

const one = (): Code<'v128'> => constantVector(1);
const addresses = <N extends number>(count: N): 'i32'[] & { length: N } => new Array<'i32'>(count).fill('i32') as 'i32'[] & { length: N };

/** Runs `body` for every four elements of every row: pointers of `narrow` go through rows of H, those of `wide` through rows of `gates`·H. */
function overRows(
  rows: Local<'i32'>, rowBytes: Local<'i32'>, end: Local<'i32'>, gates: number,
  narrow: readonly Local<'i32'>[], wide: readonly Local<'i32'>[], body: readonly Code<'void'>[],
): Code<'void'> {
  const step = (pointer: Local<'i32'>): Code<'void'> => set(pointer, add(pointer, number(16)));
  const skip = Array.from({ length: gates - 1 }, () => 0);
  return loopWhile(less(number(0), rows), [
    set(end, add(narrow[0]!, rowBytes)),
    loopWhile(below(narrow[0]!, end), [...body, ...[...narrow, ...wide].map(step)]),
    ...wide.flatMap((pointer) => skip.map(() => set(pointer, add(pointer, rowBytes)))),
    set(rows, subtract(rows, number(1))),
  ]);
}

/** (h, c, tanhC, gates, product, cPrevious, rows, H) */
export function lstmCellFunction(index: number, fused: boolean): WasmFunction {
  return defineFunction(index, 'lstmCell', addresses(8) as ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], (
    [h, c, tanhC, gates, product, cPrevious, rows, H], local,
  ) => {
    const { tanh, logistic } = activations(local, fused);
    const [end, width, a, b] = [local('i32'), local('i32'), local('i32'), local('i32')];
    const [i, f, g, o] = [local('v128'), local('v128'), local('v128'), local('v128')];
    const gate = (out: Local<'v128'>, activate: typeof tanh, first: boolean): Code<'void'>[] => [
      set(a, first ? gates : add(a, width)),
      set(b, first ? product : add(b, width)),
      ...activate(out, addVector(loadVector(a), loadVector(b))),
      storeVector(a, out),
    ];
    return [
      set(width, shiftLeft(H, 2)),
      overRows(rows, width, end, 4, [h, c, tanhC, cPrevious], [gates, product], [
        ...gate(i, logistic, true),
        ...gate(f, logistic, false),
        ...gate(g, tanh, false),
        ...gate(o, logistic, false),
        set(f, addVector(multiplyVector(f, loadVector(cPrevious)), multiplyVector(i, g))),
        storeVector(c, f),
        ...tanh(g, f),
        storeVector(tanhC, g),
        storeVector(h, multiplyVector(o, g)),
      ]),
    ];
  });
}

/** (gates, dcPrevious, dh, dc, tanhC, cPrevious, rows, H) */
export function lstmCellBackwardFunction(index: number): WasmFunction {
  return defineFunction(index, 'lstmCellBackward', addresses(8) as ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], (
    [gates, dcPrevious, dh, dc, tanhC, cPrevious, rows, H], local,
  ) => {
    const [end, width, atF, atG, atO] = [local('i32'), local('i32'), local('i32'), local('i32'), local('i32')];
    const [i, f, g, o] = [local('v128'), local('v128'), local('v128'), local('v128')];
    const [squashed, dOutput, dCell] = [local('v128'), local('v128'), local('v128')];
    /** x · (1 − x) and 1 − x². */
    const ofLogistic = (x: Local<'v128'>): Code<'v128'> => multiplyVector(x, subtractVector(one(), x));
    const ofTanh = (x: Local<'v128'>): Code<'v128'> => subtractVector(one(), multiplyVector(x, x));
    return [
      set(width, shiftLeft(H, 2)),
      overRows(rows, width, end, 4, [dcPrevious, dh, dc, tanhC, cPrevious], [gates], [
        set(atF, add(gates, width)),
        set(atG, add(atF, width)),
        set(atO, add(atG, width)),
        set(i, loadVector(gates)),
        set(f, loadVector(atF)),
        set(g, loadVector(atG)),
        set(o, loadVector(atO)),
        set(squashed, loadVector(tanhC)),
        set(dOutput, loadVector(dh)),
        set(dCell, addVector(loadVector(dc), multiplyVector(multiplyVector(dOutput, o), ofTanh(squashed)))),
        storeVector(gates, multiplyVector(multiplyVector(dCell, g), ofLogistic(i))),
        storeVector(atF, multiplyVector(multiplyVector(dCell, loadVector(cPrevious)), ofLogistic(f))),
        storeVector(atG, multiplyVector(multiplyVector(dCell, i), ofTanh(g))),
        storeVector(atO, multiplyVector(multiplyVector(dOutput, squashed), ofLogistic(o))),
        storeVector(dcPrevious, addVector(loadVector(dcPrevious), multiplyVector(dCell, f))),
      ]),
    ];
  });
}

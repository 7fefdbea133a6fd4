/**
 * The interface of the kernels: numbers over one flat heap, addressed by offset.
 *
 * Every kernel takes offsets of elements (not bytes) into the workspace's memory, outputs first, sizes last. All matrices are dense and
 * row-major. `dx` is the gradient of `x`; kernels that write a gradient ADD to it, all others overwrite. Outputs do not overlap inputs,
 * except where it is said. Ids live in the heap as numbers, exact up to 2²⁴.
 *
 * Letters: `T` steps, `B` batch, `I` input size, `H` hidden size, `G` gate blocks, `V` vocabulary, `N` rows, `n` elements.
 */

/** The numbers of a workspace. Single precision computes; double precision checks gradients. */
export type Heap = Float32Array | Float64Array;

/** Holds the current view of a heap; the view changes when the heap grows. */
export interface Memory {
  view: Heap;
}

export interface LinearKernels {
  /** C [M, N] = A [M, K] · B [K, N], or C += with `accumulate`; `transposeA`: A is stored [K, M]; `transposeB`: B is stored [N, K]. */
  gemm(c: number, a: number, b: number, M: number, N: number, K: number, transposeA: boolean, transposeB: boolean, accumulate: boolean): void;
  /** y [N, n] += v [n] in every row. */
  addRowVector(y: number, v: number, rows: number, n: number): void;
  /** dv [n] += the sum of the rows of dy [N, n]. */
  sumRows(dv: number, dy: number, rows: number, n: number): void;
  /** y[r] = table[ids[r]], rows of n; a row of zeros where the id is −1. */
  gatherRows(y: number, table: number, ids: number, rows: number, n: number): void;
  /** dtable[ids[r]] += dy[r], rows of n; nothing where the id is −1. */
  scatterAddRows(dtable: number, dy: number, ids: number, rows: number, n: number): void;
}

export interface MovementKernels {
  fill(y: number, value: number, n: number): void;
  copy(y: number, x: number, n: number): void;
  /** y[i·ys] = x[i·xs] for every index i of `shape`, with the strides of each side; a stride of 0 repeats. */
  copyStrided(y: number, yStrides: readonly number[], x: number, xStrides: readonly number[], shape: readonly number[]): void;
  /** dx[i·dxs] += dy[i·dys] for every index i of `shape`; a stride of 0 in dxs sums. */
  addStrided(dx: number, dxStrides: readonly number[], dy: number, dyStrides: readonly number[], shape: readonly number[]): void;
}

export interface ArithmeticKernels {
  add(y: number, a: number, b: number, n: number): void;
  subtract(y: number, a: number, b: number, n: number): void;
  multiply(y: number, a: number, b: number, n: number): void;
  divide(y: number, a: number, b: number, n: number): void;
  /** y = factor · x; y may be x. */
  scale(y: number, x: number, factor: number, n: number): void;
  /** dx += factor · dy. */
  addScaled(dx: number, dy: number, factor: number, n: number): void;
  /** dx += dy · b. */
  addProduct(dx: number, dy: number, b: number, n: number): void;
  /** Of y = a / b: da += dy / b. */
  divideBackwardA(da: number, dy: number, b: number, n: number): void;
  /** Of y = a / b: db −= dy · y / b. */
  divideBackwardB(db: number, dy: number, y: number, b: number, n: number): void;
  sum(x: number, n: number): number;
  sumOfSquares(x: number, n: number): number;
  /** x limited to [−limit, limit], in place; NaN stays NaN. */
  clamp(x: number, limit: number, n: number): void;
}

/** Elementwise functions: y = f(x), and dx += dy · f′, from whichever of x and y gives f′ more cheaply. */
export interface ElementwiseKernels {
  exp(y: number, x: number, n: number): void;
  expBackward(dx: number, dy: number, y: number, n: number): void;
  log(y: number, x: number, n: number): void;
  logBackward(dx: number, dy: number, x: number, n: number): void;
  sqrt(y: number, x: number, n: number): void;
  sqrtBackward(dx: number, dy: number, y: number, n: number): void;
  abs(y: number, x: number, n: number): void;
  absBackward(dx: number, dy: number, x: number, n: number): void;
  tanh(y: number, x: number, n: number): void;
  tanhBackward(dx: number, dy: number, y: number, n: number): void;
  sigmoid(y: number, x: number, n: number): void;
  sigmoidBackward(dx: number, dy: number, y: number, n: number): void;
  /** x where x > 0, else slope · x. ReLU is slope 0; NaN stays NaN. */
  leakyRelu(y: number, x: number, slope: number, n: number): void;
  leakyReluBackward(dx: number, dy: number, x: number, slope: number, n: number): void;
  /** log(1 + eˣ), without overflow. */
  softplus(y: number, x: number, n: number): void;
  softplusBackward(dx: number, dy: number, x: number, n: number): void;
  /** x²/2 where |x| ≤ delta, else delta · (|x| − delta/2). */
  huber(y: number, x: number, delta: number, n: number): void;
  huberBackward(dx: number, dy: number, x: number, delta: number, n: number): void;
}

/** Functions of the rows of a matrix [N, n]. */
export interface RowKernels {
  softmax(y: number, x: number, rows: number, n: number): void;
  softmaxBackward(dx: number, dy: number, y: number, rows: number, n: number): void;
  logSoftmax(y: number, x: number, rows: number, n: number): void;
  logSoftmaxBackward(dx: number, dy: number, y: number, rows: number, n: number): void;
  /** loss [N] = −log softmax(logits [N, V])[targets [N]]; leaves the probabilities [N, V] for backward. */
  crossEntropy(loss: number, probabilities: number, logits: number, targets: number, rows: number, V: number): void;
  /** dlogits [N, V] += dloss [N] · (probabilities − one-hot targets). */
  crossEntropyBackward(dlogits: number, dloss: number, probabilities: number, targets: number, rows: number, V: number): void;
}

/**
 * The pointwise pairs of the built-in cells, one time step of `rows` rows. `gates` [rows, G·H] comes in as x_t W_ih + b, `product`
 * [rows, G·H] as h_{t−1} W_hh. Forward leaves the activated gates in `gates`; backward turns them into the gradient of what came in.
 */
export interface CellKernels {
  /** h = tanh(gates + product), G = 1. */
  tanhCell(h: number, gates: number, product: number, rows: number, H: number): void;
  /** gates ← dh · (1 − h²). */
  tanhCellBackward(gates: number, dh: number, h: number, rows: number, H: number): void;
  /** h = max(0, gates + product), G = 1. */
  reluCell(h: number, gates: number, product: number, rows: number, H: number): void;
  /** gates ← dh where h > 0, else 0. */
  reluCellBackward(gates: number, dh: number, h: number, rows: number, H: number): void;
  /** c = f·c' + i·g, h = o·tanh(c); keeps tanh(c) [rows, H]. Gates i f g o. */
  lstmCell(h: number, c: number, tanhC: number, gates: number, product: number, cPrevious: number, rows: number, H: number): void;
  /** gates ← their gradient; dcPrevious += …; dc is that of c_t from later steps. */
  lstmCellBackward(
    gates: number, dcPrevious: number, dh: number, dc: number, tanhC: number, cPrevious: number, rows: number, H: number,
  ): void;
  /** h = (1 − z)·n + z·h', n = tanh(gates_n + r·(product_n + biasHn)); keeps product_n + biasHn [rows, H]. Gates r z n. */
  gruCell(h: number, kept: number, gates: number, product: number, hPrevious: number, biasHn: number, rows: number, H: number): void;
  /** gates ← their gradient, dproduct [rows, 3H] ← that of h_{t−1} W_hh, dhPrevious += dh·z, dbiasHn [H] += …. */
  gruCellBackward(
    gates: number, dproduct: number, dhPrevious: number, dbiasHn: number,
    dh: number, kept: number, hPrevious: number, rows: number, H: number,
  ): void;
}

/** Optimizer updates: each turns the gradient `g` [n] into the step to add to the parameters, in place, and moves its moments. */
export interface OptimizerKernels {
  /** velocity ← momentum · velocity + g; g ← −rate · (nesterov ? g + momentum · velocity : velocity). */
  momentum(g: number, velocity: number, rate: number, momentum: number, nesterov: boolean, n: number): void;
  /** square ← decay · square + (1 − decay) · g²; g ← −rate · g / (√square + epsilon). */
  rmsprop(g: number, square: number, rate: number, decay: number, epsilon: number, n: number): void;
  /** total ← total + g²; g ← −rate · g / (√total + epsilon). */
  adagrad(g: number, total: number, rate: number, epsilon: number, n: number): void;
  /** mean and square are the moments; g ← −rate · (mean / correction1) / (√(square / correction2) + epsilon). */
  adam(
    g: number, mean: number, square: number, rate: number, beta1: number, beta2: number, epsilon: number,
    correction1: number, correction2: number, n: number,
  ): void;
}

/** An implementation: plain TypeScript, WebAssembly SIMD, or that with the fused multiply-add of relaxed SIMD. */
export type KernelName = 'portable' | 'simd' | 'relaxed';

/** Every kernel, bound to one memory. */
export interface Kernels
  extends LinearKernels, MovementKernels, ArithmeticKernels, ElementwiseKernels, RowKernels, CellKernels, OptimizerKernels {
  /** Which implementation this is. */
  readonly name: KernelName;
  /** The memory the offsets point into. Read `memory.view` anew after every allocation. */
  readonly memory: Memory;
}

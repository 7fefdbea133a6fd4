/** The messages between the benchmark page and its worker, and the cases. */

/** Sequence length T, batch size B, input size I, hidden size H, number of classes V. */
export interface Case {
  readonly cell: 'rnn' | 'lstm';
  readonly T: number;
  readonly B: number;
  readonly I: number;
  readonly H: number;
  readonly V: number;
}

/** Without the GRU: TensorFlow.js applies its reset gate before the product, so it is another cell. */
export const cells: readonly Case['cell'][] = ['lstm', 'rnn'];

/** The sizes of the repository's benchmark that a browser runs in a few seconds. */
export const shapes: readonly Omit<Case, 'cell'>[] = [
  { T: 32, B: 32, I: 64, H: 128, V: 64 },
  { T: 64, B: 8, I: 16, H: 32, V: 8 },
  { T: 64, B: 1, I: 64, H: 128, V: 64 },
];

export interface Row {
  readonly name: string;
  /** The milliseconds per step of every turn. */
  readonly times: readonly number[];
  /** The loss after ten steps. */
  readonly loss: number;
}

export type BenchReport =
  | { readonly type: 'progress'; readonly text: string }
  | { readonly type: 'rows'; readonly rows: readonly Row[]; readonly versions: string; readonly done: boolean }
  | { readonly type: 'failed'; readonly message: string };

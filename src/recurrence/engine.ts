/** The input and the output of the engines that run a cell over packed time steps. */

import type { Scope, Variable } from '../autodiff/tape';
import type { Zoneout } from './zoneout';

/** The input of an engine: S sequences, N packed rows. */
export interface EngineInput {
  readonly scope: Scope;
  readonly parameters: Readonly<Record<string, Variable>>;
  /** `[N, I]` */
  readonly inputs: Variable;
  /** `[S, H]` by name: the initial state of every sequence. */
  readonly initial: Readonly<Record<string, Variable>>;
  /** The number of sequences at every time step; never increases. */
  readonly rows: readonly number[];
  /** `[S, H]` the mask of recurrent dropout: a factor of the hidden state before the recurrent weights. */
  readonly mask: Variable | undefined;
  readonly zoneout: Zoneout;
}

/** `[S + N, H]` by name: the initial states, followed by the state after every packed row. */
export type StateSequences = Readonly<Record<string, Variable>>;

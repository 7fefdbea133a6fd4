/** A cell over packed steps: what it is given and what it leaves. */

import type { Scope, Variable } from '../autodiff/tape';
import type { Zoneout } from './zoneout';

/** What a cell runs over. S sequences, N packed rows. */
export interface Run {
  readonly scope: Scope;
  readonly parameters: Readonly<Record<string, Variable>>;
  /** `[N, I]` */
  readonly inputs: Variable;
  /** The state that each sequence begins with, `[S, H]` by name. */
  readonly initial: Readonly<Record<string, Variable>>;
  /** How many sequences each step has. */
  readonly rows: readonly number[];
  /** `[S, H]` what h is multiplied by before it meets the recurrent weights. */
  readonly mask: Variable | undefined;
  readonly zoneout: Zoneout;
}

/** Every state before, between and after the steps: `[S + N, H]` by name, the initial ones first. */
export type History = Readonly<Record<string, Variable>>;

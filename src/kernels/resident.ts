/** Parameters that stay in the memory of a workspace, so that the streams of a model share one copy of its weights. */

import { memoize } from '../tensor/memoize';
import type { Tensor } from '../tensor/tensor';
import { leavesOf, type TensorTree } from '../tensor/tree';
import { packPanels, panelsSize } from './product';
import { copyInto, release, reservationOf, reserve, type Workspace } from './workspace';

/** The parameters of a model with the values of one moment. */
export interface Resident {
  readonly workspace: Workspace;
  /** Returns the offset of a tensor, which is copied at first use. */
  readonly place: (tensor: Tensor) => number;
  /** Returns the offset of the panels of a matrix `[K, N]`, which is packed at first use. */
  readonly pack: (matrix: Tensor) => number;
  /** Whether these are the tensors of the parameters, with the bits that they had. */
  readonly holds: (tensors: readonly Tensor[]) => boolean;
}

const residents = /* @__PURE__ */ new WeakMap<object, Resident>();

/**
 * Returns the resident parameters of a tree. They are created again if a bit of them has changed; the previous ones stay
 * as long as something uses them.
 */
export function residentOf(where: string, workspace: Workspace, tree: TensorTree): Resident {
  const tensors = leavesOf(where, tree).map(({ tensor }) => tensor);
  const existing = residents.get(tree);
  if (existing?.workspace === workspace && existing.holds(tensors)) return existing;
  const resident = createResident(workspace, tensors);
  residents.set(tree, resident);
  return resident;
}

function createResident(workspace: Workspace, tensors: readonly Tensor[]): Resident {
  const copies = tensors.map((tensor) => ({ tensor, bits: bitsOf(tensor).slice() }));
  const resident: Resident = {
    workspace,
    place: memoize(({ data }) => {
      const offset = reserve(reservation, data.length);
      workspace.memory.view.set(data, offset);
      return offset;
    }),
    pack: memoize(({ shape, data }) => {
      const [K, N] = shape as [number, number];
      const panels = reserve(reservation, panelsSize(K, N));
      const { top } = workspace;
      const plain = copyInto(workspace, data);
      workspace.kernels.of(packPanels)(panels, plain, K, N, false);
      release(workspace, top);
      return panels;
    }),
    holds: (others) =>
      others.length === copies.length &&
      copies.every(({ tensor, bits }, i) => {
        const other = others[i]!;
        if (other !== tensor || other.data.length !== bits.length) return false;
        const words = bitsOf(other);
        for (let j = 0; j < bits.length; j++) if (words[j] !== bits[j]) return false;
        return true;
      }),
  };
  const reservation = reservationOf(resident, workspace);
  return resident;
}

/** The bits of the values, which differ for 0 and −0, and are equal for equal NaN. */
const bitsOf = ({ data }: Tensor): Int32Array => new Int32Array(data.buffer, data.byteOffset, data.length);

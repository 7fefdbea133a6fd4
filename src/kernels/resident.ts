/** Parameters that stay in the memory of a workspace, so that the streams of a model share one copy of its weights. */

import { memoize } from '../tensor/memoize';
import type { Tensor } from '../tensor/tensor';
import { differing } from './movement';
import { packPanels, panelsSize } from './product';
import {
  copyInto,
  freeBlocks,
  type Reservation,
  reservationOf,
  reserve,
  reserveCopy,
  type Workspace,
  withMemory,
} from './workspace';

/** The parameters of a model with the values of one moment. */
export interface Resident {
  readonly workspace: Workspace;
  /** The memory of the parameters. */
  readonly reservation: Reservation;
  /** Returns the offset of a tensor, which is copied at first use. */
  readonly place: (tensor: Tensor) => number;
  /** Returns the offset of the panels of a matrix `[K, N]`, which is packed at first use. */
  readonly pack: (matrix: Tensor) => number;
  /** Whether these are the tensors of the parameters, with the bits that they had. */
  readonly holds: (tensors: readonly Tensor[]) => boolean;
  /** Whether its memory is freed when the parameters change, because only calls of `generate` have used it. */
  free?: boolean | undefined;
}

/** The resident parameters by owner, with the values that they had last. */
export const residents: WeakMap<object, Resident> = /* @__PURE__ */ new WeakMap();

/**
 * Returns the resident parameters of an owner, such as a model. They are created again if a bit of them has changed;
 * the previous ones stay as long as something uses them.
 */
export function residentOf(workspace: Workspace, owner: object, tensors: readonly Tensor[]): Resident {
  let resident = residents.get(owner);
  if (resident?.workspace === workspace && resident.holds(tensors)) resident.free = false;
  else {
    if (resident?.free) {
      // Before the new ones are reserved, for which there may be no memory.
      residents.delete(owner);
      freeBlocks(resident.reservation.held);
    }
    resident = createResident(workspace, tensors);
    residents.set(owner, resident);
  }
  return resident;
}

function createResident(workspace: Workspace, tensors: readonly Tensor[]): Resident {
  const reservation = reservationOf(workspace);
  const place = memoize(({ data }: Tensor) => reserveCopy(reservation, data));
  tensors.forEach(place);
  return {
    workspace,
    reservation,
    place,
    pack: memoize((matrix) => {
      const [K, N] = matrix.shape as [number, number];
      const panels = reserve(reservation, panelsSize(K, N));
      workspace.kernels.of(packPanels)(panels, place(matrix), K, N, false);
      return panels;
    }),
    holds: (others) =>
      others.length === tensors.length &&
      others.every(
        (tensor, i) =>
          tensor === tensors[i] &&
          withMemory(
            workspace,
            () =>
              workspace.kernels.of(differing)(place(tensor), copyInto(workspace, tensor.data), tensor.data.length) < 1,
          ),
      ),
  };
}

/** Averages of the parameters over updates, which often predict better than the parameters of the last update. */

import { addScaled, scaling } from '../kernels/arithmetic';
import { lastOf } from '../tensor/arrays';
import { checkBelowOne, checkCount, checkKind, checkNames, outOfRange } from '../tensor/shape';
import { type TensorTree, treeOver } from '../tensor/tree';
import {
  checkOptimizer,
  checkOptimizerState,
  createOptimizer,
  type Optimizer,
  type OptimizerState,
  partsOf,
} from './optimizers';

/** The options of {@link averageWeights}. */
export interface AverageOptions {
  /**
   * The decay rate of an exponential moving average (EMA). By default the parameters of all averaged updates have equal
   * weight (stochastic weight averaging, SWA).
   */
  readonly decay?: number | undefined;
  /** The first update that is averaged; until then the average equals the parameters. 1 by default. */
  readonly start?: number | undefined;
  /** The number of updates from one that is averaged to the next. 1 by default. */
  readonly every?: number | undefined;
}

/**
 * Averages the parameters over updates (Polyak and Juditsky, 1992; Izmailov et al., 2018, arXiv 1803.05407), without
 * changing the updates. It must be last in a {@link chain}. The average is in the optimizer state, so that training
 * states contain it; {@link averagedModel} returns it. {@link fit} itself evaluates the parameters, not their average.
 *
 * @throws RangeError if an option is out of range
 * @example
 * const parameters = { w: tensor([0]) };
 * const optimizer = chain(sgd(1), averageWeights({ decay: 0.75 }));
 * const state = initializeOptimizer(optimizer, 1);
 * for (let i = 0; i < 2; i++) applyOptimizer(optimizer, state, parameters, { w: tensor([-4]) });
 * parameters.w.data; // Float32Array [8]
 * averagedModel({ parameters, data: parameters.w.data }, optimizer, state).data; // Float32Array [5]
 */
export function averageWeights(options: AverageOptions = {}): Optimizer {
  checkNames('averageWeights', 'options', options, ['decay', 'start', 'every']);
  const { decay, start = 1, every = 1 } = options;
  if (decay !== undefined) checkBelowOne('averageWeights', 'decay', decay);
  checkCount('averageWeights', 'start', start);
  checkCount('averageWeights', 'every', every);
  const update: Optimizer['update'] = ({ kernels: k, parameters, gradient, slots, step, size }) => {
    const count = (step - start) / every;
    if (count > 0 && count % 1 !== 0) return;
    /** The weight of the previous average. */
    const weight = count <= 0 ? 0 : (decay ?? count / (count + 1));
    const [average] = slots as readonly [number];
    // The parameters after the update are their sum with the step. Only the distance from them is scaled, so that the
    // average of constant parameters is exact: the rounding errors of many updates would add up.
    k.of(addScaled)(average, parameters, -1, size);
    k.of(addScaled)(average, gradient, -1, size);
    k.of(scaling)(average, average, weight, size);
    k.of(addScaled)(average, parameters, 1, size);
    k.of(addScaled)(average, gradient, 1, size);
  };
  return createOptimizer({ name: 'averageWeights', slots: 1, update }, 'averageWeights', { ...options });
}

/**
 * A copy of a model with the averages of its parameters, to evaluate, predict or save.
 *
 * @param model a {@link sequential} model, an {@link encoderDecoder} or a {@link customModel}; it is not changed
 * @param optimizer ends with {@link averageWeights}
 * @param state of the optimizer, such as `optimizerState` of the result of {@link fit}
 * @throws RangeError if the optimizer does not end with averageWeights, or the state is not of this optimizer and model
 * or is that before the first update
 * @example
 * const model = sequential([dense({ size: 1 })], { inputSize: 1, seed: 1 });
 * const data = batchesOf(tensor([[[1], [2]]]), tensor([[[3], [5]]]), { batchSize: 1 });
 * const optimizer = chain(adam(0.1), averageWeights({ decay: 0.9 }));
 * const { optimizerState } = await fit(model, data, { loss: meanSquaredError, optimizer, epochs: 100 });
 * const averaged = averagedModel(model, optimizer, optimizerState);
 * evaluate(averaged, data, { loss: meanSquaredError }).loss < 0.1; // true
 */
export function averagedModel<M extends { readonly parameters: TensorTree; readonly data: Float32Array }>(
  model: M,
  optimizer: Optimizer,
  state: OptimizerState,
): M {
  checkKind('averagedModel', 'model', model, 'a model', 'data');
  checkOptimizer('averagedModel', 'optimizer', optimizer);
  // Any step after the average is not in it. The masks of `freeze` change nothing.
  const last = lastOf(partsOf(optimizer).filter(({ name }) => name !== 'freeze'));
  if (last?.name !== 'averageWeights')
    throw outOfRange('averagedModel', 'optimizer', 'one that ends with averageWeights', last?.name);
  checkOptimizerState('averagedModel', 'state', optimizer, state, model.data.length);
  checkCount('averagedModel', 'state.step', state.step);
  const { data, tree } = treeOver(model.parameters, lastOf(state.slots)!.slice());
  return { ...model, parameters: tree, data };
}

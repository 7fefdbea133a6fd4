/** Prediction with parameters that stay in the memory of the kernels. */

import { runScope, variableAt } from '../autodiff/tape';
import { type AsTensors, copyOut } from '../autodiff/value-and-gradient';
import { residentOf } from '../kernels/resident';
import { defaultWorkspace } from '../kernels/workspace';
import { mapValues } from '../tensor/named-values';
import type { IntTensor, Tensor } from '../tensor/tensor';
import { leavesOf } from '../tensor/tree';
import {
  checkModel,
  type InScope,
  type Prediction,
  type PredictOptions,
  predictAs,
  type Sequential,
} from './sequential';

/** Predicts with a copy of the parameters of a model, as they were when {@link createPredictor} created it. */
export interface Predictor {
  /** Computes the output, as {@link predict} does. */
  readonly predict: (inputs: IntTensor | Tensor, options?: PredictOptions) => Tensor;
  /** Computes the output and the final state, as {@link predictWithState} does. */
  readonly predictWithState: (inputs: IntTensor | Tensor, options?: PredictOptions) => Prediction;
}

/**
 * Creates a predictor: a copy of the parameters of a model in the layout of the kernels. {@link predict} copies and
 * packs them at every call; a predictor does it once, which is faster if there are many calls with few steps or rows.
 * It does not see later changes of the model. Predictors and streams of a model share one copy. Call
 * {@link useKernels} and {@link useThreads} first: a predictor keeps the kernels and threads of when it was created.
 *
 * @throws TypeError if `model` is not a model
 * @example
 * const model = sequential([recurrent(lstm(), { hiddenSize: 4 })], { inputSize: 2, seed: 1 });
 * const predictor = createPredictor(model);
 * predictor.predict(full([3, 1, 2], 1)).shape; // [3, 1, 4]
 */
export function createPredictor(model: Sequential): Predictor {
  checkModel('createPredictor', model);
  const tensors = leavesOf('createPredictor', model.parameters).map(({ tensor }) => tensor);
  const resident = residentOf(defaultWorkspace(), model.parameters, tensors);
  const places = mapValues(model.parameters, (parameters, layer) =>
    mapValues(parameters, (tensor) => ({
      shape: tensor.shape,
      offset: resident.place(tensor),
      panels: isMultiplied(model, layer, tensor) ? resident.pack(tensor) : undefined,
    })),
  );
  const run: InScope = (body) =>
    // The resident parameters are collected, with their memory, only after the predictor.
    runScope(resident.workspace, false, (scope) => {
      const parameters = mapValues(places, (layer) =>
        mapValues(layer, ({ shape, offset, panels }) => ({ ...variableAt(scope, offset, shape, false), panels })),
      );
      return copyOut(body(parameters), 'predict') as AsTensors<ReturnType<typeof body>>;
    });
  return {
    predict: (inputs, options = {}) => predictAs('predict', model, inputs, options, run).output,
    predictWithState: (inputs, options = {}) => predictAs('predictWithState', model, inputs, options, run),
  };
}

/** Whether a parameter of a layer is a matrix that vectors are multiplied by; an embedding is not. */
function isMultiplied({ layers }: Sequential, name: string, { shape }: Tensor): boolean {
  return shape.length === 2 && layers.some((layer) => layer.name === name && layer.input.kind !== 'ids');
}

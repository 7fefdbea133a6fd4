/** Training of a sequential model on batches that are drawn as it goes. */

import {
  type Batch,
  createRandom,
  fit,
  type IntTensor,
  initializeOptimizer,
  type Loss,
  type Optimizer,
  type Random,
  type Sequential,
  type Tensor,
} from 'bptt';

/** Answers a function that makes so many updates, each on a batch that is drawn anew. */
export function trainerOf<Y extends Tensor | IntTensor>(
  model: Sequential,
  draw: (random: Random) => Batch<Y>,
  loss: Loss<Y>,
  optimizer: Optimizer,
  seed: number,
): (count: number) => Promise<void> {
  const random = createRandom(seed + 0.5);
  const optimizerState = initializeOptimizer(optimizer, model.data.length);
  return async (steps) => {
    const data = {
      batchCount: steps,
      batches: function* () {
        for (let i = 0; i < steps; i++) yield draw(random);
      },
    };
    await fit(model, data, { loss, optimizer, optimizerState, steps });
  };
}

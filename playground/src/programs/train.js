/** The training program. It runs once per network; all networks see the same batches. */

import { adam, chain, clipByNorm, fit, sgd } from 'bptt';

/**
 * @param model the model to train
 * @param task the module of the task, with `draw` and `loss`
 * @param settings the values of the controls
 * @param hooks `onProgress` draws the plots and waits while training is paused
 */
export async function train(model, task, settings, hooks) {
  const { clip, learningRate, seed } = settings;
  const optimizer = settings.optimizer === 'sgd' ? sgd(learningRate) : adam(learningRate);
  const updates = 100_000;
  const data = {
    batchCount: updates,
    *batches(random) {
      for (let i = 0; i < updates; i++) yield task.draw(random, settings);
    },
  };
  await fit(model, data, {
    loss: task.loss,
    optimizer: clip > 0 ? chain(clipByNorm(clip), optimizer) : optimizer,
    seed,
    steps: updates,
    ...hooks,
  });
}

/** The examples in their short form: each beats its baseline on data that it has not learned from. */

import { expect, it } from 'vitest';
import type { Setting } from '../../examples/example';
import { trajectories } from '../../examples/trajectories/trajectories';

const setting: Setting = { short: true, say: () => undefined, onProgress: () => undefined, keep: () => undefined };

it('trajectories: nearer than heading on, which is nearer than staying put', async () => {
  const { model, heading, staying } = await trajectories(setting);
  expect(Math.round(heading!)).toBe(184);
  expect(Math.round(staying!)).toBe(455);
  expect(model!).toBeLessThan(0.93 * heading!);
});

/** The version of the ONNX operator set of a model. */

import type { OnnxModel } from './model';

/** The supported versions. */
const oldestOpset = 7;
const newestOpset = 25;

/** Returns the version. @throws RangeError if it is missing or not supported */
export function opsetOf(caller: string, { opsets }: Pick<OnnxModel, 'opsets'>): number {
  const opset = Object.hasOwn(opsets, '') ? opsets['']! : undefined;
  if (opset === undefined)
    throw new RangeError(`${caller}: the model does not specify its ONNX opset version. Is this an ONNX file?`);
  if (!(opset >= oldestOpset && opset <= newestOpset))
    throw new RangeError(
      `${caller}: the opset version must be ${oldestOpset} to ${newestOpset}, got ${opset}. Export with another ` +
        'opset_version.',
    );
  return opset;
}

/** Conversion of PyTorch weights: `import { fromPyTorch } from 'bptt/pytorch'`. */

export { type InferOptions, type InferredModel, inferModel } from './formats/infer-model';
export { fromPyTorch, type PyTorchOptions, type ToPyTorchOptions, toPyTorch } from './formats/pytorch';

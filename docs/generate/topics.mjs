/** The topics of the API reference, in the order of the navigation, and the sources whose public names they contain. */

/**
 * @typedef {object} Topic
 * @property {string} file the name of the page
 * @property {string} title
 * @property {string} section the heading of the navigation above the topic
 * @property {string} about the first sentences of the page
 * @property {readonly string[]} sources prefixes of paths below `src/`; the longest prefix of a path selects its topic
 */

/** @type {readonly Topic[]} */
export const topics = [
  {
    file: 'models',
    title: 'Sequential models',
    section: 'Models',
    about: 'Create models of layers, and run them on whole sequences.',
    sources: ['models/sequential', 'models/', 'layers/chain'],
  },
  {
    file: 'layers',
    title: 'Layers',
    section: 'Models',
    about: 'The layers of `sequential` models, and the interface of custom layers.',
    sources: ['layers/'],
  },
  {
    file: 'cells',
    title: 'Cells',
    section: 'Models',
    about: 'The recurrent cells of `recurrent`, `bidirectional`, `unroll` and `streamCell`, and their activations.',
    sources: ['cells/'],
  },
  {
    file: 'custom-cells',
    title: 'Custom cells and unroll',
    section: 'Models',
    about: 'The interface of a cell, and the loop over time.',
    sources: ['recurrence/', 'cells/gate-parameters'],
  },
  {
    file: 'streams',
    title: 'Streams',
    section: 'Models',
    about: 'Run a model one time step at a time.',
    sources: ['models/stream', 'recurrence/cell-stream'],
  },
  {
    file: 'generation',
    title: 'Text generation',
    section: 'Models',
    about: 'Sample sequences of tokens from a model.',
    sources: ['models/generate', 'tensor/sampling'],
  },
  {
    file: 'attention',
    title: 'Attention',
    section: 'Models',
    about: 'Attention over a sequence, for custom models and decoders.',
    sources: ['attention/'],
  },
  {
    file: 'encoder-decoder',
    title: 'Encoder-decoder models',
    section: 'Models',
    about: 'Models that map a sequence to another sequence, and search for the best output.',
    sources: ['encoder-decoder/'],
  },
  {
    file: 'initializers',
    title: 'Initializers',
    section: 'Models',
    about: 'Functions that create the initial values of parameters.',
    sources: ['tensor/initializers', 'tensor/parameter-spec'],
  },
  {
    file: 'datasets',
    title: 'Datasets and batches',
    section: 'Data',
    about: 'Cut data into batches and windows, pad sequences, split and scale data.',
    sources: ['data/windows', 'data/dataset', 'data/unequal-lengths', 'data/'],
  },
  {
    file: 'vocabularies',
    title: 'Vocabularies',
    section: 'Data',
    about: 'Convert text to token ids and back.',
    sources: ['data/vocabulary', 'data/make-vocabulary', 'data/byte-pair-encoding'],
  },
  {
    file: 'training',
    title: 'fit and custom models',
    section: 'Training',
    about: 'Train models on datasets, stop early, and resume.',
    sources: ['training/fit', 'training/'],
  },
  {
    file: 'losses',
    title: 'Losses',
    section: 'Training',
    about: 'Functions to minimize. Losses are metrics, too: pass them to `evaluate`.',
    sources: ['training/losses', 'training/weighted-losses', 'training/sampled-softmax', 'training/mixture-density'],
  },
  {
    file: 'metrics',
    title: 'Metrics',
    section: 'Training',
    about: 'Evaluate a model on a dataset. Losses are metrics, too.',
    sources: [
      'training/evaluate',
      'training/metrics',
      'training/classification-metrics',
      'training/regression-metrics',
      'training/roc-auc',
    ],
  },
  {
    file: 'optimizers',
    title: 'Optimizers',
    section: 'Training',
    about: 'Update rules, gradient clipping, weight decay, frozen and averaged parameters.',
    sources: [
      'training/optimizers',
      'training/optimizer-variants',
      'training/transformations',
      'training/freeze',
      'training/averaged-weights',
    ],
  },
  {
    file: 'schedules',
    title: 'Learning rate schedules',
    section: 'Training',
    about: 'Learning rates that change during training; pass one to an optimizer in place of a number.',
    sources: ['training/schedules'],
  },
  {
    file: 'logging',
    title: 'Logs and plots',
    section: 'Training',
    about:
      'Write the progress of a training to a file, and draw its loss. For terminals and files, see also `bptt/node`.',
    sources: ['training/loggers', 'training/loss-plot'],
  },
  {
    file: 'truncated-bptt',
    title: 'Truncated BPTT',
    section: 'Training',
    about: 'Train on streams without an end.',
    sources: ['training/truncated-bptt'],
  },
  {
    file: 'diagnostics',
    title: 'Diagnostics',
    section: 'Training',
    about: 'Measure the flow of gradients through time, and check gradients.',
    sources: ['training/gradient-flow', 'autodiff/gradient-check'],
  },
  {
    file: 'saving',
    title: 'Saving and loading',
    section: 'Files',
    about:
      'Files in the safetensors format, with the model, its vocabularies and scalers, and the state of its training.',
    sources: ['formats/', 'tensor/origin'],
  },
  {
    file: 'tensors',
    title: 'Tensors',
    section: 'Numerics',
    about: 'Tensors are plain objects with a shape and a typed array.',
    sources: ['tensor/'],
  },
  {
    file: 'random',
    title: 'Random numbers',
    section: 'Numerics',
    about: 'Seeded generators. The same seed yields the same numbers on every engine.',
    sources: ['tensor/random'],
  },
  {
    file: 'automatic-differentiation',
    title: 'Automatic differentiation',
    section: 'Numerics',
    about: 'Compute values and gradients of ordinary functions.',
    sources: ['autodiff/'],
  },
  {
    file: 'operations',
    title: 'Operations',
    section: 'Numerics',
    about: 'Differentiable operations on tensors and variables.',
    sources: ['autodiff/ops/'],
  },
  {
    file: 'kernels',
    title: 'Kernels',
    section: 'Numerics',
    about: 'The implementation of the numerical kernels that runs, and its selection.',
    sources: ['kernels/'],
  },
];

/** Titles and introductions of the entry points other than `bptt`; each of them is one topic. */
export const entryPointTopics = {
  'bptt/node': { title: 'bptt/node', about: 'Functions that need Node.js: checkpoint files and terminal progress.' },
  'bptt/forecasting': {
    title: 'bptt/forecasting',
    about: 'Forecasts of time series with intervals, and their evaluation.',
  },
  'bptt/worker': { title: 'bptt/worker', about: 'Training in a worker, off the main thread.' },
  'bptt/pytorch': { title: 'bptt/pytorch', about: 'Weights from and for PyTorch.' },
  'bptt/keras': { title: 'bptt/keras', about: 'Models from Keras and TensorFlow.js.' },
  'bptt/onnx': { title: 'bptt/onnx', about: 'Import, export and execution of ONNX models.' },
};

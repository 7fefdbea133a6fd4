import { results } from './results.js';

// `print` is the output of the command line of Hermes.
results().then(
  (value) => print(JSON.stringify(value)),
  (error) => print(String(error.stack)),
);

import { run } from './app.js';

run().then(
  (result) => {
    globalThis.result = { result };
  },
  (error) => {
    globalThis.result = { error: String(error) };
  },
);

/** Trains a character-level language model on Moby-Dick and samples text from it: `npm run demo`. */

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  adam,
  bitsPerCharacter,
  chain,
  characterVocabulary,
  clipByNorm,
  crossEntropy,
  decode,
  dense,
  embedding,
  encode,
  evaluate,
  fit,
  generate,
  gru,
  lstm,
  recurrent,
  sequential,
  simpleRnn,
  split,
  windows,
} from 'bptt';
import { terminalProgress } from 'bptt/node';

const help = `Trains a character-level language model on Moby-Dick, then samples text from it.

  npm run demo -- [options]

  --cell rnn|lstm|gru   recurrent cell (default: lstm)
  --steps N             number of updates (default: 2000)
  --seed N              seed of the weights, the batches and the sampled text (default: 1)
  --help                print this text

Ctrl-C stops training early; the model is then evaluated and sampled as usual.
`;

const cells = { rnn: simpleRnn, lstm, gru };

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cell: { type: 'string', default: 'lstm' },
      steps: { type: 'string', default: '2000' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values['help']) {
    process.stdout.write(help);
    return;
  }
  const name = String(values['cell']);
  const cell = Object.hasOwn(cells, name) ? cells[name as keyof typeof cells] : undefined;
  const [steps, seed] = [Number(values['steps']), Number(values['seed'])];
  if (cell === undefined) throw new RangeError(`--cell must be rnn, lstm or gru, got ${name}.`);
  if (!Number.isSafeInteger(steps) || steps < 0)
    throw new RangeError(`--steps must be a non-negative integer, got ${String(values['steps'])}.`);
  if (!Number.isFinite(seed)) throw new RangeError(`--seed must be a number, got ${String(values['seed'])}.`);

  const text = readFileSync(new URL('../examples/moby-dick/moby-dick.txt', import.meta.url), 'utf8');
  const vocabulary = characterVocabulary(text);
  const [train, heldOut] = split(encode(vocabulary, text), [0.9, 0.1]);
  const model = sequential(
    [
      embedding({ vocabularySize: vocabulary.size, size: 32 }),
      recurrent(cell(), { hiddenSize: 128 }),
      dense({ size: vocabulary.size }),
    ],
    { seed },
  );
  process.stdout.write(
    `${train.length} training characters, vocabulary size ${vocabulary.size}, ${model.data.length} parameters\n`,
  );

  const interrupt = { aborted: false };
  process.once('SIGINT', () => (interrupt.aborted = true));
  await fit(model, windows(train, { sequenceLength: 64, batchSize: 32 }), {
    loss: crossEntropy,
    optimizer: chain(clipByNorm(1), adam(2e-3)),
    steps,
    seed,
    signal: interrupt,
    onProgress: terminalProgress({ unit: 'characters' }),
  });

  const validation = windows(heldOut.slice(0, 65_537), { sequenceLength: 1024, batchSize: 1, shuffle: false });
  const { loss } = evaluate(model, validation, { loss: crossEntropy, carryState: true });
  process.stdout.write(
    `\nvalidation loss ${loss.toFixed(4)} nats, ${bitsPerCharacter(loss).toFixed(3)} bits per character\n\n`,
  );
  const prompt = 'Call me ';
  const passage = generate(model, { prompt: encode(vocabulary, prompt), length: 600, temperature: 0.7, seed });
  process.stdout.write(`${prompt}${decode(vocabulary, passage)}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});

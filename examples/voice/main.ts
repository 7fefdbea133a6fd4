/** Detects speech: `npm run voice -- FILE.wav`. */

import { parseArgs } from 'node:util';
import { demonstrate, detect, evaluate, train } from './commands';

const usage = `Detects speech with Silero VAD and with a small network that was trained here.

  npm run voice -- FILE.wav [--picture FILE.svg]   print the segments of speech, and draw the probability over the
                                                 waveform; the picture is voice.svg by default
  npm run voice                                  the same for speech of espeak-ng in noise; writes speech.svg
  npm run voice -- evaluate [--short]            precision and recall at several ratios of speech to noise; writes
                                                 ratios.svg
  npm run voice -- train [--short]               train the small network; writes small-detector.safetensors

  --short         train and evaluate in about 20 seconds, and leave the files of the example unchanged

All but the first need the program espeak-ng (apt-get install espeak-ng).
`;

async function run(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      picture: { type: 'string', default: 'voice.svg' },
      short: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [command, ...rest] = positionals;
  if (rest.length > 0) throw new RangeError(`one file or command is expected, got ${positionals.join(' ')}`);
  // Otherwise the full run would replace the committed picture.
  if (values.short && command !== 'evaluate' && command !== 'train')
    throw new RangeError('--short is an option of evaluate and of train only');
  if (values.help) process.stdout.write(usage);
  else if (command === undefined) demonstrate();
  else if (command === 'evaluate') await evaluate(values.short);
  else if (command === 'train') await train(values.short);
  else detect(command, values.picture);
}

try {
  await run();
} catch (error) {
  process.stderr.write(`voice: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

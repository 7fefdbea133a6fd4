/** Runs a command: `npm run scale -- COMMAND`. */

import { scoreCommand } from './commands/score-command';
import { sweepCommand } from './commands/sweep-command';
import { workerCommand } from './commands/worker-command';
import { messageOf } from './jobs/job-queue';

const usage = `Searches hyperparameters and scores files with many processes.

  npm run scale -- sweep [--task sentiment|weather] [--search random|grid|halving] [--trials 12] [--points 3]
                         [--folds 3] [--epochs 4] [--rungs 3] [--seed 1]
  npm run scale -- score [--input FILE]… [--model FILE] [--output FILE] [--lines 100000] [--chunk 4096]
  npm run scale -- worker                 works on the jobs of sweep and score, also on another machine

sweep, score, worker:
  --queue URL       redis://… (BullMQ) or postgres://… (pg-boss); without it, everything runs in this process
  --workers N       worker processes that sweep and score start; 0 if they run elsewhere
  --folder DIR      results and checkpoints, shared by all machines; default: scale-run
`;

const commands: Readonly<Record<string, (options: readonly string[]) => Promise<void>>> = {
  sweep: sweepCommand,
  score: scoreCommand,
  worker: workerCommand,
};

const [name = '--help', ...options] = process.argv.slice(2);
const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (command === undefined) {
  if (name !== '--help') process.stderr.write(`Unknown command ${name}.\n\n`);
  process.stdout.write(usage);
  process.exitCode = name === '--help' ? 0 : 1;
} else {
  try {
    await command(options);
  } catch (error) {
    process.stderr.write(`${name}: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}

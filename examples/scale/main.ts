/** Runs a command: `npm run scale -- COMMAND`. */

import { liveCommand, liveWorkerCommand } from './commands/live-command';
import { pytorchCommand } from './commands/pytorch-command';
import { scoreCommand } from './commands/score-command';
import { sweepCommand } from './commands/sweep-command';
import { workerCommand } from './commands/worker-command';
import { messageOf } from './jobs/job-queue';

const usage = `Searches hyperparameters, scores files and runs live streams with many processes.

  npm run scale -- sweep [--task sentiment|weather] [--search random|grid|halving] [--trials 12] [--points 3]
                         [--folds 3] [--epochs 4] [--rungs 3] [--seed 1]
  npm run scale -- score [--input FILE]… [--model FILE] [--output FILE] [--lines 100000] [--chunk 4096]
  npm run scale -- worker [--idle SECONDS]  works on the jobs of sweep and score, also on another machine;
                                          ends after some time without a job
  npm run scale -- live [--keys 1000] [--events 20000] [--rate EVENTS_PER_SECOND] [--partitions 8] [--switch]
  npm run scale -- live-worker            runs streams of live, also on another machine
  npm run scale -- pytorch [--python python3]   trains on two processes with PyTorch, and compares with bptt

sweep, score, worker:
  --queue URL       redis://… (BullMQ) or postgres://… (pg-boss); without it, everything runs in this process
  --workers N       worker processes that sweep and score start; 0 if they run elsewhere
  --folder DIR      results and checkpoints, shared by all machines; default: scale-run
live, live-worker:
  --nats URL        nats://…; without it, everything runs in this process
  --workers N       worker processes that live starts
  --folder DIR      models and states, shared by all machines
  --switch          new weights for the second half of the events
`;

const commands: Readonly<Record<string, (options: readonly string[]) => Promise<void>>> = {
  sweep: sweepCommand,
  score: scoreCommand,
  worker: workerCommand,
  live: liveCommand,
  'live-worker': liveWorkerCommand,
  pytorch: pytorchCommand,
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
    // Open connections would keep the process alive, and nobody would start it again.
    process.exit(1);
  }
}

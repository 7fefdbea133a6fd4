/** What needs Node: `import { terminalProgress } from 'bptt/node'`. */

export { writeAtomically } from './atomic-file';
export { checkpointFile, resumeFrom, type CheckpointFileOptions } from './checkpoint-file';
export { terminalProgress, type ProgressOutput, type TerminalProgressOptions } from './terminal-progress';

/** Functions that need Node.js: `import { terminalProgress } from 'bptt/node'`. */

export { writeAtomically } from './atomic-file';
export { type CheckpointFileOptions, checkpointFile, resumeFrom } from './checkpoint-file';
export { fileOutput } from './file-output';
export { type ProgressOutput, type TerminalProgressOptions, terminalProgress } from './terminal-progress';
export { enableWideKernels, type WideKernels } from './wide-kernels';

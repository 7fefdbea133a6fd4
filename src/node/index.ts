/** What needs Node: `import { terminalProgress } from 'bptt/node'`. */

export { terminalProgress, type ProgressOutput, type TerminalProgressOptions } from './terminal-progress';

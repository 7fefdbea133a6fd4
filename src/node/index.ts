/** What needs Node: `import … from 'bptt/node'`. */

export { terminalProgress, type TerminalProgressOptions } from './terminal-progress';

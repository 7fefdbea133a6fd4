/** The tasks: what they are, what to look for, and experiments to try. */

import cells from './programs/cells.js?raw';
import adding from './programs/tasks/adding.js?raw';
import echo from './programs/tasks/echo.js?raw';
import parity from './programs/tasks/parity.js?raw';
import reber from './programs/tasks/reber.js?raw';
import sine from './programs/tasks/sine.js?raw';
import strokes from './programs/tasks/strokes.js?raw';
import text from './programs/tasks/text.js?raw';
import train from './programs/train.js?raw';
import type { NumberName, Settings } from './settings';

export type TaskName = 'echo' | 'adding' | 'parity' | 'reber' | 'sine' | 'text' | 'strokes';

/** A change of settings that shows something. */
export interface Trial {
  readonly label: string;
  /** What to look for. */
  readonly outcome: string;
  readonly settings: Partial<Settings>;
}

/** A task and how to present it. */
export interface Preset {
  readonly title: string;
  /** One line, for the list of tasks. */
  readonly summary: string;
  /** The task in one or two sentences. */
  readonly description: string;
  readonly lookFor: string;
  /** The trivial prediction, in words. */
  readonly baseline: string;
  /** The unit of the loss. */
  readonly unit: string;
  /** The time, in seconds, after which at least one network of the preset is below the baseline on a slow computer. */
  readonly seconds: number;
  /** The settings of numbers that the task has in addition to the common ones. */
  readonly numbers: readonly NumberName[];
  readonly hasTemperature: boolean;
  /** Whether predictions and samples need the whole width. */
  readonly isWide: boolean;
  readonly defaults: Partial<Settings>;
  readonly trials: readonly Trial[];
  readonly program: string;
}

/** The programs that all tasks share. */
export const sharedPrograms: Readonly<Record<'cells.js' | 'train.js', string>> = {
  'cells.js': cells,
  'train.js': train,
};

export const presets: Readonly<Record<TaskName, Preset>> = {
  adding: {
    title: 'Adding',
    summary: 'Add two numbers',
    description:
      'The input is a sequence of random numbers, two of which are marked. After the last step, the network ' +
      'must return their sum.',
    lookFor:
      'The tanh RNN stays on the baseline: its gradient is gone long before it reaches the first mark. The ' +
      'gated cells and the ReLU RNN with identity weights keep theirs, and learn. Each point of the ' +
      'predictions is a test sequence; on the diagonal, the prediction is exact.',
    baseline: 'always 1, the mean',
    unit: 'squared error',
    seconds: 10,
    numbers: ['length'],
    hasTemperature: false,
    isWide: false,
    defaults: { length: 40 },
    trials: [
      {
        label: 'A short sequence',
        outcome: 'With 10 steps the gradient survives, and the tanh RNN learns as well.',
        settings: { length: 10 },
      },
      {
        label: 'Make gradients explode',
        outcome:
          'Gain 1.2, gradient descent, no clipping: the first update of the ReLU RNN is so large that its ' +
          'loss is no longer a number.',
        settings: { gain: 1.2, clip: 0, cells: ['tanh', 'orthogonal', 'relu'], optimizer: 'sgd' },
      },
      {
        label: 'Then clip them',
        outcome:
          'The same network survives: the gradient keeps its direction, but its norm is at most 1. After some' +
          ' thousand updates it leaves the baseline.',
        settings: { gain: 1.2, clip: 1, cells: ['tanh', 'orthogonal', 'relu'], optimizer: 'sgd' },
      },
      {
        label: 'Better initial weights',
        outcome:
          'Orthogonal weights keep more of the gradient. Of the two tanh RNNs, the orthogonal one leaves the ' +
          'baseline much earlier.',
        settings: { cells: ['tanh', 'orthogonal'], length: 20, learningRate: 0.005 },
      },
    ],
    program: adding,
  },
  echo: {
    title: 'Echo',
    summary: 'Repeat with a delay',
    description:
      'The input is a sequence of random symbols. At every step, the network must repeat the symbol that it ' +
      'read a fixed number of steps ago.',
    lookFor:
      'The network must keep as many symbols as the lag, in order, like a shift register. A plain tanh RNN is' +
      ' good at that; the ReLU RNN, which starts as an integrator, adds up what it should keep apart. Watch ' +
      'the gradient grow at the distance of the lag.',
    baseline: 'guess one of four',
    unit: 'nats per symbol',
    seconds: 10,
    numbers: ['lag'],
    hasTemperature: true,
    isWide: true,
    defaults: { lag: 10, temperature: 0 },
    trials: [
      { label: 'Lag 3', outcome: 'All networks learn within seconds.', settings: { lag: 3 } },
      {
        label: 'Lag 25',
        outcome:
          'Only the LSTM leaves the baseline, slowly: its cell state passes gradients back over 25 steps from' +
          ' the start.',
        settings: { lag: 25 },
      },
      {
        label: 'Four units',
        outcome: 'The loss gets stuck: four units cannot hold ten symbols. Simple RNNs do not even leave the baseline.',
        settings: { hiddenSize: 4 },
      },
    ],
    program: echo,
  },
  parity: {
    title: 'Parity',
    summary: 'Odd or even',
    description:
      'The input is a sequence of bits. After each of them, the network must tell whether the number of ones ' +
      'so far is odd.',
    lookFor:
      'The loss stays on the baseline for a while, then falls suddenly: there is no partial solution. Look ' +
      'for units of the hidden state that flip with each 1.',
    baseline: 'toss a coin',
    unit: 'nats per bit',
    seconds: 10,
    numbers: ['length'],
    hasTemperature: true,
    isWide: true,
    defaults: { length: 24, temperature: 0 },
    trials: [
      {
        label: 'Two units',
        outcome: 'One bit of memory is enough. The gated cells find the solution, the simple RNNs get stuck.',
        settings: { hiddenSize: 2 },
      },
      {
        label: 'Long sequences',
        outcome:
          'With 100 bits, the plateau of the gated cells is longer, and the simple RNNs do not leave the baseline.',
        settings: { length: 100 },
      },
      {
        label: 'Another seed',
        outcome: 'The length of the plateau depends on the initial weights.',
        settings: { seed: 7 },
      },
    ],
    program: parity,
  },
  reber: {
    title: 'Reber grammar',
    summary: 'Rules of a language',
    description:
      'Random strings of a small grammar, such as BTBTXSETE. The network predicts the next symbol. The second' +
      ' to last symbol equals the second one, T or P, whatever is between them.',
    lookFor:
      'The loss falls fast while the networks learn which symbols may follow each other. The last step toward' +
      ' the best loss is memory: the T or P of the beginning. The networks write strings of their own; the ' +
      'illegal ones are marked.',
    baseline: 'frequency of the symbols',
    unit: 'nats per symbol',
    seconds: 10,
    numbers: [],
    hasTemperature: true,
    isWide: false,
    defaults: { hiddenSize: 12, learningRate: 0.005, temperature: 1, cells: ['tanh', 'lstm', 'gru'] },
    trials: [
      {
        label: 'Tiny networks',
        outcome: 'Four units learn most rules, but not the memory: all losses stay above the best possible one.',
        settings: { hiddenSize: 4 },
      },
      {
        label: 'Temperature 2',
        outcome: 'Samples break more rules: unlikely symbols become likelier.',
        settings: { temperature: 2 },
      },
      {
        label: 'Plain gradient descent',
        outcome:
          'Without the step sizes of Adam, the rules are learned as fast, but the last step, the memory, takes longer.',
        settings: { optimizer: 'sgd', learningRate: 0.3 },
      },
    ],
    program: reber,
  },
  sine: {
    title: 'Noisy sine',
    summary: 'Forecast a series',
    description:
      'Sines of random frequency and phase, with noise. The network predicts the next value, and then ' +
      'continues the series from its own predictions.',
    lookFor:
      'One value says nothing about frequency and phase: the network must average over many noisy values. The' +
      ' forecast first dies out, and then swings on with the right frequency.',
    baseline: 'repeat the last value',
    unit: 'squared error',
    seconds: 10,
    numbers: ['length'],
    hasTemperature: true,
    isWide: false,
    defaults: { length: 40, temperature: 0, cells: ['tanh', 'lstm', 'gru'] },
    trials: [
      {
        label: 'Short windows',
        outcome: 'With eight steps, there is not enough to average over: the loss stays higher.',
        settings: { length: 8 },
      },
      {
        label: 'Temperature 1',
        outcome: 'The forecast contains as much noise as the data.',
        settings: { temperature: 1 },
      },
      {
        label: 'Large learning rate',
        outcome: 'The loss of the tanh RNN jumps up again and again; the gated cells cope.',
        settings: { learningRate: 0.1 },
      },
    ],
    program: sine,
  },
  text: {
    title: 'Text',
    summary: 'Write like a text',
    description:
      'The network predicts the next character of a text, and writes by feeding its predictions back. Paste a' +
      ' text of your own.',
    lookFor:
      'The samples show what is learned first: letters and spaces, then words, then lines, then the order of ' +
      'the verses. Change the temperature to trade repetition for invention.',
    baseline: 'frequency of the characters',
    unit: 'nats per character',
    seconds: 10,
    numbers: ['length'],
    hasTemperature: true,
    isWide: true,
    defaults: { length: 32, hiddenSize: 64, batchSize: 16, cells: ['tanh', 'lstm', 'gru'] },
    trials: [
      {
        label: 'Small networks',
        outcome: 'Eight units: the gated cells still spell well, the tanh RNN makes more mistakes.',
        settings: { hiddenSize: 8 },
      },
      {
        label: 'Short memory',
        outcome: 'Trained on windows of 4 characters, the networks learn words, but mix up the lines.',
        settings: { length: 4 },
      },
      { label: 'Temperature 1.5', outcome: 'More invention, more errors.', settings: { temperature: 1.5 } },
    ],
    program: text,
  },
  strokes: {
    title: 'Handwriting',
    summary: 'Draw as you do',
    description:
      'The network predicts the next movement of the pen, as a mixture of Gaussians, and draws by feeding its' +
      ' movements back. Draw something of your own.',
    lookFor:
      'Small and large loops alternate. To continue them, a network must remember which loop comes next and ' +
      'how far it has come. Early samples scribble; later ones close their loops and alternate.',
    baseline: 'one Gaussian for all movements',
    unit: 'nats per movement',
    seconds: 10,
    numbers: ['length'],
    hasTemperature: true,
    isWide: true,
    defaults: { length: 40, hiddenSize: 48, batchSize: 16, temperature: 0.3, cells: ['tanh', 'lstm', 'gru'] },
    trials: [
      {
        label: 'Temperature 1',
        outcome: 'The full variance of the mixture: a shaky hand.',
        settings: { temperature: 1 },
      },
      {
        label: 'Short memory',
        outcome: 'Eight movements are less than a loop: the loss of the gated cells stays higher than with 40.',
        settings: { length: 8 },
      },
      {
        label: 'Temperature 0',
        outcome: 'No randomness: the most likely movement at every step.',
        settings: { temperature: 0 },
      },
    ],
    program: strokes,
  },
};

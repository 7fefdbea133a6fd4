/** The worker: runs the network on the frames of the microphone or of a whole sound. */

import { kernelsInUse } from 'bptt';
import { type Detector, sileroDetector } from '../../../examples/voice/detector';
import { textOf } from './problem';
import { frameSize, type Report, type Request } from './protocol';

/** Frames per report during the analysis of a whole sound: about 20 ms of work. */
const chunk = 500;

/** Returns the probability of speech in the next frame. */
type Probability = ReturnType<Detector['start']>;

let detector: Detector | undefined;
let current = 0;
let listening: MessagePort | undefined;

const report = (message: Report, transfer: Transferable[] = []): void => self.postMessage(message, { transfer });

async function load(address: string): Promise<void> {
  const response = await fetch(address).catch(() => undefined);
  if (response?.ok !== true) {
    const reason = response === undefined ? 'there is no connection' : `the server returned ${response.status}`;
    throw new Error(`The network could not be loaded: ${reason}. Reload the page to try again.`);
  }
  const file = new Uint8Array(await response.arrayBuffer());
  const start = performance.now();
  const created = sileroDetector(file);
  const probability = created.start();
  probability(new Float32Array(frameSize));
  const milliseconds = performance.now() - start;
  const microseconds = measure(probability);
  detector = created;
  report({ type: 'loaded', bytes: file.byteLength, milliseconds, kernels: kernelsInUse(), microseconds });
}

/** The time per frame in µs, after a warm-up. The clock of a worker can be as coarse as 1 ms, so many frames run. */
function measure(probability: Probability): number {
  const noise = Float32Array.from({ length: frameSize }, (_, i) => Math.sin(i ** 2) / 10);
  for (let i = 0; i < 200; i++) probability(noise);
  const [start, count] = [performance.now(), 500];
  for (let i = 0; i < count; i++) probability(noise);
  return ((performance.now() - start) / count) * 1000;
}

function listen(probability: Probability, task: number, port: MessagePort): void {
  listening = port;
  port.onmessage = ({ data: samples }: MessageEvent<Float32Array>) => {
    if (task !== current) return;
    const start = performance.now();
    const probabilities = Float32Array.of(probability(samples));
    const milliseconds = performance.now() - start;
    report({ type: 'frames', task, probabilities, samples, milliseconds }, [samples.buffer]);
  };
}

async function analyze(probability: Probability, task: number, samples: Float32Array): Promise<void> {
  const count = Math.floor(samples.length / frameSize);
  for (let first = 0; first < count && task === current; first += chunk) {
    const start = performance.now();
    const probabilities = new Float32Array(Math.min(chunk, count - first));
    for (let i = 0; i < probabilities.length; i++)
      probabilities[i] = probability(samples.subarray((first + i) * frameSize, (first + i + 1) * frameSize));
    report({ type: 'frames', task, probabilities, milliseconds: performance.now() - start }, [probabilities.buffer]);
    // Messages that end the task arrive here.
    await new Promise((resolve) => setTimeout(resolve));
  }
  if (task === current) report({ type: 'analyzed', task });
}

async function handle(request: Request): Promise<void> {
  if (request.type === 'load') return load(request.address);
  listening?.close();
  listening = undefined;
  current = request.type === 'stop' ? 0 : request.task;
  if (request.type === 'stop') return;
  if (detector === undefined) throw new Error('The network has not been loaded.');
  const probability = detector.start();
  if (request.type === 'listen') listen(probability, request.task, request.port);
  else await analyze(probability, request.task, request.samples);
}

self.onmessage = ({ data }: MessageEvent<Request>) => {
  handle(data).catch((error: unknown) => {
    report({ type: 'failed', message: textOf(error) });
  });
};

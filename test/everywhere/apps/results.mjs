/** Prints what the apps return in Node.js, unbundled. */

import { run as stream } from './stream/app.js';
import { run as train } from './train/app.js';

console.log(JSON.stringify({ stream: await stream(), train: await train() }));

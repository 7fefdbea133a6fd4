/** Runs script.js in the runtime of edge functions. */

import { readFileSync } from 'node:fs';
import { EdgeRuntime } from 'edge-runtime';

const runtime = new EdgeRuntime();
runtime.evaluate(readFileSync('script.js', 'utf8'));
console.log(JSON.stringify(await runtime.evaluate('results')));

/** A script without imports, for engines that have no modules. */

import { results } from './results';

Object.assign(globalThis, { results: results() });

import { fileURLToPath } from 'node:url';

export default {
  // The repository: the packages of the bundlers are four folders above, and their tsconfig.json extends that of the
  // root.
  turbopack: { root: fileURLToPath(new URL('../../../../..', import.meta.url)) },
};

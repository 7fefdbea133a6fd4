/** Serves the built folder from a path below the root, as a static host does. */

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/** The path below which the folder is served, to find absolute addresses in it. */
const prefix = '/some/path/playground';

/** Starts a server on a free port. Returns its address and a function that stops it. */
export async function serve(folder = fileURLToPath(new URL('../dist', import.meta.url))) {
  const server = createServer(async ({ url }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    const path = pathname.slice(prefix.length);
    try {
      if (!pathname.startsWith(`${prefix}/`) || path.includes('..')) throw new Error('not found');
      const content = await readFile(join(folder, normalize(path.endsWith('/') ? `${path}index.html` : path)));
      response.setHeader('content-type', types[extname(path) || '.html'] ?? 'application/octet-stream').end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${server.address().port}${prefix}/`,
    close: () => server.close(),
  };
}

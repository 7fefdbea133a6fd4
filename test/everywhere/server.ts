/** A server for the pages under test. The first folder of a path selects the headers: `/isolated/…`, `/csp/…`. */

import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

const isolation = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
const wasmOnly = { 'Content-Security-Policy': "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'" };
export const policies = {
  plain: {},
  isolated: isolation,
  csp: { 'Content-Security-Policy': "default-src 'self'" },
  'csp-wasm': wasmOnly,
  'isolated-csp-wasm': { ...isolation, ...wasmOnly },
} as const;
export type Policy = keyof typeof policies;

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
};

export interface Server {
  readonly origin: string;
  close(): void;
}

/** Serves a folder on a free port of this machine. */
export function serve(folder: string): Promise<Server> {
  const server = createServer(({ url = '/' }, response) => {
    const [, policy = '', ...rest] = normalize(decodeURIComponent(new URL(url, 'http://localhost').pathname)).split(
      '/',
    );
    const file = join(folder, ...rest);
    if (!(policy in policies) || !statSync(file, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    const type = types[extname(file)] ?? 'application/octet-stream';
    response.writeHead(200, { 'Content-Type': type, ...policies[policy as Policy] }).end(readFileSync(file));
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      resolve({
        origin: `http://127.0.0.1:${port}`,
        close() {
          server.close();
          server.closeAllConnections();
        },
      });
    });
  });
}

// The parts of the Node.js API that src/node, the tests, benches, examples and guides use. @types/node would be another
// dependency and would declare the globals of Node.js for browser code as well. Nothing here reaches the published
// declarations.

declare const process: {
  readonly argv: string[];
  readonly env: Record<string, string | undefined>;
  readonly version: string;
  readonly versions: Record<string, string>;
  readonly platform: string;
  readonly arch: string;
  readonly execPath: string;
  exitCode: number | undefined;
  readonly stdout: { write(text: string): boolean; readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: { write(text: string): boolean; readonly isTTY?: boolean; readonly columns?: number };
  on(event: string, listener: (...values: unknown[]) => void): void;
  once(event: string, listener: (...values: unknown[]) => void): void;
  off(event: string, listener: (...values: unknown[]) => void): void;
  exit(code?: number): never;
  readonly pid: number;
  kill(pid: number, signal?: string | number): boolean;
  cwd(): string;
  cpuUsage(since?: { user: number; system: number }): { user: number; system: number };
  memoryUsage(): { rss: number; heapTotal: number; heapUsed: number; external: number; arrayBuffers: number };
};

declare function setImmediate(callback: () => void): unknown;

declare module 'node:fs/promises' {
  export interface FileHandle {
    writeFile(data: Uint8Array): Promise<void>;
    sync(): Promise<void>;
    close(): Promise<void>;
  }
  export function appendFile(path: string, text: string): Promise<void>;
  export function chmod(path: string, mode: number): Promise<void>;
  export function open(path: string, flags: string): Promise<FileHandle>;
  export function readdir(path: string): Promise<string[]>;
  export function readFile(path: string): Promise<Uint8Array>;
  export function readlink(path: string): Promise<string>;
  export function realpath(path: string): Promise<string>;
  export function rename(from: string, to: string): Promise<void>;
  export function rm(path: string, options?: { recursive?: boolean; force?: boolean }): Promise<void>;
  export function stat(path: string): Promise<{ readonly mode: number; readonly mtimeMs: number }>;
}

declare module 'node:crypto' {
  interface Hash {
    update(text: string): Hash;
    digest(encoding: 'hex'): string;
  }
  export function createHash(algorithm: string): Hash;
  export function randomBytes(count: number): { toString(encoding: 'hex'): string };
}

declare module 'node:fs' {
  export function readFileSync(path: string | URL, encoding: 'utf8'): string;
  export function readFileSync(path: string | URL): Uint8Array;
  export function writeFileSync(path: string | URL, data: string | Uint8Array): void;
  export function chmodSync(path: string, mode: number): void;
  export function lstatSync(path: string): { isSymbolicLink(): boolean };
  export function statSync(path: string): { readonly mode: number; readonly size: number };
  export function symlinkSync(target: string, path: string): void;
  export function utimesSync(path: string, accessed: number, modified: number): void;
  export function existsSync(path: string | URL): boolean;
  export function mkdirSync(path: string | URL, options?: { recursive?: boolean }): string | undefined;
  export function mkdtempSync(prefix: string): string;
  export function readdirSync(path: string | URL): string[];
  export function rmSync(path: string | URL, options?: { recursive?: boolean; force?: boolean }): void;
}

declare module 'node:url' {
  export function fileURLToPath(url: string | URL): string;
  export function pathToFileURL(path: string): URL;
}

declare module 'node:path' {
  export function join(...parts: string[]): string;
  export function resolve(...parts: string[]): string;
  export function dirname(path: string): string;
  export function basename(path: string): string;
}

declare module 'node:os' {
  export function cpus(): { model: string; speed: number }[];
  export function availableParallelism(): number;
  export function hostname(): string;
  export function totalmem(): number;
  export function tmpdir(): string;
}

declare module 'node:child_process' {
  interface RunOptions {
    cwd?: string | URL;
    env?: Record<string, string | undefined>;
    input?: string;
    encoding: 'utf8';
    timeout?: number;
    maxBuffer?: number;
    stdio?: 'pipe' | 'inherit' | ('pipe' | 'inherit' | 'ignore')[];
  }
  export function execFileSync(file: string, args: readonly string[], options: RunOptions): string;
  interface Child {
    readonly pid?: number;
    readonly stdout: { on(event: 'data', listener: (data: Uint8Array) => void): void };
    kill(signal?: string): boolean;
    on(event: 'exit', listener: (code: number | null, signal: string | null) => void): void;
  }
  export function spawn(
    file: string,
    args: readonly string[],
    options?: { cwd?: string | URL; stdio?: ('pipe' | 'inherit' | 'ignore')[] },
  ): Child;
  export function spawnSync(
    file: string,
    args: readonly string[],
    options: RunOptions,
  ): { status: number | null; signal: string | null; stdout: string; stderr: string; error?: Error };
}

declare module 'node:http' {
  interface Server {
    listen(port: number, host: string, callback: () => void): Server;
    address(): { readonly port: number } | string | null;
    close(): void;
  }
  export function createServer(
    listener: (request: { readonly url?: string }, response: { end(text: string): void }) => void,
  ): Server;
}

declare module 'node:util' {
  export function parseArgs(config: {
    readonly args?: readonly string[];
    readonly options: Readonly<
      Record<string, { readonly type: 'string' | 'boolean'; readonly default?: string | boolean }>
    >;
  }): { readonly values: Readonly<Record<string, string | boolean | undefined>> };
}

declare module 'node:vm' {
  export function createContext(globals: object): object;
  export function runInContext<R>(code: string, context: object): R;
}

declare module 'node:v8' {
  export function setFlagsFromString(flags: string): void;
}

declare module 'node:worker_threads' {
  export class Worker {
    constructor(code: string | URL, options?: { readonly eval?: boolean });
    readonly threadId: number;
    postMessage(message: unknown, transfer?: readonly unknown[]): void;
    on(event: string, listener: (value: never) => void): this;
    once(event: string, listener: (value: never) => void): this;
    terminate(): Promise<number>;
  }
}

declare module 'node:zlib' {
  export function gzipSync(data: string | Uint8Array, options?: { level?: number }): Uint8Array;
  export function deflateRawSync(data: Uint8Array, options?: { level?: number }): Uint8Array;
}

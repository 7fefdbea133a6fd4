/** The little of Node that the library, its examples and its tests use; it does not reach the published types. */

declare const process: {
  readonly argv: readonly string[];
  readonly stdout: { readonly isTTY?: boolean; write(text: string): boolean };
  readonly stderr: { readonly isTTY?: boolean; write(text: string): boolean };
  exitCode: number | undefined;
  exit(code?: number): never;
  once(event: 'SIGINT', listener: () => void): void;
  memoryUsage(): { readonly heapUsed: number; readonly arrayBuffers: number };
};

declare module 'node:fs' {
  export function readFileSync(path: string | URL, encoding: 'utf8'): string;
}

declare module 'node:util' {
  export function parseArgs(config: {
    readonly args?: readonly string[];
    readonly options: Readonly<Record<string, { readonly type: 'string' | 'boolean'; readonly default?: string | boolean }>>;
  }): { readonly values: Readonly<Record<string, string | boolean | undefined>> };
}

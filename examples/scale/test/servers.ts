/** Redis, PostgreSQL and NATS on free ports of the loopback interface, with their data in a temporary folder. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect as tcpConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server that tests can kill and start again with the same port and data. */
export interface TestServer {
  readonly port: number;
  readonly url: string;
  /** Ends the process at once, as a crash does. */
  readonly kill: () => Promise<void>;
  /** Starts the process, and waits until it accepts connections. */
  readonly start: () => Promise<void>;
}

/** A new folder below the temporary folder of the system, which is removed by the function. */
export async function temporaryFolder(): Promise<readonly [path: string, remove: () => Promise<void>]> {
  const path = await mkdtemp(join(tmpdir(), 'bptt-scale-'));
  return [path, () => rm(path, { recursive: true, force: true })];
}

/** A port of the loopback interface that is free now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until a port accepts connections. */
async function accepts(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null) throw new Error(`The server exited with code ${child.exitCode}.`);
    const connected = await new Promise<boolean>((resolve) => {
      const socket = tcpConnect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('close', () => socket.destroy());
      socket.once('connect', () => socket.end());
    });
    if (connected) return;
    await sleep(50);
  }
  throw new Error(`No server accepts connections at port ${port}.`);
}

async function serverOf(port: number, url: string, run: () => ChildProcess): Promise<TestServer> {
  let child = run();
  await accepts(port, child);
  return {
    port,
    url,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await exited;
    },
    async start() {
      child = run();
      await accepts(port, child);
    },
  };
}

/** Where Debian installs the servers. */
const paths = [
  '/usr/bin',
  '/usr/sbin',
  '/usr/local/bin',
  ...['17', '16', '15'].map((v) => `/usr/lib/postgresql/${v}/bin`),
];

/** The path of a program, if it is installed. */
export const programPath = (name: string): string | undefined =>
  paths.map((folder) => join(folder, name)).find((path) => existsSync(path));

export async function startRedis(folder: string): Promise<TestServer> {
  const port = await freePort();
  const run = (): ChildProcess =>
    // Every change is on disk before Redis acknowledges it.
    spawn(
      programPath('redis-server')!,
      [
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''],
        ...['--appendonly', 'yes', '--appendfsync', 'always'],
      ],
      { stdio: 'ignore' },
    );
  return serverOf(port, `redis://127.0.0.1:${port}`, run);
}

export async function startNats(folder: string): Promise<TestServer> {
  const port = await freePort();
  const run = (): ChildProcess =>
    spawn(programPath('nats-server')!, ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder], {
      stdio: 'ignore',
    });
  return serverOf(port, `nats://127.0.0.1:${port}`, run);
}

/** PostgreSQL does not run as root; a test that does runs it as the user that its Debian package creates. */
export async function startPostgres(folder: string): Promise<TestServer> {
  const port = await freePort();
  const data = join(folder, 'postgres');
  await mkdir(data);
  const isRoot = process.getuid!() === 0;
  const idOf = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  const user = isRoot ? { uid: idOf('-u'), gid: idOf('-g') } : {};
  if (user.uid !== undefined) {
    await chown(data, user.uid, user.gid!);
    await chown(folder, user.uid, user.gid!);
  }
  execFileSync(programPath('initdb')!, ['-D', data, '-U', 'bptt', '-A', 'trust'], {
    ...user,
    stdio: 'ignore',
    cwd: '/',
  });
  const run = (): ChildProcess =>
    spawn(programPath('postgres')!, ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', data], {
      ...user,
      stdio: 'ignore',
      cwd: '/',
    });
  return serverOf(port, `postgres://bptt@127.0.0.1:${port}/postgres`, run);
}

/** A connection that can be cut: it forwards a port of the loopback interface to a server. */
export interface Proxy {
  readonly port: number;
  /** Ends all connections, and rejects new ones for some time. */
  readonly cut: (milliseconds: number) => Promise<void>;
  readonly close: () => void;
}

export async function startProxy(target: number): Promise<Proxy> {
  const sockets = new Set<{ destroy: () => unknown }>();
  let isCut = false;
  const server = createServer((client) => {
    if (isCut) return void client.destroy();
    const upstream = tcpConnect(target, '127.0.0.1');
    const end = (): void => {
      for (const socket of [client, upstream]) {
        socket.destroy();
        sockets.delete(socket);
      }
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', end);
      socket.on('close', end);
    }
    client.pipe(upstream);
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cutNow = (): void => {
    for (const socket of [...sockets]) socket.destroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    async cut(milliseconds) {
      isCut = true;
      cutNow();
      await sleep(milliseconds);
      isCut = false;
    },
    close() {
      server.close();
      cutNow();
    },
  };
}

/** The servers of the queues that are not in process. */
export const queueServers = [
  ['BullMQ', startRedis],
  ['pg-boss', startPostgres],
] as const;

/** Runs `body` with a server whose data is in a new folder, and then ends the server and removes the folder. */
export async function withServer(
  start: (folder: string) => Promise<TestServer>,
  body: (server: TestServer) => Promise<void>,
): Promise<void> {
  const [data, remove] = await temporaryFolder();
  try {
    const server = await start(data);
    try {
      await body(server);
    } finally {
      await server.kill();
    }
  } finally {
    await remove();
  }
}

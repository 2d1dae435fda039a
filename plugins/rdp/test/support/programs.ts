import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Who runs the programs, where the tests run as root. */
const nobody = 65_534;
const root = process.getuid?.() === 0;

/** Unprivileged programs in a directory of their own, on a display that one of them serves. */
export class Programs implements AsyncDisposable {
  readonly #programs: ChildProcess[] = [];

  private constructor(
    readonly directory: string,
    readonly display: string,
  ) {}

  /** With a display that is named by a number, as those of others are. */
  static async at(display: number): Promise<Programs> {
    const directory = await mkdtemp(join(tmpdir(), 'postern-desktop-'));
    await chmod(directory, 0o700);
    if (root) await chown(directory, nobody, nobody);
    return new Programs(directory, `:${display}`);
  }

  /** A file that only the programs can read. */
  async file(name: string, text: string | Buffer): Promise<string> {
    const path = join(this.directory, name);
    await writeFile(path, text, { mode: 0o600 });
    if (root) await chown(path, nobody, nobody);
    return path;
  }

  run(program: string, ...args: readonly string[]): ChildProcess {
    const { directory, display } = this;
    const env = { HOME: directory, DISPLAY: display, XRDP_SOCKET_PATH: directory, PATH: process.env['PATH'] ?? '' };
    const ids = root ? { uid: nobody, gid: nobody } : {};
    const child = spawn(program, args, { env, stdio: 'ignore', cwd: directory, ...ids });
    child.on('error', () => {});
    this.#programs.push(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs.reverse()) program.kill('SIGTERM');
    await Promise.all(this.#programs.map(closed));
    await rm(this.directory, { recursive: true, force: true });
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export function reachable(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

export async function until(holds: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not true after ${ms} ms`);
    await sleep(20);
  }
}

export const closed = (program: ChildProcess): Promise<unknown> =>
  program.exitCode !== null || program.signalCode !== null || program.pid === undefined
    ? Promise.resolve()
    : new Promise((resolve) => program.once('close', resolve));

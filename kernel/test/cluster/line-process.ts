import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { newUserKeys, type TestLogin } from '../../../test/support/login.js';
import { testPassword, until } from '../../../test/support/cluster.js';
import { ApiClient } from '../../src/api/index.js';
import { acceptInvite, createUser, getCluster, login, putDocument } from '../../src/api/contract/index.js';
import { LineClient } from './line-client.js';
import { reader } from './line-world.js';

/** No step of these tests takes longer, however busy the machine is. */
export const stepMs = 30_000;

/** Rejects where something takes longer than the steps of these tests may. */
export function inTime<T>(what: string, work: Promise<T>, ms = stepMs): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${ms} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** What a promise has come to so far. */
const now = <T>(promise: Promise<T>): Promise<T | undefined> => Promise.race([promise, Promise.resolve(undefined)]);

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface LineProcessOptions {
  /** Where `postern.yaml` and the data are. */
  readonly directory: string;
  /** What is run with the arguments of `postern`; by default a program that speaks lines alone. */
  readonly program?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Sections of `postern.yaml`, beside what is needed here. */
  readonly configuration?: Readonly<Record<string, unknown>>;
}

const cluster = 'cluster.test';

const linesOnly = [...process.execArgv, fileURLToPath(new URL('children/start.ts', import.meta.url))];

/** `postern start` in a process of its own, which ends as such processes end. */
export class LineProcess implements AsyncDisposable {
  /** Resolves when it has ended, however. */
  readonly exit: Promise<Exit>;
  readonly admin: ApiClient;
  readonly data: string;
  stdout = '';
  stderr = '';
  authorities = '';
  readonly #child: ChildProcess;

  private constructor({ directory, program = linesOnly, env = {} }: LineProcessOptions) {
    this.data = join(directory, 'data');
    this.#child = spawn(process.execPath, [...program, 'start', '--config', join(directory, 'postern.yaml')], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (data) => (this.stdout += String(data)));
    this.#child.stderr?.on('data', (data) => (this.stderr += String(data)));
    this.exit = new Promise((resolve) => void this.#child.once('close', (code, signal) => resolve({ code, signal })));
    this.admin = new ApiClient('http://localhost', () => opened(net.connect(join(this.data, 'admin.sock')), 'connect'));
  }

  /** Resolves when it says that it runs; rejects where it ends instead, with what it said. */
  static async start(options: LineProcessOptions): Promise<LineProcess> {
    const made = await LineProcess.spawn(options);
    try {
      const ended = made.exit.then(() => true);
      await until(async () => made.stdout.includes('Stop with Ctrl-C') || (await now(ended)) === true, stepMs);
      made.authorities = (await made.admin.call(getCluster, {})).authorities.join('');
      return made;
    } catch (cause) {
      await made[Symbol.asyncDispose]();
      throw new Error(`postern start: ${made.stderr}`, { cause });
    }
  }

  /** Begins to start one, and waits for nothing. */
  static async spawn(options: LineProcessOptions): Promise<LineProcess> {
    const written = {
      cluster,
      data: 'data',
      proxy: { listen: '127.0.0.1:0' },
      agent: { name: 'agent-1', probes: { enabled: false } },
      ...options.configuration,
    };
    await writeFile(join(options.directory, 'postern.yaml'), JSON.stringify(written));
    return new LineProcess(options);
  }

  get port(): number {
    return Number(/public port +\S+:(\d+)/.exec(this.stdout)?.[1]);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** One resource, and one user who may use it. */
  async fill(): Promise<void> {
    await this.admin.call(putDocument, { kind: 'role', name: 'reader', document: { kind: 'role', ...reader() } });
    const one = { kind: 'lines', name: 'one', labels: { env: 'test' } };
    await this.admin.call(putDocument, { kind: 'lines', name: 'one', document: one });
    const { token } = await this.admin.call(createUser, { name: 'ann', roles: ['reader'], traits: {} });
    await this.admin.call(acceptInvite, { token, password: testPassword });
  }

  async login(user = 'ann'): Promise<TestLogin> {
    const keys = newUserKeys();
    const client = new ApiClient(`https://auth.${cluster}`, () => this.#connect(`auth.${cluster}`, undefined, ['h2']));
    try {
      const answer = await client.call(login, { user, password: testPassword, ...keys.request });
      return { ...answer, key: keys.tls, sshKey: keys.openSsh };
    } finally {
      await client[Symbol.asyncDispose]();
    }
  }

  /** A session at the resource, as soon as it is let in. */
  async session(login: TestLogin): Promise<LineClient> {
    const client = new LineClient(await this.#connect(`one.lines.${cluster}`, login));
    const answer = await inTime('hello', client.ask('hello reader'));
    if (answer !== 'ok hello') throw new Error(`not let in: ${answer}`);
    return client;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exit;
    await this.admin[Symbol.asyncDispose]();
  }

  #connect(servername: string, login?: TestLogin, ALPNProtocols?: string[]): Promise<tls.TLSSocket> {
    const stream = tls.connect({
      host: '127.0.0.1',
      port: this.port,
      servername,
      ca: this.authorities,
      minVersion: 'TLSv1.3',
      ...(ALPNProtocols && { ALPNProtocols }),
      ...(login && { cert: login.certificate, key: login.key }),
    });
    return inTime('a connection', opened(stream, 'secureConnect'));
  }
}

async function opened<S extends net.Socket>(socket: S, event: string): Promise<S> {
  const failed = once(socket, 'close').then(() => {
    throw new Error(`closed before ${event}`);
  });
  // The reason of an error is in the event; here it is enough that there was one.
  socket.on('error', () => {});
  await Promise.race([once(socket, event), failed]);
  failed.catch(() => {});
  return socket;
}

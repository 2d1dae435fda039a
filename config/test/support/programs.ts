import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const binary = (name: 'postern' | 'psh'): string =>
  fileURLToPath(new URL(`../../bin/${name}.js`, import.meta.url));

/** A script without types, which is why its name is no literal. */
const builder = new URL('../../build.mjs', import.meta.url).href;

/** Builds the programs, unless what is there is built from these sources. */
export async function build(): Promise<void> {
  const { bundleIfStale } = (await import(builder)) as { readonly bundleIfStale: () => Promise<void> };
  await bundleIfStale();
}

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly input?: string;
}

/** Runs a program to its end. */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<Result> {
  const child = spawn(program, [...args], { cwd: options.cwd, env: options.env, stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => (stdout += String(data)));
  child.stderr.on('data', (data) => (stderr += String(data)));
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** A cluster that `postern start` runs, and a user's home directory. */
export class TestCluster implements AsyncDisposable {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #welcome = '';

  private constructor(readonly directory: string) {
    this.home = join(directory, 'home');
    const { POSTERN_HOME: _h, POSTERN_DATA: _d, POSTERN_CLUSTER: _c, POSTERN_DEBUG: _g, ...env } = process.env;
    this.env = { ...env, HOME: this.home, NO_COLOR: '1' };
  }

  /** With the text of a `postern.yaml` what that says, else the demo. */
  static async start(configuration?: string): Promise<TestCluster> {
    const cluster = new TestCluster(await mkdtemp(join(tmpdir(), 'postern-programs-')));
    mkdirSync(cluster.home);
    if (configuration !== undefined) await writeFile(join(cluster.directory, 'postern.yaml'), configuration);
    await cluster.#start();
    return cluster;
  }

  get port(): string {
    return /public port +\S+:(\d+)/.exec(this.#welcome)?.[1] ?? '';
  }

  get pin(): string {
    return /sha256:[0-9a-f]{64}/.exec(this.#welcome)?.[0] ?? '';
  }

  /** The demo user's password, which works once. */
  get oneTimePassword(): string {
    return /^ +([a-z0-9]{4}(?:-[a-z0-9]{4})+)$/m.exec(this.#welcome)?.[1] ?? '';
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get data(): string {
    return join(this.directory, '.postern');
  }

  /** The process that `postern start` is. */
  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('this cluster was not started');
    return this.#child.pid;
  }

  psh(args: readonly string[], input?: string): Promise<Result> {
    return this.#run('psh', args, input);
  }

  postern(args: readonly string[], input?: string): Promise<Result> {
    return this.#run('postern', args, input);
  }

  /** Logs in over a pipe. */
  login(user: string, answers: readonly string[], more: readonly string[] = []): Promise<Result> {
    const args = ['login', `--proxy=${this.address}`, `--ca-pin=${this.pin}`, `--user=${user}`, ...more];
    return this.psh(args, answers.map((line) => `${line}\n`).join(''));
  }

  /** Makes a user who has a password, and resolves with the output of accepting the invitation. */
  async user(name: string, password: string, more: readonly string[] = []): Promise<Result> {
    const made = await this.postern(['users', 'add', name, '--role=access', '--format=json', ...more]);
    const { url } = JSON.parse(made.stdout) as { url: string };
    return this.psh(['accept', url, `--ca-pin=${this.pin}`], `${password}\n${password}\n\n`);
  }

  async stop(): Promise<number | null> {
    const child = this.#child;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    child.kill('SIGINT');
    const [code] = (await once(child, 'exit')) as [number | null];
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  #run(program: 'postern' | 'psh', args: readonly string[], input?: string): Promise<Result> {
    const options = { cwd: this.directory, env: this.env, ...(input !== undefined && { input }) };
    return run(process.execPath, [binary(program), ...args], options);
  }

  async #start(): Promise<void> {
    const args = [binary('postern'), 'start', '--listen=127.0.0.1:0'];
    const child = spawn(process.execPath, args, {
      cwd: this.directory,
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    let errors = '';
    child.stderr.on('data', (data) => (errors += String(data)));
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (data) => {
        this.#welcome += String(data);
        if (this.#welcome.includes('Stop with Ctrl-C')) resolve();
      });
      child.once('exit', () => reject(new Error(`postern start ended: ${errors}`)));
    });
  }
}

/** What lies in a file of the user's home directory; empty where there is none. */
export const homeFile = (cluster: TestCluster, name: string): Promise<string> =>
  readFile(join(cluster.home, name), 'utf8').catch(() => '');

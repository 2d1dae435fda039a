import { spawn, type ChildProcess } from 'node:child_process';
import { type Authority, nodeName } from './authority.js';

export interface Finished {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: Buffer | string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

/** Runs the stock OpenSSH programs against one port, as a user with one key. */
export class OpenSsh {
  constructor(
    private readonly authority: Authority,
    private readonly port: number,
    private readonly key: string,
  ) {}

  /** Options for all of them. Nothing of the machine's own configuration is read. */
  get options(): readonly string[] {
    const pairs = {
      UserKnownHostsFile: this.authority.path('known_hosts'),
      GlobalKnownHostsFile: '/dev/null',
      StrictHostKeyChecking: 'yes',
      HostKeyAlias: nodeName,
      HostName: '127.0.0.1',
      Port: String(this.port),
      IdentityFile: this.key,
      IdentitiesOnly: 'yes',
      IdentityAgent: 'none',
      BatchMode: 'yes',
    };
    return ['-F', 'none', ...Object.entries(pairs).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
  }

  /** `ssh <more options> login@node <command>` */
  ssh(
    login: string,
    command: readonly string[],
    options: RunOptions = {},
    more: readonly string[] = [],
  ): Promise<Finished> {
    return run('ssh', this.arguments(login, command, more), options);
  }

  scp(sources: readonly string[], more: readonly string[] = []): Promise<Finished> {
    return run('scp', ['-q', ...this.options, ...more, ...sources], {});
  }

  sftp(login: string, batch: string): Promise<Finished> {
    return run('sftp', ['-q', ...this.options, '-b', '-', `${login}@node`], { input: batch });
  }

  /** A client that runs until it is ended. */
  start(
    login: string,
    command: readonly string[],
    more: readonly string[] = [],
    env: Record<string, string> = {},
  ): ChildProcess {
    const child = spawn('ssh', this.arguments(login, command, more), { env: { ...clientEnv, ...env } });
    child.stdin.on('error', () => {});
    return child;
  }

  arguments(login: string, command: readonly string[], more: readonly string[] = []): string[] {
    // The first value of an option counts.
    return [...more, ...this.options, `${login}@node`, ...command];
  }
}

export const clientEnv = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  HOME: '/nonexistent',
  TERM: 'xterm',
  LANG: 'C.UTF-8',
};

/** Runs a program to its end. Rejects when it takes too long. */
export function run(program: string, args: readonly string[], options: RunOptions): Promise<Finished> {
  const { input = '', env = {}, cwd, timeoutMs = 20_000 } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], { env: { ...clientEnv, ...env }, cwd });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${program} took too long: ${Buffer.concat(stderr).toString()}`));
    }, timeoutMs);
    child.stdout.on('data', (data: Buffer) => stdout.push(data));
    child.stderr.on('data', (data: Buffer) => stderr.push(data));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString('utf8') });
    });
  });
}

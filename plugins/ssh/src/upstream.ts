import { existsSync } from 'node:fs';
import { PosternError, token } from '@postern/plugin-sdk';
import { launchOf, type Terminal, type Work } from './launch.js';
import type { Login } from './login.js';
import { startPiped } from './piped-program.js';
import type { Program } from './program.js';
import { loadPty, startOnTerminal, type PtyModule } from './terminal-program.js';

/** The upstream of a node is the machine that it runs on. */
export interface Machine {
  /** False where terminals cannot be offered, because the optional package for them is missing. */
  hasTerminals(): Promise<boolean>;
  /** The machine's sftp-server: the configured one, or the one in the usual places. */
  sftpServer(configured: string | undefined): string | undefined;
  /** Starts a program as this login, on a terminal where one is given. Rejects with `unavailable`. */
  start(work: Work, options: StartOptions): Promise<Program>;
}
export const Machine = token<Machine>('ssh.Machine');

export interface StartOptions {
  readonly login: Login;
  readonly env: Record<string, string>;
  readonly terminal?: Terminal;
}

const usualPlaces = [
  '/usr/lib/openssh/sftp-server',
  '/usr/libexec/openssh/sftp-server',
  '/usr/lib/ssh/sftp-server',
  '/usr/libexec/sftp-server',
];

export class LocalMachine implements Machine {
  #pty: Promise<PtyModule | undefined> | undefined;

  async hasTerminals(): Promise<boolean> {
    return (await this.#loadPty()) !== undefined;
  }

  sftpServer(configured: string | undefined): string | undefined {
    return configured ?? usualPlaces.find((path) => existsSync(path));
  }

  async start(work: Work, { login, env, terminal }: StartOptions): Promise<Program> {
    const launch = launchOf(work, login, terminal);
    if (!terminal) return startPiped(launch, login, env);
    const pty = await this.#loadPty();
    if (!pty) throw PosternError.public('unavailable', 'this node has no terminals: @lydell/node-pty is not installed');
    return startOnTerminal(pty, launch, terminal, env);
  }

  #loadPty(): Promise<PtyModule | undefined> {
    return (this.#pty ??= loadPty());
  }
}

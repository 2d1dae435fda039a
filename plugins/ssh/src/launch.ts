import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import type { Login } from './login.js';
import { sttyArguments } from './tty-modes.js';

/** What a channel wants to run. */
export type Work =
  | { readonly kind: 'shell' }
  | { readonly kind: 'command'; readonly command: string }
  | { readonly kind: 'sftp'; readonly server: string };

/** The client's terminal, from its pty request. */
export interface Terminal {
  readonly name: string;
  readonly columns: number;
  readonly rows: number;
  /** Encoded modes (RFC 4254, section 8). */
  readonly modes: Buffer;
}

/** A program with its arguments, ready to be started by the agent. */
export interface Launch {
  readonly program: string;
  readonly args: readonly string[];
}

/** As the user: go home, or to the root where the home is missing. */
const home = 'umask 022; cd -- "$HOME" 2>/dev/null || cd /';
const terminalSetup = 'SSH_TTY=$(tty); export SSH_TTY; stty $1 2>/dev/null; shift';

/** Whether this agent can start programs of this login, and if not, why. */
export function checkReachable(login: Login): void {
  const own = process.getuid?.();
  if (own === 0 || own === login.uid) return;
  throw PosternError.public(
    'unavailable',
    `the agent on this node runs as user ${own ?? 'unknown'} and cannot become ${login.name}`,
  );
}

/**
 * How to run `work` as `login`. setpriv gives the user's own groups, which
 * neither Node nor node-pty does, and replaces itself, so that the process that
 * is started is the one that ends. The user's shell runs the work, as sshd has
 * it: by `-c` for a command, with a leading dash in its name for a login.
 */
export function launchOf(work: Work, login: Login, terminal?: Terminal): Launch {
  const target = targetOf(work, login);
  const modes = terminal ? [['iutf8', ...sttyArguments(terminal.modes)].join(' ')] : [];
  const setup = terminal ? `${terminalSetup}; ${home}` : home;
  const named = target.name !== undefined && bash !== undefined;
  const script = named ? `${setup}; n=$1; shift; exec -a "$n" "$@"` : `${setup}; exec "$@"`;
  const name = named && target.name !== undefined ? [target.name] : [];
  const fallback = target.name !== undefined && !named ? ['-l'] : [];
  const interpreter = named ? bash : '/bin/sh';
  return asLogin(login, [interpreter, '-c', script, 'sh', ...modes, ...name, ...target.argv, ...fallback]);
}

const firstOf = (paths: readonly string[]): string | undefined => paths.find((path) => existsSync(path));

/** `exec -a` is the only way to choose a program's name that needs no program of our own. */
const bash = firstOf(['/bin/bash', '/usr/bin/bash', '/usr/local/bin/bash']);
const setpriv = firstOf(['/usr/bin/setpriv', '/bin/setpriv', '/usr/local/bin/setpriv']);

function targetOf(work: Work, login: Login): { readonly argv: readonly string[]; readonly name?: string } {
  switch (work.kind) {
    case 'shell':
      return { argv: [login.shell], name: `-${basename(login.shell)}` };
    case 'command':
      return { argv: [login.shell, '-c', work.command] };
    case 'sftp':
      return { argv: [work.server] };
  }
}

function asLogin(login: Login, argv: readonly string[]): Launch {
  checkReachable(login);
  const [program = '', ...args] = argv;
  if (process.getuid?.() !== 0) return { program, args };
  if (setpriv === undefined) throw PosternError.public('unavailable', 'this node has no setpriv (util-linux)');
  const identity = [`--reuid=${login.uid}`, `--regid=${login.gid}`, '--init-groups', '--inh-caps=-all'];
  return { program: setpriv, args: [...identity, '--', ...argv] };
}

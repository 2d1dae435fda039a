import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { ChannelExit } from './channel-stream.js';

/** How a program ended: by itself with a status, or by a signal. */
export type Exit = { readonly status: number } | { readonly signal: NodeJS.Signals };

/** One running program of a user. */
export interface Program {
  readonly pid: number;
  readonly input: Writable;
  readonly output: Readable;
  /** Absent where a terminal carries both. */
  readonly errors?: Readable;
  /** Resolves when the program itself has ended, whoever still holds its output. Never rejects. */
  readonly ended: Promise<Exit>;
  /** Sends a signal to the program and what it started. */
  signal(name: NodeJS.Signals): void;
  resize?(columns: number, rows: number): void;
  /** Takes the streams away, hangs up, and kills what is left after `graceMs`. Resolves when the program has ended. */
  hangUp(graceMs: number): Promise<void>;
}

/** The signals that a client may send (RFC 4254, section 6.9), with their prefix. */
const clientSignals: ReadonlySet<string> = new Set([
  'SIGABRT',
  'SIGALRM',
  'SIGFPE',
  'SIGHUP',
  'SIGILL',
  'SIGINT',
  'SIGKILL',
  'SIGPIPE',
  'SIGQUIT',
  'SIGSEGV',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
]);

/** A signal by the name that SSH gives it, or `undefined` for one that SSH does not know. */
export function signalOf(name: string): NodeJS.Signals | undefined {
  const full = `SIG${name}`;
  return clientSignals.has(full) ? (full as NodeJS.Signals) : undefined;
}

/** The name of a signal by its number. */
export function signalByNumber(number: number): NodeJS.Signals | undefined {
  const entry = Object.entries(constants.signals).find(([, value]) => value === number);
  return entry?.[0] as NodeJS.Signals | undefined;
}

/** What SSH can say about an exit: a status, also for signals that it has no name for, as a shell would. */
export function exitForClient(exit: Exit): ChannelExit {
  if ('status' in exit) return exit;
  if (clientSignals.has(exit.signal)) return { signal: exit.signal.slice(3) };
  return { status: 128 + constants.signals[exit.signal] };
}

/** Signals a whole process group; one that is gone already needs none. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch {
    // ESRCH: everything in it has ended.
  }
}

/** Hangs up on a process group and kills it after `graceMs` unless its leader has ended by then. */
export async function endGroup(leader: number, ended: Promise<unknown>, graceMs: number): Promise<void> {
  signalGroup(leader, 'SIGHUP');
  // A stopped program takes no notice before it runs again.
  signalGroup(leader, 'SIGCONT');
  const kill = setTimeout(() => signalGroup(leader, 'SIGKILL'), graceMs);
  try {
    await ended;
  } finally {
    clearTimeout(kill);
  }
}

import { Readable, type Duplex } from 'node:stream';
import { PosternError } from '@postern/plugin-sdk';
import type { IPty, spawn } from '@lydell/node-pty';
import { jobGroups } from './job-groups.js';
import type { Launch, Terminal } from './launch.js';
import { endGroup, signalByNumber, signalGroup, type Exit, type Program } from './program.js';

/** node-pty, where this machine has it. */
export interface PtyModule {
  readonly spawn: typeof spawn;
}

/** Loads node-pty, which is an optional package with a native part. `undefined` where it is missing or does not fit. */
export async function loadPty(): Promise<PtyModule | undefined> {
  try {
    const loaded = (await import('@lydell/node-pty')) as PtyModule & { default?: PtyModule };
    return loaded.default ?? loaded;
  } catch {
    return undefined;
  }
}

/** The stream below a terminal: unlike the public interface it has back-pressure in both directions. */
type Master = Duplex & { readonly bytesRead: number };

/** What is used of node-pty 1.1.0 besides its public interface. */
interface PtyInternals {
  readonly _socket: Master;
  /** True once the program was waited for: from then on its number may belong to somebody else. */
  readonly _boundClose: boolean;
  /** True once the stream is closed, before or after that. */
  readonly _emittedClose: boolean;
  on(event: 'error', listener: () => void): void;
}

const settledMs = 50;

/** Starts a program on a new terminal. */
export function startOnTerminal(
  pty: PtyModule,
  launch: Launch,
  terminal: Terminal,
  env: Record<string, string>,
): Program {
  const term = pty.spawn(launch.program, [...launch.args], {
    name: terminal.name,
    cols: terminal.columns,
    rows: terminal.rows,
    cwd: '/',
    env,
    encoding: null,
  });
  const inside = internalsOf(term);
  const master = inside._socket;
  const { output, destroy } = completeOutput(master);
  const running = (): boolean => !inside._boundClose && !inside._emittedClose;
  const ended = new Promise<Exit>((resolve) => {
    term.onExit(({ exitCode, signal }) => {
      const name = signal ? signalByNumber(signal) : undefined;
      resolve(name ? { signal: name } : { status: exitCode });
    });
  });
  return {
    pid: term.pid,
    input: master,
    output,
    ended,
    signal: (name) => void (running() && signalGroup(term.pid, name)),
    resize: (columns, rows) => void (running() && term.resize(columns, rows)),
    hangUp: async (graceMs) => {
      // Closing the terminal hangs up on whatever is in its foreground; jobs in the background are told here.
      const jobs = running() ? jobGroups(term.pid) : [];
      destroy();
      output.destroy();
      await Promise.all([
        ...jobs.map((group) => endGroup(group, ended, graceMs)),
        inside._boundClose ? undefined : endGroup(term.pid, ended, graceMs),
      ]);
    },
  };
}

function internalsOf(term: IPty): PtyInternals {
  const inside = term as unknown as PtyInternals;
  if (typeof inside._socket?.pause !== 'function' || typeof inside._boundClose !== 'boolean')
    throw new PosternError('internal', 'node-pty is not the version that this plugin was written for');
  // node-pty throws errors of its stream into the air unless two listeners are there.
  inside.on('error', () => {});
  inside.on('error', () => {});
  return inside;
}

/**
 * The output of a terminal to its last byte, however slow its reader is. The
 * end of a terminal is an error for Node, which throws away what was read and
 * not yet taken; and node-pty destroys its stream 200 ms after the program has
 * ended, whatever is still to be read.
 */
function completeOutput(master: Master): { readonly output: Readable; readonly destroy: () => void } {
  const output = new Readable({ read: () => void master.resume() });
  output.on('error', () => {});
  master.on('data', (data: Buffer) => {
    if (!output.push(data)) master.pause();
  });
  master.once('close', () => output.push(null));
  const original = master.destroy.bind(master);
  const destroy = (cause?: Error): Master => {
    // What is taken here comes out of the listener above.
    while (!master.destroyed && master.read() !== null);
    return original(cause);
  };
  const whenSettled = (): void => {
    const before = master.bytesRead;
    setTimeout(() => {
      if (master.destroyed) return;
      if (!master.isPaused() && master.bytesRead === before) destroy();
      else whenSettled();
    }, settledMs).unref();
  };
  master.destroy = (cause) => {
    if (cause) return destroy(cause);
    whenSettled();
    return master;
  };
  return { output, destroy: () => void original() };
}

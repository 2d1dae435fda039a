import { readdirSync, readFileSync, statSync } from 'node:fs';

/** One process, as long as {@link started} is the same: numbers are given again. */
export interface KnownProcess {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** When it began, in ticks since the machine's own start. */
  readonly started: string;
}

/** The processes of a machine. Nothing here throws: what has ended meanwhile is not there. */
export interface ProcessTable {
  /** All but the first one and this one. */
  numbers(): readonly number[];
  owner(pid: number): number | undefined;
  /** Absent for a process that has ended, zombies among them. */
  look(pid: number): KnownProcess | undefined;
  /** The variables it was begun with, a zero byte before and behind each; empty where they may not be read. */
  environment(pid: number): Buffer;
  /** How many numbers there are before they begin again. */
  readonly round: number;
  signal(pid: number, name: NodeJS.Signals): void;
}

/** Linux's /proc; elsewhere it is empty. */
export const machineProcesses: ProcessTable = {
  numbers() {
    try {
      return readdirSync('/proc')
        .map(Number)
        .filter((pid) => pid > 1 && pid !== process.pid);
    } catch {
      return [];
    }
  },
  owner(pid) {
    try {
      return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
    } catch {
      return undefined;
    }
  },
  look(pid) {
    // The name in parentheses may hold anything; behind it come the third field, the state, and the others (proc(5)).
    const fields = contents(`/proc/${pid}/stat`)
      .toString('latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    const [state = '', parent, group, session] = fields;
    const started = fields[19];
    if (state === '' || state === 'Z' || started === undefined) return undefined;
    return { pid, parent: Number(parent), group: Number(group), session: Number(session), started };
  },
  environment: (pid) => Buffer.concat([Buffer.from([0]), contents(`/proc/${pid}/environ`)]),
  get round() {
    return Number(contents('/proc/sys/kernel/pid_max').toString()) || 32_768;
  },
  signal(pid, name) {
    try {
      process.kill(pid, name);
    } catch {
      // ESRCH: it has ended.
    }
  },
};

/** True where this number was given before the other one: they are given in order, and begin again at the end of a round. */
export const precedes = (pid: number, other: number, round: number): boolean =>
  (pid - other + round) % round > round / 2;

function contents(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

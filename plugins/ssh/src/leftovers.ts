import { readdirSync, readFileSync, statSync } from 'node:fs';
import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises';

export interface LeftoversOptions {
  /** What the environment of every program of the session has as `POSTERN_SESSION`. */
  readonly session: string;
  readonly uid: number;
  /** The first process of the session. */
  readonly first: number;
  /** How long ago that was. */
  readonly ageMs: number;
  /** How long they may take to end by themselves. */
  readonly graceMs: number;
}

const pollMs = 50;
/** A program that starts others as fast as it is killed is given up after so many looks behind the grace. */
const maximumRounds = 100;
/** So long the numbers of processes have not come round, unless the machine starts hundreds in a second. */
const youngMs = 60_000;
/** Processes that are looked at before others have their turn. */
const lookedAtOnce = 32;

/**
 * Ends what a session's programs have left running: daemons, jobs, and whatever
 * made a session of its own (setsid, tmux). Told by a hang-up and a SIGTERM, and
 * killed after the grace. Resolves with how many there were.
 *
 * They are known by their environment, which is inherited, and by descent from
 * one that is known. A program that has wiped its environment and has left its
 * parents too is not found. Read from Linux's /proc; elsewhere there is none to
 * be found.
 */
export async function endLeftovers(options: LeftoversOptions): Promise<number> {
  const seen = new Set<number>();
  const deadline = performance.now() + options.graceMs;
  for (let killed = 0; killed < maximumRounds;) {
    const left = await leftovers(options);
    if (left.length === 0) break;
    const isLate = performance.now() >= deadline;
    if (isLate) killed += 1;
    for (const pid of left)
      if (isLate) signal(pid, 'SIGKILL');
      else if (!seen.has(pid)) for (const name of ['SIGHUP', 'SIGTERM', 'SIGCONT'] as const) signal(pid, name);
    for (const pid of left) seen.add(pid);
    await sleep(pollMs);
  }
  return seen.size;
}

interface Known {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
}

/** Whoever has the session in its environment, and the descendants and session members of those, whoever owns them. */
async function leftovers(options: LeftoversOptions): Promise<readonly number[]> {
  const marked = await markedWith(options);
  if (marked.size === 0) return [];
  const all = processes();
  for (let before = 0; before < marked.size;) {
    before = marked.size;
    for (const { pid, parent, session } of all) if (marked.has(parent) || marked.has(session)) marked.add(pid);
  }
  const alive = new Set(all.map(({ pid }) => pid));
  return [...marked].filter((pid) => alive.has(pid));
}

async function markedWith({ session, uid, first, ageMs }: LeftoversOptions): Promise<Set<number>> {
  const mark = Buffer.from(`\0POSTERN_SESSION=${session}\0`);
  const isYoung = ageMs < youngMs;
  const round = isYoung ? Number(contents('/proc/sys/kernel/pid_max').toString()) || 32_768 : 0;
  const marked = new Set<number>();
  let looked = 0;
  for (const pid of numbers()) {
    // Numbers are given in order, and begin again at the end.
    if (isYoung && (pid - first + round) % round > round / 2) continue;
    if (ownerOf(pid) !== uid) continue;
    looked += 1;
    if (looked % lookedAtOnce === 0) await breathe();
    if (Buffer.concat([Buffer.from([0]), contents(`/proc/${pid}/environ`)]).includes(mark)) marked.add(pid);
  }
  return marked;
}

/** Zombies are over already. */
function processes(): readonly Known[] {
  return numbers().flatMap((pid) => {
    // The name in parentheses may hold anything; behind it come state, parent, group and session.
    const [state, parent, , session] = contents(`/proc/${pid}/stat`)
      .toString('latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return state === undefined || state === 'Z' || state === ''
      ? []
      : [{ pid, parent: Number(parent), session: Number(session) }];
  });
}

function numbers(): readonly number[] {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 1 && pid !== process.pid);
  } catch {
    return [];
  }
}

function ownerOf(pid: number): number | undefined {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
}

/** Empty for a process that has ended meanwhile, and for one that may not be looked into. */
function contents(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // ESRCH: it has ended.
  }
}

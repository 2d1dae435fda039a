import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises';
import { machineProcesses, precedes, type KnownProcess, type ProcessTable } from './process-table.js';

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
  /** The machine's own unless told otherwise. */
  readonly table?: ProcessTable;
  /** Called once, where there are any: before the first is killed, or when all have ended by themselves. */
  report(processes: number): Promise<void>;
}

/** Between two looks, twice as long each time. */
const shortestPauseMs = 50;
const longestPauseMs = 800;
/** A program that starts others as fast as it is killed is given up so long behind the grace, but not before some looks. */
const killingMs = 5_000;
const fewestKills = 5;
/** So long the numbers of processes have not come round, unless the machine starts hundreds in a second. */
const youngMs = 60_000;
/** So long nobody else has a turn. */
const turnMs = 4;

const hangUp = ['SIGHUP', 'SIGTERM', 'SIGCONT'] as const;

/**
 * Ends what a session's programs have left running: daemons, jobs, and whatever
 * made a session of its own (setsid, tmux). Told by a hang-up and a SIGTERM, and
 * killed after the grace. Rejects as `report` does, once they have ended.
 *
 * They are known by their environment, which is inherited, and by descent from
 * one that is known. A program that has wiped its environment and has left its
 * parents too is not found. Read from Linux's /proc; elsewhere there is none to
 * be found.
 */
export async function endLeftovers(options: LeftoversOptions): Promise<void> {
  const search = new Search(options);
  const seen = new Set<string>();
  const deadline = performance.now() + options.graceMs;
  let reported: Promise<void> | undefined;
  let kills = 0;
  for (let pauseMs = shortestPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const left = await search.leftovers();
    if (left.length === 0) break;
    const fresh = left.filter((one) => !seen.has(nameOf(one)));
    for (const one of fresh) seen.add(nameOf(one));
    const restMs = deadline - performance.now();
    if (restMs > 0) {
      await search.signal(fresh, hangUp);
      await sleep(Math.min(pauseMs, restMs));
      continue;
    }
    // What is not recorded before the session's end is lost; what cannot be recorded is ended all the same.
    reported ??= settled(options.report(seen.size));
    await search.signal(left, ['SIGKILL']);
    kills += 1;
    if (kills >= fewestKills && performance.now() > deadline + killingMs) break;
    if (kills === 1 || fresh.length > 0) pauseMs = shortestPauseMs;
    await sleep(pauseMs);
  }
  if (seen.size > 0) await (reported ?? options.report(seen.size));
}

const nameOf = ({ pid, started }: KnownProcess): string => `${pid} ${started}`;

/** The same promise, which may reject before anybody waits for it. */
function settled(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}

/** Looks through the processes of a machine, and lets others have their turn meanwhile. */
class Search {
  readonly #table: ProcessTable;
  #turn = performance.now();

  constructor(private readonly options: LeftoversOptions) {
    this.#table = options.table ?? machineProcesses;
  }

  /** Whoever has the session in its environment, and the descendants and session members of those, whoever owns them. */
  async leftovers(): Promise<readonly KnownProcess[]> {
    const marked = await this.#marked();
    if (marked.size === 0) return [];
    const found = new Set<KnownProcess>();
    const related = new Map<number, KnownProcess[]>();
    for (const pid of this.#table.numbers()) {
      await this.#pause();
      const one = this.#table.look(pid);
      if (!one) continue;
      // A number that was given to somebody else meanwhile is not what had the mark.
      if (marked.get(pid) === one.started) found.add(one);
      for (const origin of [one.parent, one.session]) {
        const others = related.get(origin);
        if (others) others.push(one);
        else related.set(origin, [one]);
      }
    }
    // A set is walked to what was added meanwhile.
    for (const { pid } of found) for (const one of related.get(pid) ?? []) found.add(one);
    return [...found];
  }

  /** Signals those which are still the same. */
  async signal(processes: readonly KnownProcess[], names: readonly NodeJS.Signals[]): Promise<void> {
    for (const { pid, started } of processes) {
      await this.#pause();
      if (this.#table.look(pid)?.started !== started) continue;
      for (const name of names) this.#table.signal(pid, name);
    }
  }

  /** The numbers of those with the session in their environment, with their starts. */
  async #marked(): Promise<ReadonlyMap<number, string>> {
    const { session, uid, first, ageMs } = this.options;
    const mark = Buffer.from(`\0POSTERN_SESSION=${session}\0`);
    const isYoung = ageMs < youngMs;
    const { round } = this.#table;
    const marked = new Map<number, string>();
    for (const pid of this.#table.numbers()) {
      if (isYoung && precedes(pid, first, round)) continue;
      await this.#pause();
      if (this.#table.owner(pid) !== uid) continue;
      // In this order: a start that is read after the environment could be a successor's.
      const started = this.#table.look(pid)?.started;
      if (started !== undefined && this.#table.environment(pid).includes(mark)) marked.set(pid, started);
    }
    return marked;
  }

  async #pause(): Promise<void> {
    if (performance.now() - this.#turn < turnMs) return;
    await breathe();
    this.#turn = performance.now();
  }
}

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { Conversation, type ConversationParts } from '../src/conversation.js';
import { endLeftovers, type LeftoversOptions } from '../src/leftovers.js';
import { precedes, type KnownProcess, type ProcessTable } from '../src/process-table.js';

const uid = 1000;

interface FakeProcess extends KnownProcess {
  readonly marked?: boolean;
  /** What it does not end by. */
  readonly ignores?: readonly NodeJS.Signals[];
}

/** Processes that are only said to be there. */
class FakeTable implements ProcessTable {
  readonly round = 32_768;
  readonly processes = new Map<number, FakeProcess>();
  readonly sent: string[] = [];
  /** Called before each look. */
  onLook: (pid: number) => void = () => {};

  constructor(processes: readonly FakeProcess[]) {
    for (const one of processes) this.processes.set(one.pid, one);
  }

  numbers(): readonly number[] {
    return [...this.processes.keys()];
  }

  owner(pid: number): number | undefined {
    return this.processes.has(pid) ? uid : undefined;
  }

  look(pid: number): KnownProcess | undefined {
    this.onLook(pid);
    return this.processes.get(pid);
  }

  environment(pid: number): Buffer {
    return Buffer.from(this.processes.get(pid)?.marked === true ? '\0POSTERN_SESSION=mine\0' : '\0');
  }

  signal(pid: number, name: NodeJS.Signals): void {
    this.sent.push(`${name} ${pid}`);
    if (!(this.processes.get(pid)?.ignores ?? ['SIGCONT']).includes(name)) this.processes.delete(pid);
  }
}

const stubborn = ['SIGHUP', 'SIGTERM', 'SIGCONT'] as const;
const one = (pid: number, more: Partial<FakeProcess> = {}): FakeProcess => ({
  pid,
  parent: 1,
  group: pid,
  session: pid,
  started: String(pid),
  ...more,
});

function sweep(table: ProcessTable, more: Partial<LeftoversOptions> = {}): Promise<void> {
  const options = { session: 'mine', uid, first: 100, ageMs: 0, graceMs: 0, report: async () => {} };
  return endLeftovers({ ...options, table, ...more });
}

describe('what a session leaves running', () => {
  it('cannot hold up the agent with many processes', async () => {
    const processes = Array.from({ length: 200 }, (_, index) => one(200 + index, { marked: index % 20 === 0 }));
    const table = new FakeTable(processes);
    let [looks, longest] = [0, 0];
    table.onLook = () => {
      looks += 1;
      longest = Math.max(longest, looks);
      const until = performance.now() + 0.5;
      while (performance.now() < until);
    };
    const ticks = setInterval(() => (looks = 0), 1);
    await sweep(table);
    clearInterval(ticks);
    // A turn is 4 ms, thus 8 looks of half a millisecond; timers may miss a few turns.
    assert.ok(longest < 60, `${longest} looks at once`);
    assert.equal(table.sent.length, 10);
  });

  it('is looked for less and less often while it takes its time', async () => {
    const table = new FakeTable([one(200, { marked: true, ignores: stubborn })]);
    let searches = 0;
    const numbers = table.numbers.bind(table);
    table.numbers = () => {
      searches += 1;
      return numbers();
    };
    await sweep(table, { graceMs: 700 });
    // At 0, 50, 150, 350, 700 and 750 ms, in two lists each; every 50 ms would be 30.
    assert.ok(searches <= 14, `${searches} lists`);
    assert.deepEqual(table.sent, ['SIGHUP 200', 'SIGTERM 200', 'SIGCONT 200', 'SIGKILL 200']);
  });

  it('cannot have another process killed that was given its number', async () => {
    const table = new FakeTable([one(200, { marked: true, ignores: stubborn }), one(201, { marked: true })]);
    let looks = 0;
    table.onLook = (pid) => {
      looks += pid === 200 ? 1 : 0;
      // The third look is the one before the signal.
      if (looks === 3) table.processes.set(200, one(200, { started: 'later' }));
    };
    await sweep(table);
    assert.deepEqual(table.sent, ['SIGKILL 201']);
  });

  it('cannot have another process killed that was given its number during the search', async () => {
    const table = new FakeTable([one(200, { marked: true }), one(300, { parent: 200 })]);
    let looks = 0;
    table.onLook = (pid) => {
      looks += pid === 200 ? 1 : 0;
      if (looks === 2) table.processes.set(200, one(200, { started: 'later' }));
    };
    await sweep(table);
    assert.deepEqual(table.sent, []);
  });

  it('includes descendants and members of its sessions, in whatever order they are listed', async () => {
    const related = [one(400, { parent: 300 }), one(300, { parent: 200 }), one(350, { session: 200 })];
    const table = new FakeTable([...related, one(200, { marked: true }), one(500)]);
    await sweep(table);
    assert.deepEqual(table.sent.sort(), ['SIGKILL 200', 'SIGKILL 300', 'SIGKILL 350', 'SIGKILL 400']);
  });

  it('is reported once, before the first is killed', async () => {
    const table = new FakeTable([one(200, { marked: true, ignores: stubborn }), one(201, { marked: true })]);
    await sweep(table, {
      graceMs: 300,
      report: async (processes) => void table.sent.push(`report ${processes}`),
    });
    assert.deepEqual(
      table.sent.filter((line) => !/HUP|TERM|CONT/.test(line)),
      ['report 2', 'SIGKILL 200'],
    );
  });

  it('is ended where it cannot be reported', async () => {
    const table = new FakeTable([one(200, { marked: true, ignores: stubborn })]);
    await assert.rejects(sweep(table, { report: () => Promise.reject(new Error('the log is full')) }), /log is full/);
    assert.equal(table.processes.size, 0);
  });

  it('is not reported where there is none', async () => {
    await sweep(new FakeTable([one(200)]), { report: () => assert.fail('reported') });
  });
});

describe('the first process of a session', () => {
  it('is the one before all others, also where numbers begin again', () => {
    assert.deepEqual(
      [precedes(100, 200, 32_768), precedes(200, 100, 32_768), precedes(5, 5, 32_768)],
      [true, false, false],
    );
    assert.deepEqual([precedes(32_700, 310, 32_768), precedes(310, 32_700, 32_768)], [true, false]);
  });

  it('cannot be hidden by another program that reports its start before it', async function () {
    this.timeout(30_000);
    const id = randomUUID();
    const start = async (): Promise<ChildProcess> => {
      const child = spawn('sleep', ['1000'], { env: { ...process.env, POSTERN_SESSION: id }, stdio: 'ignore' });
      await once(child, 'spawn');
      return child;
    };
    const programs = [await start(), await start()];
    const ended = Promise.all(programs.map((child) => once(child, 'exit')));
    const counts: number[] = [];
    const conversation = new Conversation({
      context: {
        id,
        config: { linger: false },
        audit: { emit: async (_: string, { processes }: { processes: number }) => void counts.push(processes) },
      },
      login: { uid: process.getuid?.() },
    } as unknown as ConversationParts);
    try {
      for (const { pid = 0 } of [...programs].reverse()) conversation.started(pid);
      await conversation.sweep(0);
      assert.deepEqual(counts, [2]);
    } finally {
      for (const child of programs) child.kill('SIGKILL');
      await ended;
    }
  });
});

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { listDocuments, putDocument } from '../../src/api/contract/index.js';
import { AuditReader, verifyLog, type AuditEvent } from '../../src/audit/index.js';
import { parseVerifierKey } from '../../src/audit/tlog/index.js';
import { LocalRecordings, type RecordingMetadata } from '../../src/recordings/index.js';
import { until } from '../../../test/support/cluster.js';
import type { TestLogin } from '../../../test/support/login.js';
import type { LineClient } from './line-client.js';
import { inTime, LineProcess, stepMs } from './line-process.js';
import { sessionOf } from './line-world.js';

const rounds = process.env['POSTERN_TEST_FULL'] === '1' ? 50 : 5;

/** What was promised to somebody before a kill. */
class Promised {
  readonly said = new Set<string>();
  readonly documents = new Set<string>();
  /** Sessions, and how many bytes each recorded. */
  readonly sessions = new Map<string, number>();
  /** Sessions whose recordings were on the disk. */
  readonly still = new Set<string>();
  #count = 0;

  next = (): string => `n${(this.#count += 1)}`;
}

/** What a client hears, and nothing where the connection broke. */
const ask = (client: LineClient, line: string): Promise<string | undefined> => client.ask(line).catch(() => undefined);

/** One client that says and records without a pause until it is cut off. */
async function work(client: LineClient, promised: Promised): Promise<void> {
  const session = ((await ask(client, 'id')) ?? '').slice(3);
  promised.sessions.set(session, 0);
  for (let recorded = 100; ; recorded += 100) {
    const text = promised.next();
    if ((await ask(client, `say ${text}`)) !== `ok ${text}`) return;
    promised.said.add(text);
    if ((await ask(client, `out ${'x'.repeat(100)}`)) !== 'ok 100') return;
    promised.sessions.set(session, recorded);
  }
}

/** Writes documents one after another until nobody answers. */
async function write({ admin }: LineProcess, promised: Promised): Promise<void> {
  for (;;) {
    const name = promised.next();
    try {
      await admin.call(putDocument, { kind: 'lines', name, document: { kind: 'lines', name, labels: {} } });
    } catch {
      return;
    }
    promised.documents.add(name);
  }
}

describe('a process that is killed in the middle of its sessions', function () {
  this.timeout(60_000 + rounds * 60_000);
  const promised = new Promised();
  let directory: string;
  let events: readonly AuditEvent[];
  let documents: readonly string[];
  let recordings: readonly RecordingMetadata[];

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'postern-killed-'));
    let login: TestLogin | undefined;
    for (let round = 0; round < rounds; round += 1) login = await runAndKill(round, login);
    await using last = await LineProcess.start({ directory });
    documents = (await last.admin.call(listDocuments, { kind: 'lines' })).map(({ name }) => name);
    last.signal('SIGTERM');
    assert.deepEqual(await inTime('the exit', last.exit), { code: 0, signal: null }, last.stderr);
    events = await everything();
    recordings = await (await LocalRecordings.open(join(directory, 'data', 'recordings'))).list({ limit: 1000 });
  });

  after(() => rm(directory, { recursive: true, force: true }));

  async function runAndKill(round: number, known: TestLogin | undefined): Promise<TestLogin> {
    await using running = await LineProcess.start({ directory });
    if (!known) await running.fill();
    const login = known ?? (await running.login());
    const idle = await running.session(login);
    const session = await sessionOf(idle);
    assert.equal(await idle.ask('record screen'), 'ok screen');
    assert.equal(await idle.ask(`out ${'y'.repeat(100)}`), 'ok 100');
    promised.sessions.set(session, 100);
    promised.still.add(session);
    const clients = await Promise.all([1, 2, 3].map(() => running.session(login)));
    for (const client of clients) assert.equal(await client.ask('record screen'), 'ok screen');
    const before = promised.said.size;
    const working = [...clients.map((client) => work(client, promised)), write(running, promised)];
    for (let tries = 0; promised.said.size < before + 10; tries += 1) {
      assert.ok(tries < 5000, 'nobody said anything');
      await sleep(5);
    }
    await until(() => onDisk(session), stepMs);
    await sleep((round * 53) % 200);
    running.signal('SIGKILL');
    assert.deepEqual(await inTime('the kill', running.exit), { code: null, signal: 'SIGKILL' }, running.stderr);
    await inTime('the end of the clients', Promise.all(working));
    idle[Symbol.dispose]();
    return login;
  }

  /** True once a recording of a session has bytes in its file. */
  async function onDisk(session: string): Promise<boolean> {
    const found = await readdir(join(directory, 'data', 'recordings'), { recursive: true });
    const file = found.find((name) => name.includes(session) && name.endsWith('output'));
    return file !== undefined && (await stat(join(directory, 'data', 'recordings', file))).size > 0;
  }

  async function everything(): Promise<readonly AuditEvent[]> {
    const reader = new AuditReader({ directory: join(directory, 'data', 'audit', 'log') });
    const found: AuditEvent[] = [];
    for (let cursor: number | undefined; ;) {
      const page = await reader.find({ order: 'oldest', limit: 1000, ...(cursor !== undefined && { cursor }) });
      found.push(...page.events.map(({ event }) => event));
      if (page.next === undefined) return found;
      cursor = page.next;
    }
  }

  const of = (...types: readonly string[]): readonly AuditEvent[] => events.filter(({ type }) => types.includes(type));

  it('leaves a log that verifies', async () => {
    const keys = (await readFile(join(directory, 'data', 'audit', 'verifier-keys'), 'utf8')).trim().split('\n');
    const log = join(directory, 'data', 'audit', 'log');
    const report = await verifyLog({ directory: log, keys: keys.map(parseVerifierKey) });
    assert.deepEqual([report.ok, report.problems], [true, []]);
  });

  it('loses no event that was accepted, and doubles none', () => {
    const counts = new Map<unknown, number>();
    for (const { fields } of of('lines.said')) counts.set(fields['text'], (counts.get(fields['text']) ?? 0) + 1);
    for (const text of promised.said) assert.equal(counts.get(text), 1, text);
    // Each of three clients may have been cut off between the event and its answer.
    assert.ok(counts.size - promised.said.size <= 3 * rounds, `${counts.size} events, ${promised.said.size} promised`);
    for (const [text, count] of counts) assert.equal(count, 1, String(text));
  });

  it('gives every session that has a start exactly one end, which says that it was interrupted', () => {
    const starts = of('session.start').map(({ session }) => session);
    assert.equal(new Set(starts).size, starts.length);
    assert.deepEqual(
      [...starts].sort(),
      of('session.end')
        .map(({ session }) => session)
        .sort(),
    );
    for (const session of promised.sessions.keys()) assert.ok(starts.includes(session), session);
    for (const { fields } of of('session.end'))
      assert.deepEqual([fields['reason'], fields['code']], ['interrupted', 'aborted']);
  });

  it('ends them before the next run says that it started', () => {
    let live = 0;
    for (const { type } of of('session.start', 'session.end', 'cluster.started', 'cluster.stopped')) {
      if (type === 'session.start') live += 1;
      else if (type === 'session.end') live -= 1;
      else assert.equal(live, 0, type);
    }
    assert.equal(of('cluster.started').length, rounds + 1);
    assert.equal(of('cluster.stopped').length, 1);
    assert.equal(events.at(-1)?.type, 'cluster.stopped');
  });

  it('keeps every recording, with what was written to it', async () => {
    const completed = of('recording.completed').map(
      ({ session, fields }) => `${session} ${String(fields['recording'])}`,
    );
    const stored = recordings.map(({ session, recording }) => `${session} ${recording}`);
    assert.deepEqual([...completed].sort(), stored.sort());
    assert.equal(new Set(stored).size, 4 * rounds);
    for (const { session, recording, recovered } of recordings) {
      const output = await readFile(join(directory, 'data', 'recordings', session, recording, 'output'), 'latin1');
      const bytes = 100 * (output.match(/x{100}|y{100}/g) ?? []).length;
      const recorded = promised.sessions.get(session) ?? 0;
      assert.equal(recovered, true);
      // What was not written yet is at most what the last moments brought.
      if (promised.still.has(session)) assert.equal(bytes, recorded);
      else assert.ok(bytes <= recorded + 100, `${bytes} bytes of ${recorded}`);
    }
  });

  it('loses no document that was acknowledged', () => {
    assert.ok(promised.documents.size >= rounds);
    for (const name of promised.documents) assert.ok(documents.includes(name), name);
  });
});

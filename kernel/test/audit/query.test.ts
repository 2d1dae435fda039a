import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { setImmediate as tick } from 'node:timers/promises';
import type { AuditEvent, AuditRecord, EventDraft } from '../../src/audit/event.js';
import { type AuditLog, entriesPerFile } from '../../src/audit/log/index.js';
import { AuditReader, type EventQuery, type FoundEvent } from '../../src/audit/query/index.js';
import { codeIs, Folder, keysFor, openLog, range, Stream } from './support.js';

const start = Date.UTC(2026, 0, 1);

/** Ten events a minute apart, of three users at two resources, and one of another type. */
function day(stream: Stream, clock: { now: number }): AuditRecord[] {
  const users = ['alice', 'bob', 'carol'];
  const events = range(0, 9).flatMap((at) => {
    clock.now = start + at * 60_000;
    const resource = { kind: 'store', name: at % 2 === 0 ? 'orders' : 'users' };
    return stream.next(`verb ${at}`, { user: users[at % 3], session: `s-${at % 4}`, resource });
  });
  clock.now = start + 600_000;
  const login: Partial<EventDraft> = {
    type: 'user.login',
    user: 'alice',
    resource: undefined,
    fields: { method: 'Password' },
  };
  return [...events, ...stream.next('', login)];
}

const all = async (reader: AuditReader, query: EventQuery): Promise<FoundEvent[]> => {
  const events: FoundEvent[] = [];
  let page = await reader.find(query);
  for (;;) {
    events.push(...page.events);
    if (page.next === undefined) return events;
    page = await reader.find({ ...query, cursor: page.next });
  }
};

const indexes = (events: readonly FoundEvent[]): number[] => events.map(({ index }) => index);

async function filled(folder: Folder): Promise<AuditLog> {
  const log = await openLog({ directory: folder.path, keys: keysFor() });
  const clock = { now: start };
  await log.append(day(new Stream('agent-1', undefined, () => new Date(clock.now)), clock));
  return log;
}

describe('reading the log', () => {
  for (const [name, query, expected] of [
    ['everything', {}, range(0, 10)],
    ['a user', { user: 'bob' }, [1, 4, 7]],
    ['a resource', { resource: { name: 'users' } }, [1, 3, 5, 7, 9]],
    ['a kind', { resource: { kind: 'store' } }, range(0, 9)],
    ['a session', { session: 's-3' }, [3, 7]],
    ['an agent', { agent: 'agent-2' }, []],
    ['an area', { types: ['user'] }, [10]],
    ['whole types', { types: ['store.command', 'session.start'] }, range(0, 9)],
    ['no area by half its name', { types: ['use', 'stor'] }, []],
    ['from a time on', { from: new Date(start + 480_000) }, [8, 9, 10]],
    ['up to a time', { to: new Date(start + 120_000) }, [0, 1]],
    ['a text in a value', { text: 'VERB 7' }, [7]],
    ['a text in a member’s name', { text: 'method' }, [10]],
    ['several of these', { user: 'alice', resource: { name: 'orders' }, from: new Date(start + 1) }, [6]],
  ] as const)
    it(`finds ${name}, in both directions`, async () => {
      await using folder = await Folder.make();
      await using log = await filled(folder);
      for (const live of [log, undefined]) {
        const reader = new AuditReader({ directory: folder.path, ...(live && { live }) });
        for (const limit of [1, 3, 100]) {
          assert.deepEqual(indexes(await all(reader, { ...query, limit, order: 'oldest' })), expected);
          assert.deepEqual(indexes(await all(reader, { ...query, limit })), expected.toReversed());
        }
      }
    });

  it('goes on where the last page ended, also when it had to look through much to find nothing', async () => {
    await using folder = await Folder.make();
    await using log = await filled(folder);
    const reader = new AuditReader({ directory: log.directory, scanLimit: 2 });
    const page = await reader.find({ user: 'bob', order: 'oldest' });
    assert.deepEqual([indexes(page.events), page.next], [[1], 2]);
    const empty = await reader.find({ user: 'bob', order: 'oldest', cursor: 2 });
    assert.deepEqual([indexes(empty.events), empty.next], [[], 4]);
    assert.deepEqual(indexes(await all(reader, { user: 'bob' })), [7, 4, 1]);
  });

  it('gives pages that do not change while events are added', async () => {
    await using folder = await Folder.make();
    await using log = await filled(folder);
    const reader = new AuditReader({ directory: log.directory, live: log });
    const first = await reader.find({ limit: 4 });
    await log.append(new Stream('agent-2').many(20));
    const second = await reader.find({ limit: 4, cursor: first.next ?? assert.fail() });
    assert.deepEqual([...indexes(first.events), ...indexes(second.events)], range(3, 10).toReversed());
  });

  it('refuses pages without end', async () => {
    await using folder = await Folder.make();
    const reader = new AuditReader({ directory: folder.path });
    for (const limit of [0, -1, 1.5, 1001]) await assert.rejects(reader.find({ limit }), codeIs('invalid_argument'));
    assert.deepEqual(await reader.find({}), { events: [] });
    await using log = await filled(folder);
    await assert.rejects(new AuditReader({ directory: log.directory }).find({}, AbortSignal.abort()));
  });

  it('does not show what is not durable yet', async () => {
    await using folder = await Folder.make();
    await using log = await filled(folder);
    const [record] = new Stream('agent-2').next('torn');
    await appendFile(folder.in('events', '000000000.jsonl'), `${record?.line.toString()}\n`);
    const reader = new AuditReader({ directory: log.directory, live: log });
    assert.equal((await all(reader, {})).length, 11);
    assert.equal((await all(reader, { order: 'oldest' })).length, 11);
  });

  it('shows a long event whole, once, whichever way the pages go', async () => {
    await using folder = await Folder.make();
    await using log = await openLog({ directory: folder.path, keys: keysFor() });
    const [one, two] = [new Stream('agent-1'), new Stream('agent-2')];
    const key = 'long "text" '.repeat(20_000);
    const parts = one.next('put', { fields: { verb: 'put', key } });
    const others = two.many(parts.length);
    for (const [at, part] of parts.entries()) await log.append([...others.slice(at, at + 1), part]);
    const reader = new AuditReader({ directory: log.directory, live: log });
    for (const order of ['oldest', 'newest'] as const)
      for (const limit of [1, 2, 100]) {
        const events = await all(reader, { limit, order, agent: 'agent-1' });
        assert.deepEqual(
          events.map(({ index, event }) => [index, event.part, event.fields['key']]),
          [[1, undefined, key]],
        );
      }
    assert.equal((await all(reader, { text: 'long \\"text' })).length, 0);
    assert.equal((await all(reader, { text: 'long "text' })).length, 1);
  });

  it('shows the first part of a long event whose other parts are not there', async () => {
    await using folder = await Folder.make();
    await using log = await openLog({ directory: folder.path, keys: keysFor() });
    const parts = new Stream('agent-1').next('put', { fields: { verb: 'put', key: 'x'.repeat(200_000) } });
    await log.append(parts.slice(0, 2));
    const events = await all(new AuditReader({ directory: log.directory }), {});
    assert.deepEqual(
      events.map(({ event }) => event.part?.number),
      [1],
    );
  });
});

describe('reading a log of several files', () => {
  it('crosses from one to the next in both directions, and passes over those of another time', async function () {
    this.timeout(60_000);
    await using folder = await Folder.make();
    await using log = await openLog({ directory: folder.path, keys: keysFor() });
    const clock = { now: start };
    const stream = new Stream('agent-1', undefined, () => new Date(clock.now));
    for (let left = entriesPerFile; left > 0; left -= 4096) await log.append(stream.many(4096));
    clock.now += 3_600_000;
    await log.append(stream.many(100, { user: 'dave' }));
    const reader = new AuditReader({ directory: log.directory, live: log });
    const edge = { cursor: entriesPerFile + 2, limit: 4 };
    assert.deepEqual(
      indexes((await reader.find(edge)).events),
      range(entriesPerFile - 2, entriesPerFile + 1).toReversed(),
    );
    assert.deepEqual(
      indexes((await reader.find({ order: 'oldest', cursor: entriesPerFile - 2, limit: 4 })).events),
      range(entriesPerFile - 2, entriesPerFile + 1),
    );
    for (const order of ['oldest', 'newest'] as const)
      assert.equal((await all(reader, { user: 'dave', order, from: new Date(start + 1000) })).length, 100);
  });
});

describe('following the log', () => {
  async function take(events: AsyncGenerator<FoundEvent>, count: number): Promise<AuditEvent[]> {
    const taken: AuditEvent[] = [];
    for (let left = count; left > 0; left -= 1) {
      const next = await events.next();
      if (next.done === true) break;
      taken.push(next.value.event);
    }
    return taken;
  }

  for (const isLive of [true, false])
    it(`shows each new event once, in order, ${isLive ? 'as it becomes durable' : 'from another process'}`, async () => {
      await using folder = await Folder.make();
      await using log = await filled(folder);
      const reader = new AuditReader({ directory: log.directory, pollMs: 1, ...(isLive && { live: log }) });
      const stop = new AbortController();
      const events = reader.tail({ types: ['store'] }, stop.signal, 8);
      assert.equal((await take(events, 2)).length, 2);
      const following = take(events, 50);
      const stream = new Stream('agent-2');
      const sent: string[] = [];
      for (const _round of range(1, 10)) {
        const records = stream.many(5);
        sent.push(...records.map(({ event }) => event.id));
        await log.append(records);
        await tick();
      }
      assert.deepEqual(
        (await following).map(({ id }) => id),
        sent,
      );
      const pending = events.next();
      stop.abort();
      assert.equal((await pending).done, true);
    });

  it('begins at the end unless told otherwise', async () => {
    await using folder = await Folder.make();
    await using log = await filled(folder);
    for (const live of [log, undefined]) {
      const reader = new AuditReader({ directory: log.directory, pollMs: 1, ...(live && { live }) });
      const stop = new AbortController();
      const events = reader.tail({}, stop.signal);
      let found: string | undefined;
      const following = take(events, 1).then(([first]) => (found = first?.id));
      const stream = new Stream(live ? 'agent-2' : 'agent-3');
      const added: string[] = [];
      // A reader of files finds its beginning while it starts; only what comes after that is new to it.
      while (found === undefined) {
        const [record] = stream.next('new');
        if (record) added.push(record.event.id);
        await log.append(record ? [record] : []);
        await tick();
      }
      await following;
      assert.ok(added.includes(found));
      stop.abort();
      await events.return(undefined);
    }
  });
});

import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import type { EventDraft } from '../../src/audit/event.js';
import { SequenceRanges, type SequenceRange } from '../../src/audit/sequence-ranges.js';
import { codeIs, Folder, keysFor, openLog, range, Stream } from './support.js';

describe('a log that is sent the same events again', () => {
  it('acknowledges them and stores them once, within a call, across calls, and across restarts', async () => {
    await using folder = await Folder.make();
    const keys = keysFor();
    const records = new Stream('agent-1').many(50);
    {
      await using log = await openLog({ directory: folder.path, keys });
      await log.append([...records.slice(0, 10), ...records.slice(0, 10)]);
      await Promise.all([log.append(records.slice(5, 30)), log.append(records.slice(0, 20))]);
      assert.equal(log.size, 30);
    }
    await using log = await openLog({ directory: folder.path, keys });
    await log.append(records.slice(20));
    await log.append(records);
    assert.equal(log.size, 50);
  });

  it('finds those that it has stored long ago in its journal', async () => {
    await using folder = await Folder.make();
    const records = new Stream('agent-1').many(3000);
    await using log = await openLog({ directory: folder.path, keys: keysFor() });
    await log.append(records);
    await log.append(new Stream('agent-2').many(20));
    await log.append(records.slice(0, 100));
    await log.append([...records.slice(2990), ...records.slice(5, 10)]);
    assert.equal(log.size, 3020);
  });

  it('knows its streams without the cache, with a damaged one, and with one from its future', async () => {
    await using folder = await Folder.make();
    const keys = keysFor();
    const records = new Stream('agent-1').many(20);
    {
      await using log = await openLog({ directory: folder.path, keys });
      await log.append(records);
    }
    const kept = (size: number, ranges: readonly SequenceRange[]): string => {
      const body = JSON.stringify({ size, streams: [{ agent: 'agent-1', stream: '0123456789abcdef', ranges }] });
      return `${hash('sha256', body)}\n${body}\n`;
    };
    await mkdir(folder.in('cache'), { recursive: true });
    for (const content of [
      '',
      'x',
      kept(99, []),
      kept(20, []).replace('20', '10'),
      kept(10, [[1, 10]]),
      kept(20, [[1, 20]]),
    ]) {
      await writeFile(folder.in('cache', 'streams.json'), content);
      await using log = await openLog({ directory: folder.path, keys });
      await log.append(records);
      assert.equal(log.size, 20);
      await assert.rejects(log.append(new Stream('agent-1').many(20)), codeIs('conflict'));
    }
  });
});

describe('an agent that sends another event under a number that is taken', () => {
  const open = async (folder: Folder, notices: EventDraft[]) =>
    openLog({ directory: folder.path, keys: keysFor(), notices });

  it('is refused, nothing of its call is stored, and it is reported once', async () => {
    await using folder = await Folder.make();
    const notices: EventDraft[] = [];
    await using log = await open(folder, notices);
    const honest = new Stream('agent-1').many(5);
    const forged = new Stream('agent-1').many(7);
    await log.append(honest);
    for (const _attempt of range(1, 3)) await assert.rejects(log.append(forged.slice(4)), codeIs('conflict'));
    assert.equal(log.size, 5);
    assert.deepEqual(
      notices.map(({ type, fields }) => [type, fields['sequence'], fields['offered'], fields['kept']]),
      [['audit.conflict', 5, forged[4]?.event.id, honest[4]?.event.id]],
    );
  });

  it('is refused also for numbers of long ago', async () => {
    await using folder = await Folder.make();
    const notices: EventDraft[] = [];
    await using log = await open(folder, notices);
    await log.append(new Stream('agent-1').many(3000));
    await assert.rejects(log.append(new Stream('agent-1').many(1)), codeIs('conflict'));
    assert.equal(notices.length, 1);
  });

  it('is refused when both come at once, and only one of them is stored', async () => {
    await using folder = await Folder.make();
    await using log = await open(folder, []);
    const outcomes = await Promise.allSettled([
      log.append(new Stream('agent-1').many(2)),
      log.append(new Stream('agent-1').many(2)),
    ]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
    assert.equal(log.size, 2);
  });

  it('does not keep others from being stored in the same commit', async () => {
    await using folder = await Folder.make();
    await using log = await open(folder, []);
    await log.append(new Stream('agent-1').many(2));
    const [bad, good] = await Promise.allSettled([
      log.append(new Stream('agent-1').many(2)),
      log.append(new Stream('agent-2').many(2)),
    ]);
    assert.deepEqual([bad.status, good.status], ['rejected', 'fulfilled']);
  });
});

describe('a stream with gaps', () => {
  it('is stored and reported: another log may have what is missing here', async () => {
    await using folder = await Folder.make();
    const notices: EventDraft[] = [];
    await using log = await openLog({ directory: folder.path, keys: keysFor(), notices });
    const stream = new Stream('agent-1');
    const first = stream.many(2);
    const missing = stream.many(3);
    await log.append([...first, ...stream.many(2)]);
    assert.deepEqual(
      notices.map(({ type, fields }) => [type, fields['from'], fields['to']]),
      [['audit.gap', 3, 5]],
    );
    await log.append(missing);
    assert.equal(log.size, 7);
  });

  it('without end is refused: memory is bounded', async () => {
    await using folder = await Folder.make();
    await using log = await openLog({ directory: folder.path, keys: keysFor() });
    const stream = new Stream('agent-1');
    await assert.rejects(async () => {
      for (;;) {
        stream.skip(1);
        await log.append(stream.many(1));
      }
    }, codeIs('limit_exceeded'));
    assert.equal(log.size, 1024);
  });
});

describe('the numbers of a stream', () => {
  it('are known exactly, in whatever order they come', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 })), (numbers) => {
        const ranges = new SequenceRanges();
        const seen = new Set<number>();
        for (const number of numbers) {
          assert.equal(ranges.add(number), !seen.has(number));
          seen.add(number);
        }
        const spelled = (runs: readonly SequenceRange[]): number[] => runs.flatMap(([from, to]) => range(from, to));
        const sorted = [...seen].sort((left, right) => left - right);
        assert.deepEqual(spelled(ranges.runs), sorted);
        assert.equal(ranges.last, sorted.at(-1) ?? 0);
        assert.deepEqual(
          spelled(ranges.gaps()),
          range(1, ranges.last).filter((number) => !seen.has(number)),
        );
        for (const number of range(1, 61)) assert.equal(ranges.has(number), seen.has(number));
        for (const [at, [from]] of ranges.runs.entries())
          assert.ok(at === 0 || from > (ranges.runs[at - 1]?.[1] ?? 0) + 1);
      }),
    );
  });
});

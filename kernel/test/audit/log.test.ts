import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import { PosternError } from '@postern/plugin-sdk';
import type { AuditRecord, EventDraft } from '../../src/audit/event.js';
import { entriesPerFile, readJournal } from '../../src/audit/log/index.js';
import { Frontier, leafHash, openCheckpoint } from '../../src/audit/tlog/index.js';
import { verifyLog } from '../../src/audit/verify/index.js';
import { codeIs, Folder, keysFor, openLog, origin, range, Stream } from './support.js';

const lines = async (directory: string): Promise<string[]> => {
  const found: string[] = [];
  for await (const { lines: group } of readJournal(directory)) found.push(...group.map(String));
  return found;
};

const texts = (records: readonly AuditRecord[]): string[] => records.map(({ line }) => line.toString());

const quick = { checkpointIntervalMs: 1 };

describe('the audit log', () => {
  it('has events in its journal, as they were, once append resolves', async () => {
    await using folder = await Folder.make();
    await using log = await openLog({ directory: folder.path, keys: keysFor() });
    const records = new Stream('agent-1').many(5);
    await log.append(records.slice(0, 2));
    await log.append(records.slice(2));
    assert.equal(log.size, 5);
    assert.equal(await readFile(folder.in('events', '000000000.jsonl'), 'utf8'), `${texts(records).join('\n')}\n`);
  });

  it('signs a checkpoint over what it holds, empty at first', async () => {
    await using folder = await Folder.make();
    const keys = keysFor();
    await using log = await openLog({ directory: folder.path, keys });
    const empty = openCheckpoint(await log.checkpoint(), [keys.verifier], origin);
    assert.equal(empty.size, 0);
    const records = new Stream('agent-1').many(300);
    await log.append(records);
    const { size, root } = openCheckpoint(await log.checkpoint(), [keys.verifier], origin);
    const frontier = new Frontier();
    for (const { line } of records) frontier.push(leafHash(line));
    assert.deepEqual({ size, root }, { size: 300, root: frontier.root() });
  });

  it('publishes by itself, and leaves no partial tile where the full one is', async () => {
    await using folder = await Folder.make();
    const keys = keysFor();
    const stream = new Stream('agent-1');
    await using log = await openLog({ directory: folder.path, keys, limits: quick });
    for (const _round of range(1, 60)) await log.append(stream.many(10));
    for (let size = 0; size < 600;)
      size = openCheckpoint(await readFile(folder.in('checkpoint')), [keys.verifier]).size;
    assert.deepEqual((await readdir(folder.in('tile', '0'))).sort(), ['000', '001', '002.p']);
    assert.deepEqual((await readdir(folder.in('tile', 'entries'))).sort(), ['000', '001', '002.p']);
  });

  it('goes on after a restart, tree and all', async () => {
    await using folder = await Folder.make();
    const keys = keysFor();
    const stream = new Stream('agent-1');
    const all: AuditRecord[] = [];
    for (const count of [1, 254, 1, 1, 300, 0, 700]) {
      const records = stream.many(count);
      all.push(...records);
      await using log = await openLog({ directory: folder.path, keys });
      await log.append(records);
    }
    assert.deepEqual(await lines(folder.path), texts(all));
    const report = await verifyLog({ directory: folder.path, keys: [keys.verifier], origin });
    assert.deepEqual([report.ok, report.size, report.problems], [true, 1257, []]);
  });

  it('is for its owner’s eyes only, and belongs to one process at a time', async () => {
    await using folder = await Folder.make();
    const keys = keysFor();
    await using log = await openLog({ directory: folder.path, keys });
    await log.append(new Stream('agent-1').many(3));
    await log.checkpoint();
    await assert.rejects(openLog({ directory: folder.path, keys }), codeIs('conflict'));
    for (const item of await readdir(folder.path, { recursive: true, withFileTypes: true })) {
      const { mode } = await stat(`${item.parentPath}/${item.name}`);
      assert.equal(mode & 0o777, item.isDirectory() ? 0o700 : 0o600, item.name);
    }
  });

  it('takes many callers at once, each of them in its order', async () => {
    await using folder = await Folder.make();
    const keys = keysFor();
    {
      await using log = await openLog({ directory: folder.path, keys, limits: { ...quick, commitBytes: 4000 } });
      const agents = range(1, 20).map((at) => new Stream(`agent-${at}`));
      await Promise.all(
        agents.map(async (agent) => {
          for (const _round of range(1, 10)) await log.append(agent.many(5));
        }),
      );
      assert.equal(log.size, 1000);
    }
    const report = await verifyLog({ directory: folder.path, keys: [keys.verifier] });
    assert.equal(report.ok, true);
    assert.deepEqual(report.notices, []);
    assert.deepEqual(
      report.agents.map(({ ranges }) => ranges),
      range(1, 20).map(() => [[1, 50]]),
    );
  });

  it('turns more away than it can keep in memory, and takes it later', async () => {
    await using folder = await Folder.make();
    await using log = await openLog({ directory: folder.path, keys: keysFor(), limits: { maxQueuedBytes: 2000 } });
    const agents = range(1, 20).map((at) => new Stream(`agent-${at}`).many(2));
    const outcomes = await Promise.allSettled(agents.map((records) => log.append(records)));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    assert.ok(refused.length > 0 && refused.length < 20);
    assert.ok(refused.every(({ reason }) => codeIs('unavailable')(reason)));
    for (const records of agents) await log.append(records);
    assert.equal(log.size, 40);
  });

  it('takes nothing after it was closed, and nothing that was called off', async () => {
    await using folder = await Folder.make();
    const log = await openLog({ directory: folder.path, keys: keysFor() });
    await assert.rejects(log.append(new Stream('agent-1').many(1), AbortSignal.abort()));
    await log[Symbol.asyncDispose]();
    await assert.rejects(log.append(new Stream('agent-1').many(1)), codeIs('unavailable'));
    assert.equal(log.size, 0);
  });

  it('keeps taking events while its signer is away, and signs them when it is back', async () => {
    await using folder = await Folder.make();
    const keys = keysFor();
    const notices: EventDraft[] = [];
    let isAway = false;
    const sign = keys.signer.sign.bind(keys.signer);
    const flaky = {
      ...keys.signer,
      sign: (bytes: Buffer) => {
        if (isAway) throw new PosternError('unavailable', 'the key service is away');
        return sign(bytes);
      },
    };
    await using log = await openLog({
      directory: folder.path,
      keys: { ...keys, signer: flaky },
      limits: { ...quick, maxPendingBytes: 1000 },
      notices,
    });
    isAway = true;
    const stream = new Stream('agent-1');
    for (const _round of range(1, 30)) await log.append(stream.many(100));
    await assert.rejects(log.checkpoint(), codeIs('unavailable'));
    assert.deepEqual(log.state, { ready: true, reason: 'the key service is away' });
    assert.deepEqual(
      notices.map(({ type }) => type),
      ['audit.unsigned'],
    );
    isAway = false;
    assert.equal(openCheckpoint(await log.checkpoint(), [keys.verifier]).size, 3000);
    assert.deepEqual(log.state, { ready: true });
  });

  it('fills one file after the other', async () => {
    await using folder = await Folder.make();
    const keys = keysFor();
    const stream = new Stream('agent-1');
    const count = entriesPerFile + 100;
    {
      await using log = await openLog({ directory: folder.path, keys });
      for (let left = count; left > 0; left -= 5000) await log.append(stream.many(Math.min(left, 5000)));
    }
    assert.deepEqual(await readdir(folder.in('events')), ['000000000.jsonl', '000000001.jsonl']);
    assert.deepEqual(await readdir(folder.in('cache')), ['streams.json']);
    {
      await using log = await openLog({ directory: folder.path, keys });
      assert.equal(log.size, count);
      await log.append(stream.many(10));
    }
    const report = await verifyLog({ directory: folder.path, keys: [keys.verifier] });
    assert.deepEqual([report.ok, report.size], [true, count + 10]);
  }).timeout(60_000);
});

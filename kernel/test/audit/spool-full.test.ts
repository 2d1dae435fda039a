import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Spool } from '../../src/audit/spool/index.js';
import { codeIs, draft, Folder, openSpool, range, sealer } from './support.js';
import { readAll, segments, sequences } from './spool-support.js';

describe('a full spool', () => {
  const limits = { maxBytes: 6000, segmentBytes: 1500, reserveBytes: 4000 };

  async function fill(spool: Spool): Promise<{ held: Promise<number>[]; written: number }> {
    const held: Promise<number>[] = [];
    for (let at = 0; held.length < 3; at += 1) {
      const position = spool.append(sealer().seal(draft(`${at}`)));
      if (typeof position !== 'number') held.push(position);
    }
    await spool.flush();
    return { held, written: spool.written };
  }

  it('holds events until there is room, and lets them go in their order', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, limits);
    const { held, written } = await fill(spool);
    assert.ok(spool.backlog.bytes <= limits.maxBytes);
    assert.equal(spool.backlog.held, 3);
    const order: number[] = [];
    const all = Promise.all(held.map(async (position) => order.push(await position)));
    spool.acknowledge(written);
    await all;
    assert.deepEqual(order, [written + 1, written + 2, written + 3]);
    assert.deepEqual(sequences(await readAll(spool)), [written + 1, written + 2, written + 3]);
  });

  it('lets nobody overtake those that wait', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, limits);
    const { held } = await fill(spool);
    const late = spool.append(sealer().seal(draft('late')));
    assert.ok(late instanceof Promise);
    spool.acknowledge(spool.written);
    assert.deepEqual(await Promise.all([...held, late]), range(spool.written - 3, spool.written));
  });

  it('refuses after a time, and the event is nowhere then', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, { ...limits, holdTimeoutMs: 20 });
    const { held, written } = await fill(spool);
    for (const position of held) await assert.rejects(position, codeIs('audit_unavailable'));
    assert.equal(spool.written, written);
    assert.equal(spool.backlog.held, 0);
  });

  it('refuses at once where too many wait: memory is bounded', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, { ...limits, maxHeld: 3 });
    const { held } = await fill(spool);
    assert.throws(() => spool.append(sealer().seal(draft('one more'))), codeIs('audit_unavailable'));
    spool.acknowledge(spool.written);
    await Promise.all(held);
  });

  it('still takes the last words of sessions, up to its reserve', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, limits);
    const { held, written } = await fill(spool);
    const closing = sealer().seal({ type: 'session.end', fields: { reason: 'audit', durationMs: 1 } });
    assert.equal(spool.append(closing, true), written + 1);
    let last: number | Promise<number> = 0;
    for (let at = 0; at < 100 && typeof last === 'number'; at += 1) last = spool.append(closing, true);
    assert.ok(last instanceof Promise, 'the reserve has an end');
    await spool.flush();
    spool.acknowledge(spool.written);
    await Promise.all([...held, last]);
  });

  it('has room again once all was acknowledged, also where one segment was all it had', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, { ...limits, segmentBytes: 1_000_000 });
    for (const _round of range(1, 3)) {
      const { held } = await fill(spool);
      assert.equal((await segments(folder)).length, 1);
      spool.acknowledge(spool.written);
      await Promise.all(held);
      await spool.flush();
      spool.acknowledge(spool.written);
    }
    assert.ok(spool.backlog.bytes <= limits.maxBytes);
  });

  it('turns everybody away when it closes', async () => {
    await using folder = await Folder.make();
    const spool = await openSpool(folder.path, limits);
    const { held } = await fill(spool);
    const rejected = held.map((position) => assert.rejects(position, codeIs('audit_unavailable')));
    await spool[Symbol.asyncDispose]();
    await Promise.all(rejected);
    assert.throws(() => spool.append(sealer().seal(draft('late'))), codeIs('audit_unavailable'));
    await assert.rejects(access(folder.in('lock'), constants.F_OK));
  });
});

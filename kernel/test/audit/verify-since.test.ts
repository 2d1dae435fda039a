import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { joinReports } from '../../src/audit/verify/index.js';
import { keysFor, range, Stream } from './support.js';
import { found, kinds, Specimen } from './verify-support.js';

const at = (log: Specimen, size: number): Buffer => log.kept.get(size) ?? assert.fail();

/** Makes the files of a log those of its own past: what a restored backup is. */
async function rollBack(log: Specimen, size: number): Promise<void> {
  const lines = await log.lines();
  await log.resign(lines.slice(0, size));
  await writeFile(log.path('checkpoint'), at(log, size));
}

describe('a log that was cut off, with the checkpoint of that time put back', () => {
  it('looks right by itself', async () => {
    await using log = await Specimen.usual();
    await rollBack(log, 100);
    const report = await log.verify();
    assert.deepEqual([report.ok, report.size], [true, 100]);
  });

  it('is caught by a checkpoint that was kept', async () => {
    await using log = await Specimen.usual();
    await rollBack(log, 100);
    assert.deepEqual(kinds(await log.verify({ since: [at(log, 310)] })), ['rolled_back']);
    assert.equal((await log.verify({ since: [at(log, 100)] })).ok, true);
  });

  it('and was written on since is caught as well', async () => {
    await using log = await Specimen.usual();
    const lines = await log.lines();
    const more = new Stream('agent-9').many(400).map(({ line }) => line.toString());
    await log.resign([...lines.slice(0, 100), ...more]);
    assert.equal((await log.verify()).ok, true);
    assert.deepEqual(found(await log.verify({ since: [at(log, 300)] })), ['forked at entry 300']);
    assert.equal((await log.verify({ since: [at(log, 100)] })).ok, true);
  });
});

describe('a kept checkpoint', () => {
  it('of every earlier size agrees with an honest log', async () => {
    await using log = await Specimen.usual();
    assert.deepEqual([...log.kept.keys()], [100, 300, 310]);
    assert.equal((await log.verify({ since: [...log.kept.values()] })).ok, true);
  });

  it('of the other side of a split view is found at its size', async () => {
    await using one = await Specimen.usual();
    await using other = await one.twin();
    assert.deepEqual(found(await one.verify({ since: [at(other, 300)] })), ['forked at entry 300']);
    assert.deepEqual(found(await one.verify({ since: [at(other, 310)] })), ['forked at entry 310']);
  });

  it('is worth nothing without the signature of a known key', async () => {
    await using log = await Specimen.usual();
    await using forged = await Specimen.usual(keysFor());
    for (const kept of [at(forged, 300), Buffer.from('x'), Buffer.alloc(0)])
      assert.deepEqual(kinds(await log.verify({ since: [kept] })), ['since_invalid']);
  });

  it('of a log that is gone altogether says what is missing', async () => {
    await using log = await Specimen.usual();
    const kept = at(log, 310);
    for (const name of ['checkpoint', 'tile', 'events']) await rm(log.path(name), { recursive: true });
    const report = await log.verify({ since: [kept] });
    assert.deepEqual(kinds(report), ['checkpoint_missing', 'rolled_back']);
  });

  it('is the very file that the log had at that time', async () => {
    await using log = await Specimen.usual();
    assert.deepEqual(await readFile(log.path('checkpoint')), at(log, 310));
  });
});

describe('the logs of one cluster together', () => {
  const stream = (): Stream => new Stream('agent-1');

  it('fill each other’s gaps where an agent went from one to the other and back', async () => {
    const agent = stream();
    const [a, b, c] = [agent.many(10), agent.many(10), agent.many(10)];
    await using one = await Specimen.of([[...a, ...c]]);
    await using two = await Specimen.of([b]);
    const reports = [await one.verify(), await two.verify()];
    assert.deepEqual(reports.map(kinds), [['gap'], ['gap']]);
    assert.deepEqual(joinReports(reports), { ok: true, problems: [] });
  });

  it('still name what neither has', async () => {
    const agent = stream();
    const [a, , c] = range(1, 3).map(() => agent.many(10));
    await using one = await Specimen.of([a ?? []]);
    await using two = await Specimen.of([c ?? []]);
    const { ok, problems } = joinReports([await one.verify(), await two.verify()]);
    assert.equal(ok, false);
    assert.deepEqual(
      problems.map(({ kind, detail }) => [kind, detail]),
      [['gap', 'events 11 to 20 are missing']],
    );
  });

  it('are not right where one of them is not', async () => {
    await using one = await Specimen.usual();
    await using two = await Specimen.usual();
    await rm(two.path('tile/0/000'));
    assert.equal(joinReports([await one.verify(), await two.verify()]).ok, false);
  });
});

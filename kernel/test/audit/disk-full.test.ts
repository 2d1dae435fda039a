import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { smallDisk } from '../../../test/support/small-disk.js';
import { Delivery } from '../../src/audit/delivery.js';
import { GroupSync } from '../../src/audit/spool/group-sync.js';
import { verifyLog } from '../../src/audit/verify/index.js';
import { codeIs, draft, FakeSink, Folder, keysFor, openLog, openSpool, range, sealer, Stream } from './support.js';

/** A folder whose `path` is a file system of its own. */
class SmallDisk implements AsyncDisposable {
  private constructor(
    private readonly folder: Folder,
    private readonly mounted: AsyncDisposable,
    readonly path: string,
  ) {}

  static async mount(context: { skip(): unknown }, size: string): Promise<SmallDisk> {
    const folder = await Folder.make();
    const path = folder.in('disk');
    await mkdir(path);
    try {
      return new SmallDisk(folder, smallDisk(context, path, size), path);
    } catch (cause) {
      await folder[Symbol.asyncDispose]();
      throw cause;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mounted[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

describe('a disk that is full', () => {
  it('makes the spool refuse; what it took before is all there, and it goes on without a gap when there is room', async function () {
    await using disk = await SmallDisk.mount(this, '512k');
    await writeFile(`${disk.path}/ballast`, Buffer.alloc(200_000));
    await using spool = await openSpool(`${disk.path}/spool`, { segmentBytes: 50_000, syncIntervalMs: 1 });
    const sink = new FakeSink();
    const emit = (): number | Promise<number> => spool.append(sealer().seal(draft('x'.repeat(700))));
    const isRefused = (): boolean => {
      try {
        void emit();
        return false;
      } catch (cause) {
        assert.ok(codeIs('audit_unavailable')(cause));
        return true;
      }
    };
    while (!isRefused());
    const { written } = spool;
    assert.ok(written > 50);
    for (const _attempt of range(1, 5)) assert.ok(isRefused());
    assert.equal(spool.written, written);
    await rm(`${disk.path}/ballast`);
    assert.equal(emit(), written + 1);
    await using delivery = Delivery.start({ spool, sink, now: () => new Date() });
    await delivery.idle();
    assert.deepEqual(sink.sequences, range(1, written + 1));
  });

  it('makes the log refuse; what it acknowledged is all there, and it goes on when there is room', async function () {
    await using disk = await SmallDisk.mount(this, '1m');
    await writeFile(`${disk.path}/ballast`, Buffer.alloc(700_000));
    const directory = `${disk.path}/log`;
    const keys = keysFor();
    const stream = new Stream('agent-1');
    const accepted: string[] = [];
    {
      await using log = await openLog({ directory, keys, limits: { checkpointIntervalMs: 60_000 } });
      let refused = stream.many(20);
      for (;;) {
        try {
          await log.append(refused);
        } catch (cause) {
          assert.ok(codeIs('audit_unavailable')(cause));
          break;
        }
        accepted.push(...refused.map(({ event: { id } }) => id));
        refused = stream.many(20);
      }
      assert.equal(log.size, accepted.length);
      await assert.rejects(log.append(refused), codeIs('audit_unavailable'));
      await rm(`${disk.path}/ballast`);
      await log.append(refused);
      accepted.push(...refused.map(({ event: { id } }) => id));
    }
    const report = await verifyLog({ directory, keys: [keys.verifier] });
    assert.deepEqual([report.ok, report.size, report.problems], [true, accepted.length, []]);
    assert.deepEqual(report.agents[0]?.ranges, [[1, accepted.length]]);
  });
});

describe('a disk that fails to sync', () => {
  it('is final: nothing is called durable after it', async () => {
    await using folder = await Folder.make();
    const durable: number[] = [];
    const failures: unknown[] = [];
    const sync = new GroupSync({
      directory: folder.path,
      intervalMs: 1,
      position: () => 7,
      verify: () => {},
      onDurable: (position) => durable.push(position),
      onFailure: (error) => failures.push(error),
    });
    // No such file is open: the sync fails as that of a broken disk does.
    sync.mark(1_000_000);
    await assert.rejects(sync.flush(), codeIs('audit_unavailable'));
    await assert.rejects(sync.flush(), codeIs('audit_unavailable'));
    await assert.rejects(sync[Symbol.asyncDispose](), codeIs('audit_unavailable'));
    assert.deepEqual([durable, failures.length], [[], 1]);
  });
});

describe('a spool whose directory is taken away', () => {
  it('fails for good at the next sync: everybody hears of it, and nothing more is accepted', async () => {
    await using folder = await Folder.make();
    const spool = await openSpool(folder.in('spool'), { syncIntervalMs: 60_000, maxBytes: 1500, segmentBytes: 1000 });
    let held = spool.append(sealer().seal(draft('x')));
    while (typeof held === 'number') held = spool.append(sealer().seal(draft('x')));
    const turnedAway = assert.rejects(held, codeIs('audit_unavailable'));
    await rm(folder.in('spool'), { recursive: true });
    await assert.rejects(spool.flush(), codeIs('audit_unavailable'));
    await turnedAway;
    assert.throws(() => spool.append(sealer().seal(draft('y'))), codeIs('audit_unavailable'));
    assert.ok(codeIs('audit_unavailable')(spool.failure));
    await using delivery = Delivery.start({ spool, sink: new FakeSink(), now: () => new Date() });
    assert.equal(delivery.state.ready, false);
    await spool[Symbol.asyncDispose]();
  });

  it('refuses what needs another file, also for those who waited', async () => {
    await using folder = await Folder.make();
    const spool = await openSpool(folder.in('spool'), { syncIntervalMs: 60_000, maxBytes: 1500, segmentBytes: 300 });
    let held = spool.append(sealer().seal(draft('x')));
    while (typeof held === 'number') held = spool.append(sealer().seal(draft('x')));
    await spool.flush();
    await rm(folder.in('spool'), { recursive: true });
    const turnedAway = assert.rejects(held, codeIs('audit_unavailable'));
    spool.acknowledge(spool.written);
    await turnedAway;
    await spool[Symbol.asyncDispose]();
  });
});

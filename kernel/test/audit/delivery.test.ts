import assert from 'node:assert/strict';
import { setImmediate as tick } from 'node:timers/promises';
import { PosternError } from '@postern/plugin-sdk';
import { Delivery, type DeliveryOptions } from '../../src/audit/delivery.js';
import type { Loss } from '../../src/audit/delivery-health.js';
import type { Spool } from '../../src/audit/spool/index.js';
import { codeIs, draft, FakeSink, Folder, openSpool, range, sealer } from './support.js';
import { put } from './spool-support.js';

const fast = { firstRetryMs: 1, maxRetryMs: 4, strictTimeoutMs: 2000 };

const start = (spool: Spool, sink: FakeSink, more: Partial<DeliveryOptions> = {}): Delivery =>
  Delivery.start({ spool, sink, now: () => new Date(), limits: fast, ...more });

const until = async (isTrue: () => boolean): Promise<void> => {
  for (let tries = 0; !isTrue(); tries += 1) {
    assert.ok(tries < 200_000, 'it never became true');
    await tick();
  }
};

const away = (): PosternError => new PosternError('unavailable', 'the sink is away');

describe('the delivery', () => {
  it('brings everything to the sink, in order and once', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, { segmentBytes: 5000, syncIntervalMs: 1 });
    const sink = new FakeSink();
    await using delivery = start(spool, sink, { limits: { ...fast, batchEvents: 7 } });
    for (const at of range(1, 200)) {
      put(spool, `${at}`);
      if (at % 50 === 0) await tick();
    }
    await delivery.idle();
    assert.deepEqual(sink.sequences, range(1, 201));
    assert.equal(delivery.backlog, 0);
    assert.deepEqual(delivery.state, { ready: true });
  });

  it('begins with what an earlier run left', async () => {
    await using folder = await Folder.make();
    {
      await using spool = await openSpool(folder.path);
      for (const at of range(1, 5)) put(spool, `${at}`);
    }
    await using spool = await openSpool(folder.path);
    const sink = new FakeSink();
    await using delivery = start(spool, sink);
    await delivery.idle();
    assert.deepEqual(sink.sequences, range(1, 6));
  });

  it('tries again until the sink is back, and then goes on in order', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, { syncIntervalMs: 1 });
    const sink = new FakeSink();
    sink.failing = away();
    await using delivery = start(spool, sink);
    for (const at of range(1, 20)) put(spool, `${at}`);
    await until(() => sink.calls > 5);
    assert.equal(delivery.state.ready, true, 'a short loss is no reason to worry');
    assert.equal(delivery.state.reason, 'unavailable: the sink is away');
    assert.equal(delivery.backlog, 21);
    sink.failing = undefined;
    await delivery.idle();
    assert.deepEqual(sink.sequences, range(1, 21));
    assert.deepEqual(delivery.state, { ready: true });
  });

  it('sends again what got no answer, and the sink has it once', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path);
    const sink = new FakeSink();
    const append = sink.append.bind(sink);
    let lost = 0;
    sink.append = async (records) => {
      await append(records);
      if (lost++ < 3) throw new PosternError('timeout', 'the answer was lost');
    };
    await using delivery = start(spool, sink);
    put(spool, 'a');
    await delivery.idle();
    assert.deepEqual(sink.sequences, [1, 2]);
    assert.ok(sink.calls >= 4);
  });

  it('gives up an attempt that takes too long, and makes another', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path);
    const sink = new FakeSink();
    sink.gate = new Promise(() => undefined);
    await using delivery = start(spool, sink, { limits: { ...fast, attemptTimeoutMs: 5 } });
    await until(() => sink.calls > 1);
    sink.gate = Promise.resolve();
    await delivery.idle();
    assert.deepEqual(sink.sequences, [1]);
  });

  it('reports once that the sink is lost, and once that it is back', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path);
    const sink = new FakeSink();
    sink.failing = away();
    const said: [string, Loss][] = [];
    let now = 1_000_000;
    await using delivery = start(spool, sink, {
      now: () => new Date(now),
      limits: { ...fast, lostAfterMs: 60_000 },
      onLost: (loss) => said.push(['lost', loss]),
      onRestored: (loss) => said.push(['restored', loss]),
    });
    await until(() => sink.calls > 3);
    assert.equal(said.length, 0);
    now += 60_000;
    await until(() => said.length === 1);
    assert.equal(delivery.state.ready, false);
    const calls = sink.calls;
    await until(() => sink.calls > calls + 3);
    sink.failing = undefined;
    await delivery.idle();
    await until(() => said.length === 2);
    assert.deepEqual(
      said.map(([what, { since }]) => [what, since.getTime()]),
      [
        ['lost', 1_000_000],
        ['restored', 1_000_000],
      ],
    );
    assert.equal(said[0]?.[1].backlog, 1);
    assert.deepEqual(delivery.state, { ready: true });
  });

  it('reports a refusal that no repetition can mend at once', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path);
    const sink = new FakeSink();
    sink.failing = new PosternError('conflict', 'the number is taken');
    const lost: Loss[] = [];
    await using delivery = start(spool, sink, { onLost: (loss) => lost.push(loss) });
    await until(() => lost.length === 1);
    assert.equal(delivery.state.ready, false);
    assert.equal(delivery.backlog, 1, 'and nothing is dropped for it');
  });

  it('stops while an attempt hangs, and loses nothing', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path);
    const sink = new FakeSink();
    sink.gate = new Promise(() => undefined);
    {
      await using _delivery = start(spool, sink);
      await until(() => sink.calls === 1);
    }
    const other = new FakeSink();
    await using delivery = start(spool, other);
    await delivery.idle();
    assert.deepEqual(other.sequences, [1]);
  });

  it('bounds what a slow sink makes wait: the spool fills, events are held, memory does not grow', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, { maxBytes: 20_000, segmentBytes: 4000, syncIntervalMs: 1 });
    const sink = new FakeSink();
    await using delivery = start(spool, sink, { limits: { ...fast, batchEvents: 8 } });
    let held = 0;
    let most = 0;
    for (const at of range(1, 500)) {
      sink.gate = tick();
      const position = spool.append(sealer().seal(draft(`${at}`)));
      most = Math.max(most, spool.backlog.bytes);
      if (typeof position === 'number') continue;
      held += 1;
      await position;
    }
    await delivery.idle();
    assert.ok(held > 10, `${held} events were held`);
    assert.ok(most <= 20_000, `${most} bytes on disk`);
    assert.deepEqual(sink.sequences, range(1, 501));
  });
});

describe('a strict event', () => {
  it('is acknowledged by the sink, behind everything before it, when it resolves', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, { syncIntervalMs: 60_000 });
    const sink = new FakeSink();
    await using delivery = start(spool, sink);
    for (const at of range(1, 5)) put(spool, `${at}`);
    await delivery.strict(sealer().seal(draft('strict')));
    assert.deepEqual(sink.sequences, range(1, 7));
    assert.equal(sink.taken.at(-1)?.event.fields['verb'], 'strict');
  });

  it('is refused where the sink does not answer in time; it stays, and arrives later', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path);
    const sink = new FakeSink();
    sink.failing = away();
    await using delivery = start(spool, sink, { limits: { ...fast, strictTimeoutMs: 30 } });
    await assert.rejects(
      delivery.strict(sealer().seal(draft('strict'))),
      (cause: Error) => codeIs('audit_unavailable')(cause) && cause.message.includes('the sink is away'),
    );
    sink.failing = undefined;
    await delivery.idle();
    assert.equal(sink.taken.at(-1)?.event.fields['verb'], 'strict');
  });

  it('does not wait for the pause after a failure', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path, { syncIntervalMs: 1 });
    const sink = new FakeSink();
    sink.failing = away();
    await using delivery = start(spool, sink, { limits: { ...fast, firstRetryMs: 60_000, maxRetryMs: 60_000 } });
    await until(() => sink.calls === 1);
    sink.failing = undefined;
    await delivery.strict(sealer().seal(draft('strict')));
    assert.equal(sink.sequences.at(-1), 2);
  });

  it('is let go when the delivery stops, and is not taken for acknowledged', async () => {
    await using folder = await Folder.make();
    await using spool = await openSpool(folder.path);
    const sink = new FakeSink();
    sink.failing = away();
    const delivery = start(spool, sink);
    const strict = assert.rejects(delivery.strict(sealer().seal(draft('strict'))), codeIs('audit_unavailable'));
    await until(() => sink.calls > 0);
    await delivery[Symbol.asyncDispose]();
    await strict;
  });
});

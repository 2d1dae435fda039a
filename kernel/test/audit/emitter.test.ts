import assert from 'node:assert/strict';
import { PosternError } from '@postern/plugin-sdk';
import { AuditTrail } from '../../src/audit/trail.js';
import { catalog, cluster, codeIs, draft, FakeSink, Folder, type Keys, type protocolEvents } from './support.js';

const openTrail = (
  directory: string,
  sink: FakeSink,
  more: { spool?: object; delivery?: object; failures?: unknown[]; keys?: Keys } = {},
): Promise<AuditTrail> =>
  AuditTrail.open({
    directory,
    cluster,
    agent: 'agent-1',
    catalog,
    sink,
    now: () => new Date(),
    spool: { syncIntervalMs: 1, ...more.spool },
    delivery: { firstRetryMs: 1, maxRetryMs: 2, ...more.delivery },
    onFailure: (error) => (more.failures ?? []).push(error),
  });

describe('the emitter', () => {
  it('returns nothing once an event is in the queue', async () => {
    await using folder = await Folder.make();
    await using trail = await openTrail(folder.path, new FakeSink());
    assert.equal(trail.emitter.emit(draft('get')), undefined);
  });

  it('returns a promise for a strict event, which the sink has when it resolves', async () => {
    await using folder = await Folder.make();
    const sink = new FakeSink();
    await using trail = await openTrail(folder.path, sink);
    const hold = trail.emitter.emit(draft('get'), 'strict');
    assert.ok(hold instanceof Promise);
    await hold;
    assert.equal(sink.taken.at(-1)?.event.fields['verb'], 'get');
  });

  it('holds when the queue is full, and lets go when there is room', async () => {
    await using folder = await Folder.make();
    const sink = new FakeSink();
    let open = (): void => undefined;
    sink.gate = new Promise((resolve) => (open = resolve));
    await using trail = await openTrail(folder.path, sink, { spool: { maxBytes: 3000, segmentBytes: 1000 } });
    let hold = trail.emitter.emit(draft('fill'));
    while (!hold) hold = trail.emitter.emit(draft('fill'));
    assert.equal(
      trail.emitter.emit({ type: 'session.end', fields: { reason: 'audit', durationMs: 1 } }),
      undefined,
      'the end of a session still fits',
    );
    open();
    await hold;
    await trail.delivery.idle();
    assert.equal(sink.sequences.length, trail.spool.written);
  });

  it('throws before anything is written where an event is unknown or does not fit', async () => {
    await using folder = await Folder.make();
    await using trail = await openTrail(folder.path, new FakeSink());
    const before = trail.spool.written;
    assert.throws(() => trail.emitter.emit(draft('x', { type: 'store.other' })), codeIs('invalid_argument'));
    assert.throws(() => trail.emitter.emit(draft('x', { fields: { verb: 1 } })), codeIs('invalid_argument'));
    assert.throws(() => trail.emitter.emit(draft('x', { fields: {} }), 'strict'), codeIs('invalid_argument'));
    assert.equal(trail.spool.written, before);
  });

  it('gives a session a port that adds its envelope and its protocol’s name', async () => {
    await using folder = await Folder.make();
    const sink = new FakeSink();
    await using trail = await openTrail(folder.path, sink);
    const scope = { session: 's-9', user: 'bob', resource: { kind: 'store', name: 'a' }, source: '::1' };
    const port = trail.emitter.port<typeof protocolEvents>('store', scope, 'strict');
    await port.emit('command', { verb: 'get', password: 'hunter2' });
    const { event, line } = sink.taken.at(-1) ?? assert.fail();
    assert.equal(event.type, 'store.command');
    assert.deepEqual([event.session, event.user, event.resource, event.source], ['s-9', 'bob', scope.resource, '::1']);
    assert.ok(!line.includes('hunter2'), 'a secret never reaches the sink');
  });

  it('writes into its own trail that the sink was lost, and that it is back', async () => {
    await using folder = await Folder.make();
    const sink = new FakeSink();
    sink.failing = new PosternError('unavailable', 'the sink is away');
    await using trail = await openTrail(folder.path, sink, { delivery: { lostAfterMs: 0 } });
    while (trail.spool.written < 2) await trail.spool.changed.wait(AbortSignal.timeout(50));
    sink.failing = undefined;
    while (trail.spool.written < 3) await trail.spool.changed.wait(AbortSignal.timeout(50));
    await trail.delivery.idle();
    assert.deepEqual(
      sink.taken.map(({ event }) => event.type),
      ['audit.stream_started', 'audit.unavailable', 'audit.restored'],
    );
  });

  it('tells whoever opened it when even that cannot be written', async () => {
    await using folder = await Folder.make();
    const sink = new FakeSink();
    sink.failing = new PosternError('unavailable', 'the sink is away');
    const failures: unknown[] = [];
    const full = { maxBytes: 400, segmentBytes: 400, reserveBytes: 0, maxHeld: 0 };
    await using trail = await openTrail(folder.path, sink, { delivery: { lostAfterMs: 0 }, spool: full, failures });
    while (failures.length === 0) await trail.spool.changed.wait(AbortSignal.timeout(20));
    assert.ok(codeIs('audit_unavailable')(failures[0]));
  });
});

import assert from 'node:assert/strict';
import { PosternError, type ErrorCode, type Hold } from '@postern/plugin-sdk';
import { TestClock } from '../../../test/support/clock.js';
import { Bell } from '../../src/audit/bell.js';
import { EventGate } from '../../src/cluster/event-gate.js';
import { spoolFailure } from '../../src/cluster/spool-failure.js';

const draft = { type: 'test.event', fields: {} };
const full = (code: ErrorCode): PosternError => new PosternError(code, 'no space left');

describe('the gate of events', () => {
  function gateOf(answers: (() => Hold)[]): { readonly gate: EventGate; readonly clock: TestClock } {
    const clock = new TestClock();
    return { gate: new EventGate({ emit: () => answers.shift()?.() }, clock.now), clock };
  }
  const throwing = (code: ErrorCode) => (): never => {
    throw full(code);
  };

  it('says why the last event could not be recorded, until one can or some time has passed', () => {
    const { gate, clock } = gateOf([throwing('audit_unavailable'), () => {}, throwing('audit_unavailable')]);
    assert.throws(() => gate.emit(draft));
    assert.deepEqual(gate.state, { ready: false, reason: 'no space left' });
    assert.equal(gate.emit(draft), undefined);
    assert.deepEqual(gate.state, { ready: true });
    assert.throws(() => gate.emit(draft));
    clock.advance(31_000);
    assert.deepEqual(gate.state, { ready: true });
  });

  it('knows of events that were refused later', async () => {
    const { gate } = gateOf([() => Promise.reject(full('audit_unavailable')), () => Promise.resolve()]);
    await assert.rejects(async () => gate.emit(draft));
    assert.equal(gate.state.ready, false);
    await gate.emit(draft);
    assert.equal(gate.state.ready, true);
  });

  it('owes the ends that could not be recorded, each once, and gives them in their order when there is room', () => {
    let room = false;
    const recorded: unknown[] = [];
    const emit = ({ fields }: { readonly fields: object }): void => {
      if (!room) throw full('audit_unavailable');
      recorded.push(fields);
    };
    const gate = new EventGate({ emit }, new TestClock().now);
    for (const number of [1, 2, 3])
      assert.throws(() => gate.emit({ type: 'session.end', fields: { number } }, 'spool'));
    assert.throws(() => gate.emit({ type: 'session.end', fields: { number: 4 } }, 'strict'));
    assert.throws(() => gate.emit(draft));
    gate.settle();
    room = true;
    void gate.emit({ type: 'test.event', fields: { number: 0 } });
    gate.settle();
    assert.deepEqual(
      recorded,
      [0, 1, 2, 3].map((number) => ({ number })),
    );
  });

  it('does not blame the log for an event that is none', () => {
    const { gate } = gateOf([throwing('invalid_argument')]);
    assert.throws(() => gate.emit(draft));
    assert.equal(gate.state.ready, true);
  });
});

describe('the watch over a spool', () => {
  it('hears of its failure, and of nothing where it is called off', async () => {
    const spool = { changed: new Bell(), failure: undefined as PosternError | undefined };
    const off = new AbortController();
    const watches = [spoolFailure(spool, new AbortController().signal), spoolFailure(spool, off.signal)];
    off.abort();
    spool.changed.ring();
    assert.equal(await watches[1], undefined);
    spool.failure = full('audit_unavailable');
    spool.changed.ring();
    assert.equal(await watches[0], spool.failure);
  });
});

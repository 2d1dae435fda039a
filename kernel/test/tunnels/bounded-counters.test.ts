import assert from 'node:assert/strict';
import { LiveConnections, maxSignalBytes, type ConnectionRefused } from '../../src/tunnels/index.js';
import { Backoff } from '../../src/tunnels/backoff.js';
import { RateLimit } from '../../src/tunnels/rate-limit.js';
import { RefusalLog } from '../../src/tunnels/refusal-log.js';

const clock = (): { readonly now: () => Date; readonly advance: (ms: number) => void } => {
  let time = 1_000_000;
  return { now: () => new Date(time), advance: (ms) => (time += ms) };
};

describe('RateLimit', () => {
  it('allows so many in a window, for each key', () => {
    const { now, advance } = clock();
    const rate = new RateLimit(2, 1000, now);
    assert.deepEqual([rate.take('a'), rate.take('a'), rate.take('a'), rate.take('b')], [true, true, false, true]);
    advance(1000);
    assert.equal(rate.take('a'), true);
  });

  it('refuses new keys rather than remember any number of them', () => {
    const rate = new RateLimit(2, 1000, clock().now, 3);
    assert.deepEqual(
      ['a', 'b', 'c', 'd', 'a'].map((key) => rate.take(key)),
      [true, true, true, false, true],
    );
  });

  it('goes on when the clock is set back', () => {
    const { now, advance } = clock();
    const rate = new RateLimit(1, 1000, now);
    assert.ok(rate.take('a'));
    advance(-500_000);
    assert.ok(rate.take('a'));
  });
});

describe('LiveConnections', () => {
  it('gives ids of 31 bits that nobody else has, and delivers messages to them', () => {
    const connections = new LiveConnections({ now: clock().now, signalsPerSecond: 1000 });
    const live = Array.from({ length: 500 }, () => connections.open());
    assert.equal(new Set(live.map(({ id }) => id)).size, 500);
    assert.ok(live.every(({ id }) => Number.isInteger(id) && id > 0 && id < 2 ** 31));
    const heard: string[] = [];
    live[7]?.onSignal((payload) => heard.push(payload.toString()));
    assert.equal(connections.signal('192.0.2.7', live[7]?.id ?? 0, Buffer.from('stop')), 'delivered');
    assert.deepEqual(heard, ['stop']);
  });

  it('does not tell a connection that is gone from one that listens to nobody', () => {
    const connections = new LiveConnections({ now: clock().now });
    const [silent, gone] = [connections.open(), connections.open()];
    gone.onSignal(() => assert.fail('it is gone'));
    gone.close();
    for (const { id } of [silent, gone]) assert.equal(connections.signal('a', id, Buffer.from('x')), 'unknown');
    assert.equal(connections.size, 1);
  });

  it('does not let one address search for connections', () => {
    const { now, advance } = clock();
    const connections = new LiveConnections({ now, signalsPerSecond: 10 });
    const outcomes = Array.from({ length: 12 }, (_, id) => connections.signal('192.0.2.7', id, Buffer.alloc(1)));
    assert.deepEqual(outcomes.slice(9), ['unknown', 'too_many', 'too_many']);
    assert.equal(connections.signal('192.0.2.8', 1, Buffer.alloc(1)), 'unknown');
    advance(1000);
    assert.equal(connections.signal('192.0.2.7', 1, Buffer.alloc(1)), 'unknown');
  });

  it('refuses a message that is too long', () => {
    const connections = new LiveConnections({ now: clock().now });
    assert.equal(connections.signal('a', connections.open().id, Buffer.alloc(maxSignalBytes + 1)), 'too_long');
  });
});

describe('RefusalLog', () => {
  function log(maxSources?: number): { log: RefusalLog; events: ConnectionRefused[] } {
    const events: ConnectionRefused[] = [];
    return { log: new RefusalLog((event) => events.push(event), 60_000, maxSources), events };
  }

  it('reports the first at once and the repeats as one sum, and counts every one', () => {
    const { log: refusals, events } = log();
    for (let index = 0; index < 1000; index += 1) refusals.report('a', 'unrecognised', `number ${index}`);
    refusals.report('a', 'timeout', 'late');
    refusals.report('b', 'unrecognised', 'other');
    assert.equal(events.length, 3);
    refusals.flush();
    assert.deepEqual(events[3], { source: 'a', reason: 'unrecognised', detail: 'number 999', count: 999 });
    assert.equal(events.length, 4);
    refusals.flush();
    assert.equal(events.length, 4);
  });

  it('bounds what it remembers when any number of sources offend', () => {
    const { log: refusals, events } = log(10);
    for (let index = 0; index < 1000; index += 1) refusals.report(`source ${index}`, 'timeout', 'late');
    assert.equal(events.length, 10);
    refusals[Symbol.dispose]();
    assert.deepEqual(events[10], { source: 'many', reason: 'timeout', detail: 'late', count: 990 });
    assert.equal(
      events.reduce((sum, { count }) => sum + count, 0),
      1000,
    );
  });

  it('keeps what a stranger sent from breaking lines or growing them', () => {
    const { log: refusals, events } = log();
    refusals.report('a', 'unknown_name', `x\n\x1b]0;${'y'.repeat(9999)}`);
    assert.match(events[0]?.detail ?? '', /^[\x20-\x7e]{300}$/);
    refusals[Symbol.dispose]();
  });
});

describe('Backoff', () => {
  it('doubles from one second to eight, with jitter, and begins anew after a success', () => {
    const backoff = new Backoff();
    for (const whole of [1000, 2000, 4000, 8000, 8000]) {
      const wait = backoff.next();
      assert.ok(wait >= whole / 2 && wait <= whole, `${wait} of ${whole}`);
    }
    backoff.reset();
    assert.ok(backoff.next() <= 1000);
  });
});

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Admission, type Seat } from '../../src/tunnels/admission.js';

const limits = { perAddress: 4, unclassifiedPerAddress: 2, unclassified: 5 };

function enter(admission: Admission, source: string): { seat: Seat; crowdedOut: () => boolean } {
  let out = false;
  const seat = admission.enter(() => (out = true));
  seat.sit(source);
  return { seat, crowdedOut: () => out };
}

describe('Admission', () => {
  it('drops the oldest unclassified connection of an address for a newer one', () => {
    const admission = new Admission(limits);
    const [first, second, third] = [enter(admission, 'a'), enter(admission, 'a'), enter(admission, 'a')];
    assert.deepEqual([first.crowdedOut(), second.crowdedOut(), third.crowdedOut()], [true, false, false]);
  });

  it('does not drop a classified one, nor one of another address', () => {
    const admission = new Admission(limits);
    const classified = enter(admission, 'a');
    classified.seat.classified();
    const other = enter(admission, 'b');
    const mine = [enter(admission, 'a'), enter(admission, 'a'), enter(admission, 'a')];
    assert.equal(classified.crowdedOut(), false);
    assert.equal(other.crowdedOut(), false);
    assert.equal(mine[0]?.crowdedOut(), true);
  });

  it('drops the oldest of all when there are too many of all', () => {
    const admission = new Admission(limits);
    const seats = ['a', 'b', 'c', 'd', 'e', 'f'].map((source) => enter(admission, source));
    assert.deepEqual(
      seats.map((seat) => seat.crowdedOut()),
      [true, false, false, false, false, false],
    );
    assert.equal(admission.unclassified, 5);
  });

  it('refuses an address that has its share of live connections, until one leaves', () => {
    const admission = new Admission(limits);
    const seats = [1, 2, 3, 4].map(() => {
      const { seat } = enter(admission, 'a');
      seat.classified();
      return seat;
    });
    assert.throws(() => enter(admission, 'a'), { reason: 'address_limit' });
    enter(admission, 'b');
    seats[0]?.leave();
    enter(admission, 'a');
  });

  it('counts one host of a /64 as all of them', () => {
    const admission = new Admission(limits);
    for (const host of [1, 2, 3, 4]) enter(admission, `2001:db8::${host}`).seat.classified();
    assert.throws(() => enter(admission, '2001:db8::5'), { reason: 'address_limit' });
    enter(admission, '2001:db8:0:1::5');
  });

  it('remembers nobody once all have left, whatever happened between', () => {
    const step = fc.record({
      source: fc.constantFrom('a', 'b', 'c'),
      act: fc.constantFrom('enter', 'classify', 'leave'),
    });
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const admission = new Admission(limits);
      const seats: Seat[] = [];
      for (const { source, act } of steps) {
        if (act === 'classify') seats.at(-1)?.classified();
        if (act === 'leave') seats.shift()?.leave();
        if (act !== 'enter') continue;
        const seat: Seat = admission.enter(() => seat.leave());
        seats.push(seat);
        try {
          seat.sit(source);
        } catch {
          seat.leave();
        }
        assert.ok(admission.unclassified <= limits.unclassified);
      }
      for (const seat of seats) seat.leave();
      assert.equal(admission.unclassified, 0);
      assert.equal(admission.addresses, 0);
    });
    fc.assert(property, { numRuns: 300 });
  });
});

import { randomInt, randomUUID } from 'node:crypto';

const counterLimit = 0x1000;

/**
 * Makes UUIDs of version 7 (RFC 9562 section 5.7) that sort in the order in
 * which they were made, also within a millisecond (method 1: a counter in the
 * bits after the time) and while the clock, given in milliseconds, stands or steps back.
 */
export function eventIds(): (time: number) => string {
  let last = 0;
  let counter = 0;
  return (time) => {
    if (time > last) {
      last = time;
      // Starting in the lower half leaves room for at least 2,048 more in this millisecond.
      counter = randomInt(counterLimit / 2);
    } else if (++counter === counterLimit) {
      last += 1;
      counter = 0;
    }
    const stamp = last.toString(16).padStart(12, '0');
    const low = counter.toString(16).padStart(3, '0');
    // The rest, variant bits included, comes from a random UUID.
    return `${stamp.slice(0, 8)}-${stamp.slice(8)}-7${low}${randomUUID().slice(18)}`;
  };
}

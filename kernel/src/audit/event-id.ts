import { randomFillSync, randomInt } from 'node:crypto';

const counterLimit = 0x1000;

/** The digits that counters need, made once. */
const counters = Array.from({ length: counterLimit }, (_, counter) => counter.toString(16).padStart(3, '0'));

/** Of the rest of an id: two bits of variant, 62 of chance. */
const variants = ['8', '9', 'a', 'b'] as const;
const digitsPerId = 16;

/**
 * Makes UUIDs of version 7 (RFC 9562 section 5.7) that sort in the order in
 * which they were made, also within a millisecond (method 1: a counter in the
 * bits after the time) and while the clock, given in milliseconds, stands or steps back.
 */
export function eventIds(): (time: number) => string {
  const nextRest = randomRests();
  let last = 0;
  let counter = 0;
  let stamp = '';
  const turnTo = (time: number): void => {
    last = time;
    const digits = last.toString(16).padStart(12, '0');
    stamp = `${digits.slice(0, 8)}-${digits.slice(8)}-7`;
  };
  return (time) => {
    if (time > last) {
      turnTo(time);
      // Starting in the lower half leaves room for at least 2,048 more in this millisecond.
      counter = randomInt(counterLimit / 2);
    } else if (++counter === counterLimit) {
      turnTo(last + 1);
      counter = 0;
    }
    return stamp + (counters[counter] as string) + nextRest();
  };
}

/** What follows the counter: `-vrrr-rrrrrrrrrrrr`. Chance is bought in bulk. */
function randomRests(): () => string {
  const bytes = Buffer.alloc(2048);
  let digits = '';
  let at = 0;
  return () => {
    if (at === digits.length) {
      digits = randomFillSync(bytes).toString('hex');
      at = 0;
    }
    const from = at;
    at += digitsPerId;
    const variant = variants[Number.parseInt(digits.charAt(from), 16) & 3] as string;
    return `-${variant}${digits.slice(from + 1, from + 4)}-${digits.slice(from + 4, at)}`;
  };
}

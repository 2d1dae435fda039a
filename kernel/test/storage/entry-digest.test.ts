import assert from 'node:assert/strict';
import { EntryDigest, matches, type Digest } from '../../src/storage/entry-digest.js';

const now = new Date('2030-01-01T00:00:00Z');
const at = (seconds: number): Date => new Date(now.getTime() + seconds * 1000);

function digest(...entries: readonly { key: string; value: string; expires?: Date }[]): Digest {
  const reading = new EntryDigest();
  for (const entry of entries) reading.add(entry);
  return reading.result;
}

describe('what two stores have', () => {
  const lasting = { key: 'a', value: '1' };
  const brief = { key: 'b', value: '2', expires: at(1) };
  const whole = digest(lasting, brief);

  const others: readonly (readonly [string, boolean, Digest, Date])[] = [
    ['the same', true, digest(lasting, brief), now],
    ['less, where that has expired', true, digest(lasting), at(1)],
    ['less, where that has not expired', false, digest(lasting), now],
    ['another value of what expires', false, digest(lasting, { ...brief, value: '3' }), now],
    ['another end of what expires', false, digest(lasting, { ...brief, expires: at(2) }), now],
    ['another key that expires', false, digest(lasting, { ...brief, key: 'c' }), at(1)],
    ['what expires as what does not', false, digest(lasting, { key: 'b', value: '2' }), at(1)],
    ['another value', false, digest({ key: 'a', value: '2' }, brief), now],
    ['nothing', false, digest(), at(1)],
  ];
  for (const [name, same, other, time] of others)
    it(`is ${same ? 'alike' : 'not alike'} where the second has ${name}`, () => {
      assert.equal(matches(whole, other, time), same);
    });
});

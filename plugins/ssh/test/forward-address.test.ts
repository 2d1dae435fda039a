import assert from 'node:assert/strict';
import { destinationHost, isLoopback, listeningHost } from '../src/forward-address.js';

describe('a destination', () => {
  const table: readonly [written: string, asked: string | undefined][] = [
    ['db.internal', 'db.internal'],
    ['DB.Internal.', 'db.internal'],
    ['_srv.x', '_srv.x'],
    ['10.0.0.1', '10.0.0.1'],
    ['::1', '::1'],
    ['[::1]', '::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:DB8::0001', '2001:db8::1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['::ffff:7f00:1', '::ffff:7f00:1'],
    ['fe80::1%eth0', undefined],
    ['127.1', undefined],
    ['127.0.0.01', undefined],
    ['0x7f.1', undefined],
    ['0x7f000001', undefined],
    ['2130706433', undefined],
    ['017700000001', undefined],
    ['a.1', undefined],
    ['', undefined],
    ['.', undefined],
    ['a b', undefined],
    ['a/b', undefined],
    ['-a', undefined],
    ['a\0', undefined],
    ['x'.repeat(300), undefined],
  ];
  for (const [written, asked] of table)
    it(`${asked === undefined ? 'is not taken' : `is asked for as ${asked}`} when it is written ${JSON.stringify(written.slice(0, 30))}`, () =>
      assert.equal(destinationHost(written), asked));

  it('is a loopback address where the node listens', () => {
    for (const written of ['', 'localhost', '127.0.0.1', '::1', 'LOCALHOST'])
      assert.ok(isLoopback(listeningHost(written) ?? ''), written);
    for (const written of ['*', '0.0.0.0', '::', '10.0.0.1', 'localhost.evil'])
      assert.ok(!isLoopback(listeningHost(written) ?? ''), written);
  });
});

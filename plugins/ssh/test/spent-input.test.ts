import assert from 'node:assert/strict';
import { PassThrough, type Duplex } from 'node:stream';
import { Socket } from 'node:net';
import { releaseSpentInput } from '../src/spent-input.js';
import type { Transport } from '../src/transport.js';

const gcm = { _decipherSSLName: 'aes-128-gcm' };

interface Setting {
  readonly socket?: Duplex;
  readonly before?: object;
  readonly after?: object;
  readonly listeners?: number;
}

/** How much is left of a chunk of 4096 bytes, once it was parsed. */
function left({ socket = new Socket(), before = gcm, after = gcm, listeners = 1 }: Setting): number {
  const chunk = Buffer.allocUnsafeSlow(4096).fill('x');
  const seen: string[] = [];
  const protocol = {
    _decipher: before,
    parse: (data: Buffer, from: number, length: number) => {
      seen.push(data.toString('latin1', from, length));
      protocol._decipher = after;
    },
  };
  for (let count = 0; count < listeners; count += 1) socket.on('data', () => {});
  releaseSpentInput({ socket, inside: { _protocol: protocol } } as unknown as Transport);
  protocol.parse(chunk, 0, chunk.length);
  assert.deepEqual(seen, ['x'.repeat(4096)]);
  socket.destroy();
  return chunk.length;
}

describe('what a client sent', () => {
  it('is given back once it was decrypted', () => {
    assert.equal(left({}), 0);
  });

  for (const [name, setting] of [
    ['before there is a cipher', { before: {} }],
    ['where the new keys are for another cipher', { after: {} }],
    ['where somebody else listens too', { listeners: 2 }],
    ['where it did not come from a socket', { socket: new PassThrough() }],
  ] as const)
    it(`is kept ${name}`, () => {
      assert.equal(left(setting), 4096);
    });
});

import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { write } from '@postern/plugin-sdk';
import { duplexPair } from '@postern/plugin-sdk/testing';
import { rejectsWith, turns } from './support/relayed.js';

describe('write', () => {
  it('resolves once the other side has taken the data', async () => {
    const [near, far] = duplexPair({ highWaterMark: 4 });
    await write(near, 'ab');
    let taken = false;
    const waiting = write(near, Buffer.from('much more')).then(() => (taken = true));
    await turns();
    assert.equal(taken, false);
    far.resume();
    await waiting;
    assert.equal(near.listenerCount('close'), 0);
  });

  it('rejects with aborted where the stream is closed', async () => {
    const [near] = duplexPair();
    near.destroy();
    await rejectsWith('aborted', write(near, 'x'));
  });

  it('rejects with aborted when the stream is closed while it waits', async () => {
    const [near] = duplexPair({ highWaterMark: 1 });
    await write(near, '').catch(() => {});
    near.write('full');
    const waiting = write(near, 'never taken');
    near.destroy();
    await rejectsWith('aborted', waiting);
  });

  it('rejects with aborted when a stream that never answers is closed', async () => {
    const stuck = new Writable({ write() {} });
    const waiting = write(stuck, 'x');
    stuck.destroy();
    await rejectsWith('aborted', waiting);
  });

  it('rejects with aborted after the end', async () => {
    const [near] = duplexPair();
    near.on('error', () => {}).end();
    await rejectsWith('aborted', write(near, 'x'));
  });

  it('rejects with the failure of the stream as its cause', async () => {
    const failure = new Error('disk full');
    const broken = new Writable({ write: (_chunk, _encoding, done) => done(failure) }).on('error', () => {});
    await assert.rejects(write(broken, 'x'), { code: 'aborted', cause: failure });
  });
});

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { write } from '@postern/plugin-sdk';
import { duplexPair } from '@postern/plugin-sdk/testing';
import { rejectsWith, text, turns } from '../support/relayed.js';

describe('duplexPair', () => {
  it('carries bytes both ways, in order', async () => {
    const [one, other] = duplexPair();
    one.write('a');
    one.end('b');
    other.end('answer');
    assert.equal(await text(other), 'ab');
    assert.equal(await text(one), 'answer');
  });

  it('carries any chunks unchanged', async () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(chunks, fc.integer({ min: 1, max: 64 }), async (sent, highWaterMark) => {
        const [one, other] = duplexPair({ highWaterMark });
        for (const chunk of sent) one.write(Buffer.from(chunk));
        one.end();
        assert.equal(await text(other), Buffer.concat(sent).toString());
      }),
      { numRuns: 50 },
    );
  });

  it('makes a writer wait for its reader', async () => {
    const [one, other] = duplexPair({ highWaterMark: 10 });
    for (let at = 0; at < 10; at += 1) one.write('0123456789');
    await turns();
    assert.ok(one.writableNeedDrain);
    assert.ok(other.readableLength <= 20, `${other.readableLength} bytes were taken`);
    other.resume();
    await new Promise((resolve) => one.once('drain', resolve));
  });

  it('lets one half end before the other', async () => {
    const [one, other] = duplexPair();
    one.end('question');
    assert.equal(await text(other), 'question');
    await write(other, 'answer');
    other.end();
    assert.equal(await text(one), 'answer');
    await turns();
    assert.ok(one.destroyed && other.destroyed);
  });

  it('shows the end of an end that was destroyed, and breaks the pipe for whoever writes to it', async () => {
    const [one, other] = duplexPair();
    other.on('error', () => {});
    one.destroy();
    assert.equal(await text(other), '');
    await rejectsWith('aborted', write(other, 'anybody there?'));
  });

  it('frees a writer whose reader is destroyed', async () => {
    const [one, other] = duplexPair({ highWaterMark: 1 });
    one.on('error', () => {}).write('full');
    const waiting = write(one, 'never read');
    await turns();
    other.destroy();
    await rejectsWith('aborted', waiting);
  });
});

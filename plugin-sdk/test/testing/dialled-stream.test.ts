import assert from 'node:assert/strict';
import { duplexPair, DialledStream } from '@postern/plugin-sdk/testing';
import { text, turns } from '../support/relayed.js';

describe('DialledStream', () => {
  const dial = () => {
    const [near, far] = duplexPair();
    far.on('error', () => {});
    const dialled = new DialledStream({ host: '127.0.0.1', port: 1 }, near);
    dialled.stream.on('error', () => {});
    return { dialled, stream: dialled.stream, far };
  };

  it('passes bytes and ends, and knows what passed', async () => {
    const { dialled, stream, far } = dial();
    stream.end('question');
    far.end('answer');
    assert.equal(await text(far), 'question');
    assert.equal(await text(stream), 'answer');
    assert.equal(Buffer.concat(dialled.sent).toString(), 'question');
    assert.equal(dialled.received, 6);
    await turns();
    assert.ok(stream.destroyed && far.destroyed);
  });

  it('takes nothing from the resource that nobody reads', async () => {
    const { dialled, far } = dial();
    for (let at = 0; at < 100; at += 1) far.write(Buffer.alloc(65_536));
    await turns();
    assert.ok(dialled.received <= 3 * 65_536, `${dialled.received} bytes were taken`);
  });

  it('stalls until it flows again', async () => {
    const { dialled, stream, far } = dial();
    dialled.stall();
    stream.end('late');
    await turns();
    assert.equal(far.readableLength, 0);
    dialled.flow();
    assert.equal(await text(far), 'late');
  });

  it('hangs up for the resource, which may go on sending', async () => {
    const { dialled, stream, far } = dial();
    const heard = text(stream);
    far.write('before');
    await turns();
    dialled.hangUp();
    far.write('after');
    assert.equal(await heard, 'before');
    stream.write('still open');
    await turns();
    assert.equal(String(far.read()), 'still open');
  });

  it('breaks with an error', async () => {
    const { dialled, stream } = dial();
    const failed = new Promise<Error>((resolve) => stream.once('error', resolve));
    dialled.break();
    assert.match((await failed).message, /ECONNRESET/);
    assert.ok(stream.destroyed);
  });
});

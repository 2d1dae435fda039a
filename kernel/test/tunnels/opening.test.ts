import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { setImmediate as tick } from 'node:timers/promises';
import { PosternError } from '@postern/plugin-sdk';
import { SocketOpening } from '../../src/tunnels/index.js';
import { readBytes } from './port-fixture.js';

/** Both ends of a TCP connection; the second one is the server's, paused. */
async function connected(): Promise<{ client: net.Socket; server: net.Socket } & Disposable> {
  const listener = net
    .createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true })
    .listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const client = net.connect({ port: (listener.address() as net.AddressInfo).port, host: '127.0.0.1', noDelay: true });
  const [server] = (await once(listener, 'connection')) as [net.Socket];
  listener.close();
  for (const socket of [client, server]) socket.on('error', () => {});
  const dispose = (): void => void [client.destroy(), server.destroy()];
  return { client, server, [Symbol.dispose]: dispose };
}

const limits = { maxBytes: 1000, deadlineMs: 5000 };

describe('SocketOpening', () => {
  it('reads what it is asked for and puts everything else back', async () => {
    using ends = await connected();
    const opening = new SocketOpening(ends.server, limits);
    ends.client.write('hello, and goodbye');
    assert.equal((await opening.read(5)).toString(), 'hello');
    assert.equal(opening.peek().toString(), ', and goodbye');
    assert.equal(opening.received, 18);
    const socket = opening.release();
    assert.equal(socket, ends.server);
    assert.equal((await readBytes(socket, 13)).toString(), ', and goodbye');
  });

  it('keeps bytes in order however they arrive', async () => {
    using ends = await connected();
    const opening = new SocketOpening(ends.server, limits);
    const text = 'the quick brown fox jumps over the lazy dog';
    for (const character of text) {
      ends.client.write(character);
      await opening.more();
    }
    assert.equal((await opening.read(9)).toString(), 'the quick');
    ends.client.write('!');
    while (!opening.peek().toString().endsWith('!')) await opening.more();
    assert.equal((await readBytes(opening.release(), text.length - 8)).toString(), `${text.slice(9)}!`);
  });

  it('hands on a socket that was half-closed right behind the bytes', async () => {
    using ends = await connected();
    const opening = new SocketOpening(ends.server, limits);
    ends.client.end('one two');
    assert.equal((await opening.read(4)).toString(), 'one ');
    const socket = opening.release();
    assert.equal((await readBytes(socket, 3)).toString(), 'two');
    socket.resume();
    if (!socket.readableEnded) await once(socket, 'end');
  });

  it('reads what came before an end that nobody waited for, and hands on a socket that has nothing more', async () => {
    using ends = await connected();
    const opening = new SocketOpening(ends.server, limits);
    ends.client.end('four');
    await opening.more();
    while (!ends.server.readableEnded) await tick();
    await assert.rejects(opening.more(), { code: 'aborted' });
    assert.throws(() => opening.release(), { code: 'aborted' });
    assert.equal((await opening.read(4)).toString(), 'four');
    assert.equal(opening.release(), ends.server);
  });

  it('refuses to be asked for more than its limit, and to receive more', async () => {
    using ends = await connected();
    const opening = new SocketOpening(ends.server, limits);
    await assert.rejects(opening.read(1001), { code: 'limit_exceeded' });
    await assert.rejects(opening.read(-1), { code: 'protocol_violation' });
    await assert.rejects(opening.read(0.5), { code: 'protocol_violation' });
    ends.client.write(Buffer.alloc(1000));
    await opening.read(1000);
    await assert.rejects(opening.more(), { code: 'limit_exceeded' });
    opening.release();
  });

  it('does not read a fast sender while nobody waits', async () => {
    using ends = await connected();
    const opening = new SocketOpening(ends.server, { maxBytes: 65_536, deadlineMs: 5000 });
    for (let more = 0; more < 200; more += 1) ends.client.write(Buffer.alloc(65_536));
    await opening.more();
    for (let turn = 0; turn < 50; turn += 1) await tick();
    assert.ok(opening.received <= 2 * 65_536, `${opening.received} bytes are held`);
    opening.release();
  });

  it('rejects at the deadline, and tells who listens', async () => {
    using ends = await connected();
    const opening = new SocketOpening(ends.server, { ...limits, deadlineMs: 30 });
    const failure = new Promise<PosternError>((resolve) => opening.onFailure(resolve));
    await assert.rejects(opening.read(1), { code: 'timeout' });
    assert.equal((await failure).code, 'timeout');
    assert.throws(() => opening.release(), { code: 'timeout' });
  });

  it('rejects at the end of the stream, but gives what came before', async () => {
    using ends = await connected();
    const opening = new SocketOpening(ends.server, limits);
    ends.client.end('abc');
    await assert.rejects(opening.read(4), { code: 'aborted' });
    assert.equal((await opening.read(3)).toString(), 'abc');
    await assert.rejects(opening.read(1), { code: 'aborted' });
  });

  it('rejects a write to a client that has gone', async () => {
    using ends = await connected();
    const opening = new SocketOpening(ends.server, limits);
    ends.server.destroy();
    await assert.rejects(opening.write(Buffer.from('x')), { code: 'aborted' });
  });

  it('knows when the client did not wait for an answer', async () => {
    using ends = await connected();
    const opening = new SocketOpening(ends.server, limits);
    ends.client.write('12345678');
    await opening.read(8);
    await opening.write(Buffer.from('S'));
    assert.equal(opening.interrupted, false);
    ends.client.write('early');
    while (opening.peek().length < 5) await tick();
    await opening.write(Buffer.from('S'));
    assert.equal(opening.interrupted, true);
    opening.release();
  });

  it('ends with a reason from outside, for the one who waits and for those who come later', async () => {
    using ends = await connected();
    const opening = new SocketOpening(ends.server, limits);
    const reading = opening.read(1);
    opening.fail(new PosternError('limit_exceeded', 'somebody newer came'));
    await assert.rejects(reading, { code: 'limit_exceeded' });
    await assert.rejects(opening.more(), { code: 'limit_exceeded' });
  });
});

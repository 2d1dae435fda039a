import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { relay } from '@postern/plugin-sdk';
import { duplexPair } from '@postern/plugin-sdk/testing';
import { assertUntouched, relayed, text, turns } from './support/relayed.js';

describe('relay', () => {
  it('passes both directions on and resolves when both have ended', async () => {
    const { client, upstream, near, far, done } = relayed();
    client.end('question');
    upstream.end('answer');
    assert.equal(await text(client), 'answer');
    assert.equal(await text(upstream), 'question');
    await done;
    assertUntouched(near, far);
  });

  it('finishes a conversation whose client has ended its half', async () => {
    const { client, upstream, done } = relayed();
    client.end('question');
    assert.equal(await text(upstream), 'question');
    upstream.write('a late ');
    await turns();
    upstream.end('answer');
    assert.equal(await text(client), 'a late answer');
    await done;
  });

  it('finishes a conversation whose resource has ended its half', async () => {
    const { client, upstream, done } = relayed();
    upstream.end('greeting');
    assert.equal(await text(client), 'greeting');
    client.write('a late ');
    await turns();
    client.end('question');
    assert.equal(await text(upstream), 'a late question');
    await done;
  });

  it('forwards the buffers that it received', async () => {
    const [far, upstream] = duplexPair();
    const seen: Buffer[] = [];
    const client = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        seen.push(chunk);
        done();
      },
    });
    const done = relay(client, far);
    const sent = Buffer.from('the very same bytes');
    upstream.end(sent);
    client.push(null);
    upstream.resume();
    await done;
    assert.equal(seen[0]?.buffer, sent.buffer);
    assert.equal(seen.length, 1);
  });

  it('sends what was read before it began, first', async () => {
    const { client, upstream, done } = relayed({
      head: { client: Buffer.from('head '), upstream: Buffer.from('early ') },
    });
    client.end('body');
    upstream.end('late');
    assert.equal(await text(upstream), 'head body');
    assert.equal(await text(client), 'early late');
    await done;
  });

  it('passes on the head of a client that has ended already', async () => {
    const [client, near] = duplexPair();
    client.end();
    near.resume();
    await turns();
    assert.ok(near.readableEnded);
    const [far, upstream] = duplexPair();
    const done = relay(near, far, { head: { client: Buffer.from('all there is') } });
    upstream.end('answer');
    assert.equal(await text(upstream), 'all there is');
    assert.equal(await text(client), 'answer');
    await done;
  });
});

describe('relay back-pressure', () => {
  const chunk = Buffer.alloc(1000, 0x61);

  for (const slow of ['client', 'upstream'] as const)
    it(`holds at most the high water mark and one chunk for a slow ${slow}`, async () => {
      const highWaterMark = 4096;
      const { client, upstream, near, far, done } = relayed({}, highWaterMark);
      const [fast, reader, target] = slow === 'client' ? [upstream, client, near] : [client, upstream, far];
      let blocked = 0;
      for (let sent = 0; sent < 100; sent += 1) {
        fast.write(chunk);
        await turn();
        assert.ok(target.writableLength <= highWaterMark + chunk.length, `${target.writableLength} bytes are held`);
        if (fast.writableLength > highWaterMark) blocked += 1;
      }
      assert.ok(blocked > 50, 'the sender was never slowed down');
      fast.end();
      assert.equal((await text(reader)).length, 100 * chunk.length);
      (slow === 'client' ? client : upstream).end();
      (slow === 'client' ? upstream : client).resume();
      await done;
    });

  it('reads nothing while a tap holds, not even when the other side drains', async () => {
    let release = (): void => {};
    let held = 0;
    const { client, upstream, near, done } = relayed(
      {
        fromClient: async () => {
          held += 1;
          await new Promise<void>((resolve) => (release = resolve));
        },
      },
      2048,
    );
    for (let sent = 0; sent < 20; sent += 1) client.write(chunk);
    upstream.on('data', () => {});
    await turns(20);
    assert.equal(held, 1, 'a second chunk was tapped while the first was held');
    assert.ok(near.readableLength <= 2048 + chunk.length);
    client.end();
    const pump = setInterval(() => release(), 1);
    upstream.end();
    client.resume();
    await done.finally(() => clearInterval(pump));
    assert.equal(held, 20);
  });

  it('begins slowly where the target is full already', async () => {
    const [client, near] = duplexPair({ highWaterMark: 1024 });
    const [far, upstream] = duplexPair({ highWaterMark: 1024 });
    assert.equal(far.write(Buffer.alloc(4096)), false);
    far.write(Buffer.alloc(4096));
    const done = relay(near, far);
    for (let sent = 0; sent < 10; sent += 1) client.write(chunk);
    await turns();
    assert.ok(far.writableLength <= 8192 + chunk.length, `${far.writableLength} bytes are held`);
    client.end();
    upstream.end();
    client.resume();
    assert.equal((await text(upstream)).length, 8192 + 10_000);
    await done;
  });
});

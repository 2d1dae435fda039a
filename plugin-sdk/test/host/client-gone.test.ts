import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { FrameReader, PosternError, relay, write } from '@postern/plugin-sdk';
import { startSession } from '@postern/plugin-sdk/host';
import { StagedHost, never, stage, type Script } from '../support/stage.js';
import { turns } from '../support/relayed.js';

const reading: Script = {
  async open({ stream }) {
    return { topic: (await new FrameReader(stream, 64).bytes(4)).toString() };
  },
};

const relaying: Script = {
  async serve({ stream }, grant) {
    await relay(stream, await grant.dial());
  },
};

describe('a client that goes away', () => {
  it('before it asked leaves no trace in the audit log', async () => {
    for (const leave of ['end', 'destroy'] as const) {
      const running = stage(reading);
      running.client[leave]();
      assert.equal((await running.done).kind, 'ended');
      assert.deepEqual(running.steps, ['open']);
      assert.deepEqual(running.host.events, []);
    }
  });

  it('in the middle of its opening is not refused either', async () => {
    const running = stage(reading);
    running.client.end('ma');
    assert.equal((await running.done).kind, 'ended');
    assert.deepEqual(running.steps, ['open']);
  });

  it('after a bad credential has still been refused', async () => {
    const running = stage({
      async open({ stream }) {
        stream.resume();
        await new Promise((resolve) => stream.once('end', resolve));
        throw new PosternError('unauthenticated', 'bad signature');
      },
    });
    running.client.end();
    assert.equal((await running.done).kind, 'refused');
    assert.deepEqual(running.steps, ['open', 'refused unauthenticated', 'refuse unauthenticated']);
  });

  it('while it is decided is never served, and its start has an end', async () => {
    const running = stage(reading, {
      prepare: (host) => {
        const admit = host.admit.bind(host);
        host.admit = async (...given) => {
          running.near.destroy();
          return admit(...given);
        };
      },
    });
    running.client.write('main');
    assert.equal((await running.done).kind, 'ended');
    assert.deepEqual(running.steps, ['open', 'admit', 'end ended']);
  });

  it('while it is served ends the session and the connection to the resource', async () => {
    const running = stage(relaying);
    while (running.upstreams.length === 0) await turns(1);
    running.near.destroy();
    assert.equal((await running.done).kind, 'ended');
    assert.deepEqual(running.steps, ['open', 'admit', 'serve', 'end ended']);
    running.upstreams[0]?.resume();
    await turns();
    assert.ok(running.upstreams[0]?.readableEnded);
  });

  it('in the middle of a sentence has ended the session, not broken the protocol', async () => {
    const running = stage({
      async serve({ stream }) {
        await new FrameReader(stream, 64).bytes(10);
      },
    });
    running.client.end('half');
    assert.equal((await running.done).kind, 'ended');
    assert.deepEqual(running.steps, ['open', 'admit', 'serve', 'end ended']);
  });

  it('and comes with an error never makes it an uncaught one', async () => {
    const running = stage({ serve: never });
    await turns();
    running.near.destroy(new Error('read ECONNRESET'));
    await turns();
    running.host.cut({ code: 'locked', message: 'locked' });
    assert.equal((await running.done).kind, 'cut');
  });

  it('while it is refused keeps nobody waiting', async () => {
    const running = stage(
      { refuse: ({ stream }) => write(stream, Buffer.alloc(1 << 20)) },
      { allow: {}, limits: { graceMs: 60_000 } },
    );
    await turns();
    running.client.destroy();
    assert.equal((await running.done).kind, 'refused');
  });
});

describe('a resource that goes away', () => {
  it('under a client that still listens is a failure, and the client is told', async () => {
    const running = stage(relaying);
    while (running.upstreams.length === 0) await turns(1);
    running.host.dialled[0]?.break();
    const outcome = await running.done;
    assert.equal(outcome.kind, 'failed');
    assert.deepEqual(running.steps.slice(-2), ['refuse internal', 'end failed']);
  });

  it('with a proper end lets the client finish', async () => {
    const running = stage(relaying);
    while (running.upstreams.length === 0) await turns(1);
    running.upstreams[0]?.end('bye');
    running.client.resume().end();
    running.upstreams[0]?.resume();
    assert.equal((await running.done).kind, 'ended');
  });
});

describe('a refusal over TCP', () => {
  it('reaches a client that is still sending', async () => {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.on('error', () => {});
    let told = '';
    client.on('data', (chunk: Buffer) => (told += chunk.toString()));
    const near = await accepted;
    server.close();
    // More than the socket buffers hold: the session ends while the client is in the middle of it.
    client.write(Buffer.alloc(8 << 20));
    const host = new StagedHost([], { allow: {}, limits: { openMs: 1000, graceMs: 1000 } });
    class Session {
      open = async () => ({ topic: 'main' });
      serve = async () => {};
      refuse = async ({ stream }: { stream: Duplex }) => write(stream, 'no, and this is why');
    }
    const running = startSession(host, { Session }, near);
    await running.done;
    if (!client.destroyed) await new Promise((resolve) => client.once('close', resolve));
    assert.equal(told, 'no, and this is why');
  });
});

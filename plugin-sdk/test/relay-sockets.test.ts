import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, TLSSocket, type TLSSocketOptions } from 'node:tls';
import fc from 'fast-check';
import { relay, write } from '@postern/plugin-sdk';

const runs = process.env['POSTERN_TEST_FULL'] === '1' ? 200 : 8;

/** Two connected sockets. */
async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const { port } = server.address() as AddressInfo;
  const near = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const far = await accepted;
  server.close();
  return [near, far];
}

/** Two connected TLS sockets. A shared key spares the test a certificate. */
async function tlsPair(): Promise<[Duplex, Duplex]> {
  const key = randomBytes(32);
  const psk = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'PSK-AES128-GCM-SHA256' } as const;
  const [socket, accepted] = await socketPair();
  const far = new TLSSocket(accepted, { ...psk, isServer: true, pskCallback: () => key } as TLSSocketOptions);
  const near = connectTls({
    ...psk,
    socket,
    pskCallback: () => ({ psk: key, identity: 'test' }),
    checkServerIdentity: () => undefined,
  });
  await new Promise((resolve, reject) => near.once('secureConnect', resolve).once('error', reject));
  return [near, far];
}

const kinds: Record<string, () => Promise<[Duplex, Duplex]>> = { TCP: socketPair, TLS: tlsPair };

/** Writes these chunks as slowly as the other side reads them, then ends. */
async function send(stream: Duplex, chunks: readonly Buffer[]): Promise<void> {
  for (const chunk of chunks) await write(stream, chunk);
  stream.end();
}

async function receive(stream: Duplex): Promise<Buffer> {
  const parts: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => parts.push(chunk));
  await new Promise((resolve, reject) => stream.once('end', resolve).once('error', reject));
  return Buffer.concat(parts);
}

/** Sizes up to several socket buffers, with a taste for small pieces. */
const chunking = fc.array(fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 300_000 })), {
  maxLength: 12,
});

for (const [name, pair] of Object.entries(kinds))
  describe(`relay over ${name}`, () => {
    it('keeps every byte of both directions, however they are cut', async function () {
      this.timeout(120_000);
      await fc.assert(
        fc.asyncProperty(chunking, chunking, fc.boolean(), async (up, down, tapped) => {
          const [client, near] = await pair();
          const [far, upstream] = await pair();
          const question = up.map((size) => randomBytes(size));
          const answer = down.map((size) => randomBytes(size));
          const hold = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
          try {
            const [asked, answered] = await Promise.all([
              receive(upstream),
              receive(client),
              relay(near, far, tapped ? { fromClient: hold, fromUpstream: hold } : {}),
              send(client, question),
              send(upstream, answer),
            ]);
            assert.ok(asked.equals(Buffer.concat(question)), 'the question arrived changed');
            assert.ok(answered.equals(Buffer.concat(answer)), 'the answer arrived changed');
          } finally {
            for (const stream of [client, near, far, upstream]) stream.destroy();
          }
        }),
        { numRuns: runs },
      );
    });

    it('passes on the end of one half and goes on with the other', async () => {
      const [client, near] = await pair();
      const [far, upstream] = await pair();
      try {
        const done = relay(near, far);
        client.end('question');
        assert.equal((await receive(upstream)).toString(), 'question');
        const answered = receive(client);
        await write(upstream, 'first ');
        upstream.end('second');
        assert.equal((await answered).toString(), 'first second');
        await done;
      } finally {
        for (const stream of [client, near, far, upstream]) stream.destroy();
      }
    });

    it('stops reading from a side that is faster than the other', async () => {
      const [client, near] = await pair();
      const [far, upstream] = await pair();
      try {
        let passed = 0;
        const done = relay(near, far, { fromUpstream: (chunk) => void (passed += chunk.length) });
        done.catch(() => {});
        const block = Buffer.alloc(256 * 1024);
        let sent = 0;
        let waiting = false;
        // The client reads nothing: the socket buffers of the system fill up, and then nothing moves.
        for (; sent < 1024 && !waiting; sent += 1)
          waiting = await Promise.race([
            write(upstream, block).then(() => false),
            new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 300)),
          ]);
        assert.ok(waiting, 'a quarter of a gigabyte went somewhere');
        assert.ok(
          near.writableLength <= near.writableHighWaterMark + 128 * 1024,
          `${near.writableLength} bytes are held`,
        );
        assert.ok(passed < sent * block.length);
      } finally {
        for (const stream of [client, near, far, upstream]) stream.on('error', () => {}).destroy();
      }
    });

    it('ends when a side vanishes', async () => {
      const [client, near] = await pair();
      const [far, upstream] = await pair();
      for (const stream of [client, near, far, upstream]) stream.on('error', () => {});
      const done = relay(near, far);
      await write(client, 'hello');
      upstream.destroy();
      client.resume();
      // Nothing fails before somebody writes to the side that is gone.
      const noise = setInterval(() => client.writable && client.write('anybody there?'), 5);
      await assert.rejects(done).finally(() => clearInterval(noise));
      for (const stream of [client, near, far]) stream.destroy();
    });
  });

import assert from 'node:assert/strict';
import { FrameReader, Scope, write } from '@postern/plugin-sdk';
import {
  duplexPair,
  fakeHost,
  loopback,
  startSession,
  type FakeHost,
  type Loopback,
  type RunningSession,
} from '@postern/plugin-sdk/testing';
import type { Duplex } from 'node:stream';
import { encodeGreeting, encodeResponse } from '../src/handshake.js';
import plugin from '../src/index.js';
import { greetingFor, usualGreeting } from '../src/learned-greetings.js';
import type { Mysql } from '../src/protocol.js';
import { encodePacket, okPayload, readPacket } from '../src/wire.js';

const initDatabase = (schema: string): Buffer => encodePacket(0, Buffer.from(`\x02${schema}`));

/** What a client answers that was greeted before TLS. */
const login = encodePacket(
  2,
  encodeResponse({
    capabilities: usualGreeting.capabilities,
    mariadb: 0,
    maxPacket: 1 << 24,
    charset: 45,
    user: 'app',
    proof: Buffer.alloc(0),
    database: undefined,
    method: 'mysql_native_password',
    attributes: Buffer.alloc(0),
  }),
);

/** A server that takes whoever comes, and every command. */
async function complaisant(stream: Duplex): Promise<void> {
  stream.on('error', () => {});
  await write(stream, encodePacket(0, encodeGreeting(greetingFor(usualGreeting, 1))));
  const reader = new FrameReader(stream, 65_536);
  for (;;) {
    const { sequence } = await readPacket(reader);
    await write(stream, encodePacket(sequence + 1, okPayload));
  }
}

describe('attacks on MySQL sessions', function () {
  this.timeout(60_000);
  let server: Loopback;
  let scope: Scope;
  let host: FakeHost<Mysql>;
  let client: Duplex;
  let running: RunningSession;

  beforeEach(async () => {
    server = await loopback((socket) => void complaisant(socket).catch(() => socket.destroy()));
    const agent = await plugin.agent();
    scope = Scope.root();
    agent.bind?.(scope);
    host = fakeHost({
      protocol: plugin.protocol,
      spec: {
        host: '127.0.0.1',
        port: server.port,
        tls: { mode: 'disable' },
        auth: { method: 'password', secret: 'shop' },
      },
      allow: { users: ['app'], databases: ['shop'] },
      credentials: { secret: async () => 'pencil' },
    });
    const [outer, inner] = duplexPair();
    client = outer.on('error', () => {});
    running = startSession(host, agent, inner, scope);
    const reader = new FrameReader(client, 65_536);
    await write(client, login);
    assert.equal((await readPacket(reader)).payload[0], 0);
    await write(client, initDatabase('shop'));
    assert.equal((await readPacket(reader)).payload[0], 0);
    await write(client, initDatabase('payroll'));
    assert.equal((await readPacket(reader)).payload[0], 0xff);
    reader.release();
  });
  afterEach(async () => {
    client.destroy();
    await running.done.catch(() => {});
    await server.close();
    await scope[Symbol.asyncDispose]();
  });

  it('enters what is denied again and again, and reads no answers', async () => {
    client.pause();
    const wanted = 20_000;
    client.write(Buffer.concat(Array.from({ length: wanted }, () => initDatabase('payroll'))));
    const seen = () => host.events.filter(({ type }) => type === 'session.denied').length;
    let before = -1;
    while (seen() < 2 || seen() !== before) {
      before = seen();
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    assert.ok(seen() < wanted / 2, `${seen()} answers wait in memory`);
  });
});

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { SshConnection } from '../src/ssh-connection.js';
import type { Transport } from '../src/transport.js';
import { fixture } from './support/fixture.js';

const bulk = randomBytes(20_000_000);

describe('new keys', function () {
  this.timeout(30_000);
  const at = fixture();
  const transports: Transport[] = [];
  const receive = SshConnection.receive.bind(SshConnection);

  before(() => {
    SshConnection.receive = async (...args) => {
      const connection = await receive(...args);
      transports.push(connection.transport);
      return connection;
    };
  });
  after(() => (SshConnection.receive = receive));

  it('are made by the node in the middle of a transfer, and nothing is lost', async () => {
    const done = at.client.ssh(at.login.name, ['cat'], { input: bulk });
    let exchanges = 0;
    const timer = setInterval(() => transports[0]?.rekey(), 5);
    try {
      while (!transports[0]) await new Promise((resolve) => setImmediate(resolve));
      transports[0].connection.on('handshake', () => (exchanges += 1));
      const result = await done;
      assert.ok(result.stdout.equals(bulk), result.stderr);
      assert.ok(exchanges > 5, `${exchanges} key exchanges`);
    } finally {
      clearInterval(timer);
    }
  });

  it('are made after a gigabyte', async () => {
    const before = transports.length;
    const done = at.client.ssh(at.login.name, ['cat'], { input: bulk });
    while (transports.length === before) await new Promise((resolve) => setImmediate(resolve));
    const transport = transports.at(-1);
    let exchanges = 0;
    transport?.connection.on('handshake', () => (exchanges += 1));
    await new Promise<void>((resolve) => transport?.connection.once('ready', () => resolve()));
    transport?.count(1024 ** 3 - 1_000_000);
    assert.ok((await done).stdout.equals(bulk));
    assert.equal(exchanges, 2);
  });
});

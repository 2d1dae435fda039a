import assert from 'node:assert/strict';
import net from 'node:net';
import tls from 'node:tls';
import { definePlugin, type Opening, type Plugin, type ProxyModule } from '@postern/plugin-sdk';
import type { TestCluster } from '../../../test/support/cluster.js';
import type { TestLogin } from '../../../test/support/login.js';
import { LineClient } from './line-client.js';
import { lines, LineSession } from './line-protocol.js';
import { startLines } from './line-world.js';

/** Says `welcome` to whoever comes, and wants `tls` before it goes on. */
const greeting: ProxyModule = {
  recognise: () => 'no',
  open: async () => ({ kind: 'closed' }),
  async greet(opening: Opening) {
    await opening.write(Buffer.from('welcome\n'));
    const answer = (await opening.read(4)).toString();
    return answer === 'tls\n' ? { kind: 'tls' } : { kind: 'closed' };
  },
};

const plugin: Plugin = definePlugin(lines, {
  agent: async () => ({ Session: LineSession }),
  proxy: async () => greeting,
});

describe('a port for one kind of resource', () => {
  let cluster: TestCluster;
  let ann: TestLogin;
  const open: (LineClient | net.Socket)[] = [];

  before(async () => {
    cluster = await startLines({
      plugins: [plugin],
      resources: [
        { kind: 'lines', name: 'one' },
        { kind: 'lines', name: 'two' },
      ],
      configuration: {
        proxy: {
          ports: [
            { listen: '127.0.0.1:0', kind: 'lines', resource: 'one' },
            { listen: '127.0.0.1:0', kind: 'lines' },
          ] as unknown,
        },
      },
    });
    ann = await cluster.login('ann');
  });
  afterEach(() => {
    for (const one of open.splice(0))
      if (one instanceof LineClient) one[Symbol.dispose]();
      else one.destroy();
  });
  after(() => cluster[Symbol.asyncDispose]());

  /** Connects to a dedicated port, is greeted, and asks for TLS. */
  async function greeted(
    which: number,
    word = 'tls\n',
  ): Promise<{ readonly socket: net.Socket; readonly said: string }> {
    const port = cluster.running.dedicatedPorts[which]?.address.port ?? 0;
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.on('error', () => {});
    open.push(socket);
    // A balancer's header, which the port waits for from here.
    socket.write('PROXY TCP4 192.0.2.1 192.0.2.1 1 2\r\n');
    const said = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
    socket.write(word);
    return { socket, said };
  }

  async function ask(socket: net.Socket, servername?: string): Promise<string | undefined> {
    const stream = tls.connect({
      socket,
      ca: cluster.authorities,
      cert: ann.certificate,
      key: ann.key,
      checkServerIdentity: () => undefined,
      ...(servername !== undefined && { servername }),
    });
    const client = new LineClient(stream);
    open.push(client);
    return client.ask('hello reader');
  }

  it('greets a client that waits for it, and leads it to the one resource without a name', async () => {
    const { socket, said } = await greeted(0);
    assert.equal(said, 'welcome\n');
    assert.equal(await ask(socket), 'ok hello');
  });

  it('leads there whoever names something outside the cluster', async () => {
    const { socket } = await greeted(0);
    assert.equal(await ask(socket, 'db.example.com'), 'ok hello');
  });

  it('is no way to a neighbour under a name that was not routed', async () => {
    const { socket } = await greeted(0);
    assert.equal(await ask(socket, cluster.hostname('lines', 'two')), undefined);
  });

  it('without a resource goes by the name', async () => {
    const { socket } = await greeted(1);
    assert.equal(await ask(socket, cluster.hostname('lines', 'two')), 'ok hello');
  });

  for (const name of ['auth.cluster.test', 'cluster.test', 'one.other.cluster.test', undefined])
    it(`is no way to ${name ?? 'nobody'}`, async () => {
      const { socket } = await greeted(1);
      await assert.rejects(ask(socket, name));
    });

  it('closes on a client that goes on in another way', async () => {
    const { socket } = await greeted(0, 'nope');
    await new Promise<void>((resolve) => void socket.resume().once('close', () => resolve()));
  });
});

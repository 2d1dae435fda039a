import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Scope, webAlpn } from '@postern/plugin-sdk';
import { fakeHost, fakeIdentity, loopback, startSession, type FakeHost } from '@postern/plugin-sdk/testing';
import { createWebSocketStream, WebSocket } from 'ws';
import { integer, octets, sequence, tagged, utf8, fieldsOf, octetsIn } from '../src/der.js';
import plugin from '../src/index.js';
import { rdp, type Rdp } from '../src/protocol.js';
import { pduLength } from '../src/wire.js';
import { connectionRequest, readConnectionConfirm } from '../src/x224.js';
import { desktopPassword, FakeDesktop, picture } from './support/fake-desktop.js';
import { ScriptedClient } from './support/scripted-client.js';

const cleanPath = (user: string): Buffer =>
  sequence(
    tagged(0, integer(3390)),
    tagged(2, utf8('desk')),
    tagged(3, utf8('unused')),
    tagged(6, octets(connectionRequest(1, user))),
  );

describe('a session of a browser', () => {
  it('speaks RDCleanPath in a WebSocket, one PDU to a message', async () => {
    await using site = await Site.start();
    const { socket, messages } = await site.browser();
    socket.send(cleanPath('vaulted'));
    const [answer = Buffer.alloc(0)] = await messages(1);
    const fields = fieldsOf(answer);
    const confirm = octetsIn(fields.get(6) ?? { tag: 0, body: Buffer.alloc(0), length: 0 });
    assert.deepEqual(readConnectionConfirm(confirm), { kind: 'selected', protocol: 1, flags: 1 });
    const stream = createWebSocketStream(socket);
    stream.on('error', () => {});
    const client = await ScriptedClient.begin(stream);
    await client.connect();
    await client.picture();
    for (const message of (await messages(4)).slice(1)) assert.equal(pduLength(message), message.length);
    assert.equal(Buffer.concat(await messages(4)).includes(Buffer.from(desktopPassword, 'utf16le')), false);
    assert.equal(site.desktop.connections[0]?.credentials?.password, desktopPassword);
    socket.terminate();
    await site.done;
  });

  it('is refused in words, with the status that HTTP has for it', async () => {
    await using site = await Site.start({ logins: ['other'] });
    const { socket, closed } = await site.browser();
    socket.send(cleanPath('vaulted'));
    const { code, reason } = await closed;
    assert.equal(code, 4403);
    assert.equal(reason, 'access denied');
    await site.done;
    assert.equal(site.desktop.connections.length, 0);
  });

  it('is refused where it is no WebSocket, or says something else', async () => {
    for (const first of [
      Buffer.from([0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0x30, 0]),
      Buffer.from('text'),
    ]) {
      await using site = await Site.start();
      const { socket } = await site.browser();
      socket.send(first);
      socket.on('error', () => {});
      await site.done;
      assert.equal(site.desktop.connections.length, 0);
    }
  });
});

class Site implements AsyncDisposable {
  done: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly desktop: FakeDesktop,
    readonly host: FakeHost<Rdp>,
    private readonly close: () => Promise<void>,
    private readonly port: number,
  ) {}

  static async start(allow: object = { logins: ['vaulted'] }): Promise<Site> {
    const desktop = await FakeDesktop.start({ pictures: [picture(0, 0, 8, 0xff0000)] });
    const host = fakeHost({
      protocol: rdp,
      spec: desktop.spec(),
      allow,
      credentials: { secret: async () => desktopPassword },
      identity: fakeIdentity({}),
      alpn: webAlpn,
    });
    const agent = await plugin.agent();
    const scope = Scope.root();
    agent.bind?.(scope);
    const server = await loopback((socket) => {
      site.done = startSession(host, agent, socket, scope).done;
    });
    const site: Site = new Site(desktop, host, () => server.close(), server.port);
    return site;
  }

  async browser() {
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}/`);
    const received: Buffer[] = [];
    socket.on('message', (data: Buffer) => void received.push(data));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const messages = async (count: number): Promise<Buffer[]> => {
      while (received.length < count) await new Promise((resolve) => socket.once('message', resolve));
      return received;
    };
    const closed = once(socket, 'close').then(([code, reason]) => ({ code: Number(code), reason: String(reason) }));
    return { socket, messages, closed };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await this.desktop[Symbol.asyncDispose]();
  }
}

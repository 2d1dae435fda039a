import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { Scope, type AgentModule } from '@postern/plugin-sdk';
import {
  duplexPair,
  fakeHost,
  fakeIdentity,
  startSession,
  type FakeHost,
  type FakeHostOptions,
} from '@postern/plugin-sdk/testing';
import plugin from '../src/index.js';
import { Desktop } from '../src/player/desktop.js';
import { rdp, type Rdp } from '../src/protocol.js';
import { chunksOf } from '../src/virtual-channel.js';
import { u32 } from '../src/bytes.js';
import { readChannelData } from '../src/mcs.js';
import { desktopPassword, FakeDesktop, type FakeDesktopOptions } from './support/fake-desktop.js';
import { errorOf, isError, ScriptedClient, type ScriptedOptions } from './support/scripted-client.js';

interface Stand {
  readonly host: FakeHost<Rdp>;
  readonly outer: Duplex;
  readonly done: Promise<unknown>;
}

describe('a session', () => {
  let desktop: FakeDesktop;
  let agent: AgentModule<Rdp>;
  const stands: Stand[] = [];

  before(async () => {
    agent = await plugin.agent();
  });
  afterEach(async () => {
    for (const { outer, done } of stands.splice(0)) {
      outer.destroy();
      await done;
    }
    await desktop[Symbol.asyncDispose]();
  });

  async function start(
    desktopOptions: FakeDesktopOptions = {},
    { spec = {}, ...options }: Partial<FakeHostOptions<Rdp>> & { spec?: object } = {},
  ): Promise<Stand> {
    desktop = await FakeDesktop.start(desktopOptions);
    const host = fakeHost({
      protocol: rdp,
      spec: desktop.spec(spec),
      allow: { logins: ['vaulted'] },
      credentials: { secret: async () => desktopPassword },
      identity: fakeIdentity({ principals: { rdp: ['vaulted'] } }),
      alpn: 'rdp',
      ...options,
    });
    const [outer, inner] = duplexPair();
    outer.on('error', () => {});
    const scope = Scope.root();
    agent.bind?.(scope);
    const { done } = startSession(host, agent, inner, scope);
    const stand = { host, outer, done };
    stands.push(stand);
    return stand;
  }

  async function connected(stand: Stand, options?: ScriptedOptions): Promise<ScriptedClient> {
    const client = await ScriptedClient.open(stand.outer, options);
    await client.connect();
    return client;
  }

  const types = ({ host }: Stand): string[] => host.events.map(({ type }) => type.replace(/^rdp\./, ''));

  for (const nla of [false, true])
    it(`logs in with the account's password ${nla ? 'by NLA' : 'inside of TLS'}, whatever the client sends`, async () => {
      const stand = await start({ nla });
      const client = await connected(stand);
      await client.picture();
      assert.deepEqual(desktop.connections[0]?.credentials, {
        domain: 'CORP',
        user: 'vaulted',
        password: desktopPassword,
      });
      assert.deepEqual(types(stand), ['session.start', 'login']);
    });

  it('never shows the password to the client', async () => {
    const stand = await start();
    const client = await connected(stand);
    await client.picture();
    const seen = Buffer.concat(client.pdus);
    assert.equal(seen.includes(Buffer.from(desktopPassword)), false);
    assert.equal(seen.includes(Buffer.from(desktopPassword, 'utf16le')), false);
  });

  it('keeps the cookies of reconnecting from both sides', async () => {
    const stand = await start();
    const client = await connected(stand);
    await client.picture();
    assert.equal(Buffer.concat(client.pdus).includes('auto-reconnect cookie'), false);
    assert.equal(Buffer.concat(desktop.connections[0]?.received ?? []).includes(Buffer.alloc(28, 0x5a)), false);
  });

  it('records what the client sees, and nothing that it types', async () => {
    const stand = await start();
    const client = await connected(stand);
    await client.picture();
    await client.key();
    await client.picture();
    const [recording] = stand.host.recordings;
    const player = new Desktop();
    for (const entry of recording?.entries ?? []) {
      if ('mark' in entry) continue;
      assert.equal(entry.direction, 'out');
      player.feed(entry.data);
    }
    assert.deepEqual([player.screen.width, player.screen.height], [640, 480]);
    const at = (x: number, y: number) => [...player.screen.rgba.subarray((y * 640 + x) * 4, (y * 640 + x) * 4 + 4)];
    assert.deepEqual(at(16, 16), [0x80, 0x81, 0x82, 255]);
    assert.deepEqual(at(47, 47), [0x80, 0x81, 0x82, 255]);
    assert.deepEqual(at(48, 48), [0, 0, 0, 255]);
  });

  it('records keys where the resource says so', async () => {
    const stand = await start({}, { spec: { record_input: true } });
    const client = await connected(stand);
    await client.key();
    await client.picture();
    await client.picture();
    const typed = stand.host.recordings[0]?.entries.filter((entry) => 'direction' in entry && entry.direction === 'in');
    assert.equal(typed?.length, 1);
  });

  it('asks for bitmaps only, and for channels in clear', async () => {
    const stand = await start();
    const client = await connected(stand);
    await client.picture();
    const confirm = desktop.connections[0]?.received.find((pdu) => pdu.includes('TEST\0'));
    assert.ok(confirm);
    const { payload } = readChannelData(confirm);
    assert.equal(payload.readUInt16LE(payload.indexOf('TEST\0') + 5), 3);
    assert.equal(payload.includes(Buffer.concat([Buffer.from([20, 0, 8, 0]), u32(0)])), true);
  });

  it('refuses who may not be the account, in the words of the protocol', async () => {
    const stand = await start({}, { allow: { logins: ['other'] } });
    await assert.rejects(connected(stand, { channels: ['cliprdr'] }), /error info 9/);
    assert.equal(desktop.connections.length, 0);
    assert.deepEqual(types(stand), ['session.denied']);
  });

  it('says that a desktop cannot be reached', async () => {
    const stand = await start({}, { spec: { port: 1 } });
    await assert.rejects(connected(stand), /error info 1024/);
  });

  it('does not log in at a desktop with another certificate', async () => {
    const stand = await start({}, { spec: { tls: { mode: 'fingerprint', fingerprints: ['0'.repeat(64)] } } });
    await assert.rejects(connected(stand), /error info 1024/);
    assert.equal(desktop.connections.length, 0);
  });

  it('says no where NLA refuses the password', async () => {
    const stand = await start({ nla: true }, { credentials: { secret: async () => 'wrong' } });
    await assert.rejects(connected(stand), /error info 1024/);
    assert.equal(desktop.connections.length, 0);
  });

  it('is cut with a word', async () => {
    const stand = await start();
    const client = await connected(stand);
    await client.picture();
    stand.host.cut({ code: 'locked', message: 'locked by an administrator' });
    assert.equal(errorOf(await client.until(isError)), 1);
    assert.deepEqual([...(await client.next()).subarray(7)], [0x21, 0x80]);
  });

  it('leaves the clipboard out where no role allows it', async () => {
    const stand = await start();
    const client = await connected(stand, { channels: ['cliprdr', 'rdpsnd', 'drdynvc'] });
    await client.say('cliprdr', chunksOf(Buffer.alloc(8))[0] ?? Buffer.alloc(0));
    await client.key();
    await client.picture();
    assert.deepEqual(desktop.connections[0]?.channels, ['xcliprd', 'xrdpsnd', 'drdynvc']);
    assert.equal(types(stand).filter((type) => type === 'session.denied').length, 2);
  });

  it('tells what goes through the clipboard where a role allows it', async () => {
    const said: string[] = [];
    const stand = await start(
      { onChannel: (_, channel, payload) => void said.push(`${channel} ${payload.length}`) },
      { allow: { logins: ['*'], clipboard: true } },
    );
    const client = await connected(stand, { channels: ['cliprdr'] });
    const message = Buffer.concat([Buffer.from([5, 0, 1, 0]), u32(4), Buffer.from('text')]);
    for (const chunk of chunksOf(message)) await client.say('cliprdr', chunk);
    await client.key();
    await client.picture();
    await client.picture();
    assert.deepEqual(said, ['cliprdr 20']);
    assert.deepEqual(types(stand), ['session.start', 'login', 'channel', 'clipboard']);
  });

  it('takes drives out of the list of devices, and leaves printers in', async () => {
    const lists: Buffer[] = [];
    const stand = await start(
      { onChannel: (_, _channel, payload) => void lists.push(payload) },
      { allow: { logins: ['*'], printers: true } },
    );
    const client = await connected(stand, { channels: ['rdpdr'] });
    const device = (type: number, id: number, name: string) =>
      Buffer.concat([u32(type), u32(id), Buffer.from(name.padEnd(8, '\0')), u32(0)]);
    const list = Buffer.concat([u32(0x44414472), u32(2), device(8, 1, 'home'), device(4, 2, 'PRN1')]);
    for (const chunk of chunksOf(list)) await client.say('rdpdr', chunk);
    await client.key();
    await client.picture();
    await client.picture();
    assert.equal(lists.length, 1);
    assert.equal(lists[0]?.includes('home'), false);
    assert.equal(lists[0]?.includes('PRN1'), true);
    assert.equal(lists[0]?.readUInt32LE(12), 1);
  });

  it('keeps a desktop from a drive that was not offered', async () => {
    const stand = await start({
      onActive: (connection) => {
        const read = Buffer.concat([u32(0x49524472), u32(1), Buffer.from('read it all')]);
        for (const chunk of chunksOf(read)) connection.sendOn('rdpdr', chunk);
      },
    });
    const client = await connected(stand, { channels: ['rdpdr'] });
    await client.key();
    await client.picture();
    await client.picture();
    assert.equal(Buffer.concat(client.pdus).includes('read it all'), false);
  });

  it('refuses dynamic channels that no role allows, to the desktop', async () => {
    const answers: Buffer[] = [];
    const create = (id: number, name: string) =>
      chunksOf(Buffer.from(`\x10${String.fromCharCode(id)}${name}\0`, 'latin1'))[0];
    const stand = await start(
      {
        onActive: (connection) => {
          for (const [index, name] of ['URBDRC', 'Microsoft::Windows::RDS::Graphics', 'ECHO'].entries())
            connection.sendOn('drdynvc', create(index + 1, name) ?? Buffer.alloc(0));
        },
        onChannel: (_, _channel, payload) => void answers.push(payload.subarray(8)),
      },
      { allow: { logins: ['*'], channels: ['ECHO'] } },
    );
    const client = await connected(stand, { channels: ['drdynvc'] });
    await client.until((pdu) => pdu.includes('ECHO'));
    await client.key();
    await client.picture();
    assert.deepEqual(
      answers.map((answer) => answer.toString('hex')),
      ['1001010000c0', '1002010000c0'],
    );
    assert.equal(Buffer.concat(client.pdus).includes('URBDRC'), false);
  });

  it('does not follow a redirection', async () => {
    const stand = await start({
      onActive: (connection) => {
        const packet = Buffer.from('1200 1a00 ef03 0000 0004 7365637265740a'.replace(/ /g, ''), 'hex').subarray(0, 18);
        packet.writeUInt16LE(packet.length, 0);
        const head = Buffer.from('0300000002f08068000603eb70', 'hex');
        const pdu = Buffer.concat([head, Buffer.from([0x80, packet.length]), packet]);
        pdu.writeUInt16BE(pdu.length, 2);
        connection.send(pdu);
      },
    });
    const client = await connected(stand);
    assert.equal(errorOf(await client.until(isError)), 1024);
    assert.equal(Buffer.concat(client.pdus).includes('secret'), false);
  });
});

import assert from 'node:assert/strict';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { helloMessage, records } from './hello-bytes.js';
import { readBytes, silentLog, untilClosed } from './port-fixture.js';
import { TestAuthority } from './test-authority.js';
import { TunnelFixture } from './tunnel-fixture.js';

const hello = records(helloMessage({ sni: 'box.vault.example.com', alpn: ['one', 'two'] }));
const box = { kind: 'vault', label: 'box' };

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

describe('the reverse tunnel, attacked', () => {
  it('an agent cannot announce what it may not serve', async () => {
    await using fixture = await TunnelFixture.open();
    const errors: object[] = [];
    const forbidden = { kind: 'vault', label: 'forbidden' };
    const log = { ...silentLog, error: (_message: string, fields?: object) => void errors.push(fields ?? {}) };
    await fixture.agent({ routes: [box, forbidden], log });
    assert.deepEqual(errors, [forbidden]);
    assert.deepEqual([fixture.table.has(box), fixture.table.has(forbidden)], [true, false]);
  });

  it('a stranger cannot open a control connection', async () => {
    await using fixture = await TunnelFixture.open();
    const foreign = await (await TestAuthority.create('strangers')).issue('agent-1');
    for (const credentials of [{}, foreign, await fixture.authority.issue('somebody')]) {
      const before = fixture.refused.length;
      const socket = await fixture.control(credentials);
      socket.write(`${JSON.stringify({ type: 'announce', add: [box], remove: [] })}\n`);
      await untilClosed(socket);
      await until(() => fixture.refused.length > before);
      assert.equal(fixture.refused[before]?.reason, 'bad_certificate');
    }
    assert.ok(!fixture.table.has(box));
    assert.deepEqual(fixture.server.agents, []);
  });

  it('a client cannot be brought to an agent that does not serve the resource', async () => {
    await using fixture = await TunnelFixture.open();
    const agent = await fixture.agent();
    // What a proxy of an older state would do.
    agent.client.update({ remove: [box] });
    await until(() => !fixture.table.has(box));
    const client = await fixture.connect();
    client.write('POSTERN/1 box.vault.example.com\n');
    assert.match(await untilClosed(client), /^error no agent/);
  });

  it('an overheard ticket is no good after its agent came', async () => {
    await using fixture = await TunnelFixture.open();
    const control = await fixture.control(await fixture.authority.issue('agent-mute'));
    control.write(`${JSON.stringify({ type: 'announce', add: [box], remove: [] })}\n`);
    const dialled = new Promise<string>((resolve) => {
      let said = '';
      control.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        const ticket = /"ticket":"([0-9a-f]{32})"/.exec(said)?.[1];
        if (ticket !== undefined) resolve(ticket);
      });
    });
    await until(() => fixture.table.has(box));
    const client = await fixture.connect();
    client.write(hello);
    const ticket = await dialled;
    const [agent, thief] = [await fixture.connect(), await fixture.connect()];
    agent.write(`POSTERN-TICKET ${ticket}\n`);
    assert.deepEqual(await readBytes(agent, hello.length), hello);
    thief.write(`POSTERN-TICKET ${ticket}\n`);
    assert.equal(await untilClosed(thief), '');
    assert.ok(fixture.refused.some(({ reason }) => reason === 'bad_ticket'));
  });

  describe('ends a control connection that says', () => {
    const bad = [
      ['what is no JSON', 'hello\n'],
      ['what is no frame', '{"type":"take over"}\n'],
      ['a frame with a wrong value', '{"type":"announce","add":[{"kind":"VAULT","label":"box"}],"remove":[]}\n'],
      ['a label that is none', '{"type":"announce","add":[{"kind":"vault","label":"a.b"}],"remove":[]}\n'],
      [
        'more routes than a frame may hold',
        `{"type":"announce","add":${JSON.stringify(Array(401).fill(box))},"remove":[]}\n`,
      ],
      ['a line of 100 kB', 'x'.repeat(100_000)],
      ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x0a])],
    ] as const;
    for (const [what, said] of bad)
      it(what, async () => {
        await using fixture = await TunnelFixture.open();
        const good = await fixture.agent();
        const socket = await fixture.control(await fixture.authority.issue('agent-2'));
        await until(() => fixture.server.agents.length === 2);
        socket.write(said);
        await untilClosed(socket);
        await until(() => fixture.server.agents.length === 1);
        const client = await fixture.connect();
        client.write(hello);
        await good.next();
      });
  });

  it('closes what an agent opened in the middle of a handshake, with one refusal', async () => {
    await using fixture = await TunnelFixture.open();
    const socket = net.connect(fixture.port.address.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(records(helloMessage({ sni: 'example.com', alpn: ['postern-tunnel/1'], versions: [0x0304] })));
    await untilClosed(socket);
    await until(() => fixture.refused.length > 0);
    assert.equal(fixture.refused.length, 1);
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { helloMessage, records } from './hello-bytes.js';
import { readBytes, silentLog, untilClosed } from './port-fixture.js';
import { TestAuthority } from './test-authority.js';
import { fast, TunnelFixture } from './tunnel-fixture.js';

const hello = records(helloMessage({ sni: 'box.vault.example.com', alpn: ['one', 'two'] }));
const box = { kind: 'vault', label: 'box' };

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

describe('the reverse tunnel', () => {
  it('brings a client to an agent, with every byte and the address that the proxy saw', async () => {
    await using fixture = await TunnelFixture.open();
    const agent = await fixture.agent();
    const client = await fixture.connect();
    client.write(hello);
    const handover = await agent.next();
    const { source, name, route, hello: said } = handover;
    assert.deepEqual(
      { source, name, route, said },
      {
        source: '127.0.0.1',
        name: 'box.vault.example.com',
        route: { kind: 'agent', protocol: 'vault', label: 'box' },
        said: { sni: 'box.vault.example.com', alpn: ['one', 'two'] },
      },
    );
    assert.deepEqual(await readBytes(handover.socket, hello.length), hello);
    handover.socket.write('and back');
    assert.equal((await readBytes(client, 8)).toString(), 'and back');
  });

  it('answers a route preamble when the agent has come', async () => {
    await using fixture = await TunnelFixture.open();
    const agent = await fixture.agent();
    const client = await fixture.connect();
    client.write('POSTERN/1 box.vault.example.com\nfirst ');
    const { socket, hello: said } = await agent.next();
    assert.equal(said, undefined);
    assert.equal((await readBytes(client, 3)).toString(), 'ok\n');
    client.write('second');
    assert.equal((await readBytes(socket, 12)).toString(), 'first second');
  });

  it('passes on a half-closed side and what comes after it', async () => {
    await using fixture = await TunnelFixture.open();
    const agent = await fixture.agent();
    const client = await fixture.connect();
    client.end(Buffer.concat([hello, Buffer.from('question')]));
    const { socket } = await agent.next();
    await readBytes(socket, hello.length + 8);
    socket.resume();
    if (!socket.readableEnded) await once(socket, 'end');
    socket.end('answer');
    assert.equal(await untilClosed(client), 'answer');
    // The control connection is left.
    await until(() => fixture.port.connections.size === 1);
  });

  it('carries megabytes both ways unchanged', async () => {
    await using fixture = await TunnelFixture.open();
    const agent = await fixture.agent();
    const client = await fixture.connect();
    const data = Buffer.alloc(8 * 1024 * 1024);
    for (let at = 0; at < data.length; at += 4) data.writeUInt32LE((at * 2_654_435_761) % 2 ** 32, at);
    client.write(hello);
    const { socket } = await agent.next();
    await readBytes(socket, hello.length);
    socket.pipe(socket);
    client.end(data);
    assert.ok(Buffer.from(await untilClosed(client), 'latin1').equals(data));
  });

  it('closes the client when the agent does, and the other way round', async () => {
    await using fixture = await TunnelFixture.open();
    const agent = await fixture.agent();
    for (const side of ['agent', 'client']) {
      const client = await fixture.connect();
      client.write(hello);
      const { socket } = await agent.next();
      const [gone, other] = side === 'agent' ? [socket, client] : [client, socket];
      const closed = once(other, 'close');
      gone.destroy();
      other.resume();
      other.end();
      await closed;
    }
    // The control connection is left.
    await until(() => fixture.port.connections.size === 1);
  });

  it('passes on a message about a connection', async () => {
    await using fixture = await TunnelFixture.open();
    const agent = await fixture.agent();
    const client = await fixture.connect();
    client.write(hello);
    const handover = await agent.next();
    const heard = new Promise<string>((resolve) => handover.onSignal((payload) => resolve(payload.toString('hex'))));
    await until(
      () =>
        fixture.port.connections.signal('127.0.0.1', handover.connection, Buffer.from('00ff', 'hex')) === 'delivered',
    );
    assert.equal(await heard, '00ff');
  });

  it('keeps sessions when the control connection is lost', async () => {
    await using fixture = await TunnelFixture.open();
    const agent = await fixture.agent();
    const client = await fixture.connect();
    client.write(hello);
    const { socket } = await agent.next();
    await readBytes(socket, hello.length);
    await fixture.server[Symbol.asyncDispose]();
    await until(() => !agent.client.connected);
    socket.write('still here');
    assert.equal((await readBytes(client, 10)).toString(), 'still here');
  });

  it('connects again to a proxy that crashed and came back, and announces again', async () => {
    await using fixture = await TunnelFixture.open();
    const agent = await fixture.agent();
    const port = await fixture.crash();
    await until(() => !agent.client.connected);
    assert.ok(!fixture.table.has(box));
    await fixture.listen({}, port);
    await agent.client.ready();
    const client = await fixture.connect();
    client.write(hello);
    await agent.next();
  });

  it('announces changes, in as many frames as it takes', async () => {
    await using fixture = await TunnelFixture.open();
    const many = Array.from({ length: 1000 }, (_, index) => ({ kind: 'vault', label: `box-${index}` }));
    const agent = await fixture.agent({ routes: many });
    await until(() => many.every((route) => fixture.table.has(route)));
    agent.client.update({ add: [box], remove: many.slice(1) });
    await until(() => fixture.table.has(box) && !many.slice(1).some((route) => fixture.table.has(route)));
    assert.ok(fixture.table.has(many[0] ?? box));
  });

  it('says what went wrong, in words, to the operator of an agent', async () => {
    await using fixture = await TunnelFixture.open();
    const stranger = await (await TestAuthority.create('strangers')).issue('agent-1');
    const cases = [
      {
        tls: { ...stranger, authorities: fixture.authority.pem },
        want: /certificate is not valid here: UNABLE_TO_VERIFY/,
      },
      {
        tls: { ...(await fixture.authority.issue('agent-1')), authorities: stranger.authorities },
        want: /certificate/,
      },
      { cluster: 'other.example.org', want: /unrecognized name/ },
      { proxy: { host: '127.0.0.1', port: 1 }, want: /ECONNREFUSED/ },
    ];
    for (const { tls, want, ...options } of cases) {
      let reason = '';
      const warn = (_message: string, fields?: object): void => void (reason ||= (fields as { reason: string }).reason);
      const { TunnelClient } = await import('../../src/tunnels/index.js');
      await using _client = TunnelClient.start({
        proxy: { host: '127.0.0.1', port: fixture.port.address.port },
        cluster: 'example.com',
        tls: () => tls ?? stranger,
        routes: [box],
        take: () => {},
        log: { ...silentLog, warn },
        ...fast,
        ...options,
      });
      await until(() => reason !== '');
      assert.match(reason, want);
    }
    assert.ok(!fixture.table.has(box));
  });

  it('tries another agent of the resource where one does not come', async () => {
    await using fixture = await TunnelFixture.open({ ticketMs: 50 });
    const mute = await fixture.control(await fixture.authority.issue('agent-mute'));
    mute.write(`${JSON.stringify({ type: 'announce', add: [box], remove: [] })}\n`);
    await until(() => fixture.table.has(box));
    const agent = await fixture.agent();
    for (let turn = 0; turn < 4; turn += 1) {
      const client = await fixture.connect();
      client.write(hello);
      await agent.next();
    }
  });

  it('gives up at once where an agent says that it will not come', async () => {
    await using fixture = await TunnelFixture.open();
    await fixture.agent({ maxConnections: 0 });
    const client = await fixture.connect();
    client.write('POSTERN/1 box.vault.example.com\n');
    assert.equal(await untilClosed(client), 'error box.vault.example.com cannot be reached right now\n');
    assert.match(fixture.refused[0]?.detail ?? '', /agent-1 declined: it has 0 connections already/);
  });

  it('lets the newest control connection of an agent take the place of the one before', async () => {
    await using fixture = await TunnelFixture.open();
    const credentials = await fixture.authority.issue('agent-1');
    const old = await fixture.control(credentials);
    old.write(`${JSON.stringify({ type: 'announce', add: [box], remove: [] })}\n`);
    const said = untilClosed(old);
    await until(() => fixture.table.has(box));
    const agent = await fixture.agent();
    assert.match(await said, /goodbye.*took its place/);
    const client = await fixture.connect();
    client.write(hello);
    await agent.next();
    assert.deepEqual(fixture.server.agents, ['agent-1']);
  });

  it('forgets an agent that is silent', async () => {
    await using fixture = await TunnelFixture.open({ keepAlive: { pingMs: 10, silenceMs: 60 } });
    const mute = await fixture.control(await fixture.authority.issue('agent-mute'));
    mute.write(`${JSON.stringify({ type: 'announce', add: [box], remove: [] })}\n`);
    await until(() => fixture.table.has(box));
    await untilClosed(mute);
    await until(() => !fixture.table.has(box));
  });
});

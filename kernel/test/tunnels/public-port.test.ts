import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PosternError } from '@postern/plugin-sdk';
import { requestRoute, tunnelProtocol, type Call, type Dialer } from '../../src/tunnels/index.js';
import { helloMessage, records } from './hello-bytes.js';
import { PortFixture, readBytes } from './port-fixture.js';

const hello = records(helloMessage({ sni: 'Box.vault.Example.com', alpn: ['h2'] }));
const unrecognizedName = Buffer.from([21, 3, 3, 0, 2, 2, 112]).toString('latin1');
const internalError = Buffer.from([21, 3, 3, 0, 2, 2, 80]).toString('latin1');

describe('PublicPort', () => {
  it('hands a TLS connection over with every byte, and says whose it is', async () => {
    await using fixture = await PortFixture.open();
    const client = await fixture.connect();
    const sent = Buffer.concat([hello, Buffer.from('what follows the hello')]);
    client.write(sent.subarray(0, 9));
    client.write(sent.subarray(9));
    const handover = await fixture.handover();
    assert.deepEqual(await readBytes(handover.socket, sent.length), sent);
    const { source, name, route, hello: said, connection } = handover;
    assert.deepEqual(
      { source, name, route, said },
      {
        source: '127.0.0.1',
        name: 'box.vault.example.com',
        route: { kind: 'agent', protocol: 'vault', label: 'box' },
        said: { sni: 'box.vault.example.com', alpn: ['h2'] },
      },
    );
    assert.ok(connection > 0 && connection < 2 ** 31);
    assert.equal(fixture.port.connections.size, 1);
    handover.socket.write('and back');
    assert.equal((await readBytes(client, 8)).toString(), 'and back');
    client.destroy();
    handover.socket.resume();
    if (!handover.socket.closed) await once(handover.socket, 'end');
    const closed = once(handover.socket, 'close');
    handover.socket.destroy();
    await closed;
    assert.equal(fixture.port.connections.size, 0);
    assert.deepEqual(fixture.refused, []);
  });

  it('leads the names of the cluster to its services', async () => {
    await using fixture = await PortFixture.open();
    for (const sni of ['auth.example.com', 'example.com', 'localhost', undefined]) {
      const client = await fixture.connect();
      client.write(records(helloMessage({ ...(sni !== undefined && { sni }) })));
      await fixture.handover(fixture.handovers.length);
    }
    assert.deepEqual(
      fixture.handovers.map(({ route }) => route.kind),
      ['auth', 'web', 'web', 'web'],
    );
  });

  it('answers an unknown name with an alert that every client prints, and one refusal', async () => {
    await using fixture = await PortFixture.open();
    for (const sni of ['other.vault.example.com', 'box.nothing.example.com', 'example.org'])
      assert.equal(await fixture.answerTo(records(helloMessage({ sni }))), unrecognizedName);
    assert.equal(fixture.refused.length, 1);
    assert.equal(fixture.refused[0]?.reason, 'unknown_name');
    await fixture.port[Symbol.asyncDispose]();
    assert.equal(fixture.refused[1]?.count, 2);
  });

  it('answers with an alert where a service is not here', async () => {
    await using fixture = await PortFixture.open();
    const answer = await fixture.answerTo(records(helloMessage({ sni: 'example.com', alpn: [tunnelProtocol] })));
    assert.equal(answer, internalError);
    assert.equal((await fixture.refusal('unreachable')).source, '127.0.0.1');
  });

  it('does not wait for an agent longer than its limit, and tells it so', async () => {
    const aborted: Call[] = [];
    const hanging: Dialer = {
      dial: (call, signal) => new Promise(() => signal.addEventListener('abort', () => aborted.push(call))),
    };
    await using fixture = await PortFixture.open({ agents: hanging, limits: { dialMs: 30 } });
    assert.equal(await fixture.answerTo(hello), internalError);
    assert.equal(aborted.length, 1);
    assert.equal((await fixture.refusal('unreachable')).detail, 'nobody came within 30 ms');
  });

  it('tells an agent when the client has gone meanwhile', async () => {
    let began = (): void => {};
    const begun = new Promise<void>((resolve) => (began = resolve));
    let ended = (): void => {};
    const end = new Promise<void>((resolve) => (ended = resolve));
    const hanging: Dialer = {
      dial: (_call, signal) =>
        new Promise(() => {
          began();
          signal.addEventListener('abort', ended);
        }),
    };
    await using fixture = await PortFixture.open({ agents: hanging });
    const client = await fixture.connect();
    client.write(hello);
    await begun;
    client.resetAndDestroy();
    await end;
    assert.equal((await fixture.refusal('incomplete')).detail, 'the client has gone');
  });

  it('does not tell strangers why an agent could not be reached', async () => {
    const agents: Dialer = { dial: () => Promise.reject(new PosternError('unavailable', 'no route to 10.0.0.7')) };
    await using fixture = await PortFixture.open({ agents });
    assert.equal(await fixture.answerTo('POSTERN/1 box.vault.example.com\n'), 'error unavailable\n');
    assert.equal((await fixture.refusal('unreachable')).detail, 'no route to 10.0.0.7');
  });

  describe('with a route preamble', () => {
    it('hands over what comes behind it, also what was sent before the answer', async () => {
      await using fixture = await PortFixture.open();
      const client = await fixture.connect();
      client.write('POSTERN/1 BOX.vault.example.com\nraw ');
      const handover = await fixture.handover();
      assert.equal(handover.hello, undefined);
      assert.equal(handover.name, 'box.vault.example.com');
      assert.equal((await readBytes(client, 3)).toString(), 'ok\n');
      client.write('bytes');
      assert.equal((await readBytes(handover.socket, 9)).toString(), 'raw bytes');
    });

    it('serves the user’s program, which gets a stream that begins with its owner’s first byte', async () => {
      await using fixture = await PortFixture.open();
      const client = await fixture.connect();
      const asked = requestRoute(client, 'box.vault.example.com');
      const { socket } = await fixture.handover();
      socket.write('welcome');
      await asked;
      assert.equal((await readBytes(client, 7)).toString(), 'welcome');
    });

    it('says in one line why not', async () => {
      await using fixture = await PortFixture.open();
      const cases = [
        ['POSTERN/1 other.vault.example.com\n', 'error no agent that serves other.vault.example.com is connected\n'],
        ['POSTERN/1 box.nothing.example.com\n', 'error nothing is no kind of resource\n'],
        ['POSTERN/1 example.com\n', 'error example.com is the proxy itself, and not reached by a preamble\n'],
        ['POSTERN/7 box.vault.example.com\n', 'error preamble version 7 is not known here, 1 is\n'],
        [`POSTERN/1 ${'x'.repeat(999)}`, 'error the preamble does not end\n'],
      ] as const;
      for (const [asked, answer] of cases) assert.equal(await fixture.answerTo(asked), answer);
    });

    it('gives the user’s program the port’s words as an error', async () => {
      await using fixture = await PortFixture.open();
      const client = await fixture.connect();
      await assert.rejects(requestRoute(client, 'a.nothing.example.com'), {
        code: 'unavailable',
        publicMessage: 'the proxy refused a.nothing.example.com: nothing is no kind of resource',
      });
    });

    it('refuses a ticket that nobody issued', async () => {
      await using fixture = await PortFixture.open();
      assert.equal(await fixture.answerTo(`POSTERN-TICKET ${'0'.repeat(32)}\n`), '');
      await fixture.refusal('bad_ticket');
    });
  });

  it('says where it cannot listen', async () => {
    await using fixture = await PortFixture.open();
    const { port } = fixture.port.address;
    const { PublicPort, Router } = await import('../../src/tunnels/index.js');
    const options = {
      router: new Router({ cluster: 'example.com', isKind: () => true }),
      services: {},
      agents: { dial: () => Promise.reject(new Error('nobody')) },
      refused: () => {},
    };
    await assert.rejects(PublicPort.listen(options, { host: '127.0.0.1', port }), {
      code: 'unavailable',
      message: new RegExp(`cannot listen on 127.0.0.1:${port}: .*EADDRINUSE`),
    });
  });
});

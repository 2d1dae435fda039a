import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { PosternError } from '@postern/plugin-sdk';
import { message, WireWriter } from '../src/wire.js';
import type { CanaryClient } from '../src/canary-client.js';
import { Attack, hears } from './support/attacker.js';
import { data, exec, open, request } from './support/raw-messages.js';
import { fixture, type Fixture } from './support/fixture.js';
import { processesWith, uniqueSeconds } from './support/processes.js';
import { loggedIn, scriptedClient } from './support/scripted-client.js';
import { until } from './support/until.js';

const full = process.env['POSTERN_TEST_FULL'] === '1';

describe('somebody who has logged in and sends what makes no sense', function () {
  this.timeout(120_000);
  let attack: Attack;
  before(async () => (attack = await Attack.start()));
  after(() => attack.stop());

  const malformed: readonly { readonly name: string; readonly payload: Buffer }[] = [
    { name: 'a request on a channel that is not there', payload: exec(0xffff_ffff, 'x') },
    { name: 'data on a channel that is not there', payload: data(77, 4) },
    { name: 'a request without a name', payload: new WireWriter().byte(message.channelRequest).uint32(0).end() },
    { name: 'an empty opening', payload: Buffer.from([message.channelOpen]) },
    { name: 'an empty global request', payload: Buffer.from([message.globalRequest]) },
    { name: 'an unknown message', payload: Buffer.from([200, 1, 2, 3]) },
    { name: 'a confirmation of nothing', payload: Buffer.concat([Buffer.from([91]), Buffer.alloc(16)]) },
    { name: 'new keys out of turn', payload: Buffer.from([21]) },
    {
      name: 'a second login',
      payload: new WireWriter().byte(50).string('root').string('ssh-connection').string('none').end(),
    },
    { name: "the server's own success", payload: Buffer.from([52]) },
    { name: 'answers to a password prompt', payload: new WireWriter().byte(61).uint32(0xffff_ffff).end() },
    {
      name: 'a list of host keys',
      payload: new WireWriter().byte(80).string('hostkeys-00@openssh.com').boolean(true).string('x').end(),
    },
    { name: 'a malformed pty request', payload: request(0, 'pty-req', new WireWriter().string('x').uint32(1).end()) },
    { name: 'a message of nothing', payload: Buffer.alloc(1) },
  ];
  for (const { name, payload } of malformed)
    it(`cannot harm the process with ${name}`, async () => {
      const intruder = await attack.logIn();
      intruder.client.transport.send(open(0));
      await hears(intruder, message.channelOpenConfirmation);
      intruder.client.transport.send(payload);
      await attack.survives(intruder);
    });

  it('cannot harm the process with random messages', async () => {
    const words = [
      'session',
      'direct-tcpip',
      'exec',
      'shell',
      'pty-req',
      'env',
      'subsystem',
      'sftp',
      'x11-req',
      'signal',
      'TERM',
      'tcpip-forward',
      'window-change',
      'auth-agent-req@openssh.com',
      '',
    ];
    const types = [80, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 2, 4, 20, 7, 61];
    const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;
    const random = (): Buffer => {
      const writer = new WireWriter().byte(pick(types));
      for (let field = 0; field < Math.random() * 6; field += 1) {
        const kind = Math.random();
        if (kind < 0.4) writer.uint32(Math.floor(Math.random() * 4));
        else if (kind < 0.8) writer.string(pick(words));
        else writer.byte(Math.floor(Math.random() * 256));
      }
      return writer.end();
    };
    const rounds = full ? 400 : 25;
    for (let round = 0; round < rounds; round += 1) {
      const intruder = await attack.logIn();
      intruder.client.transport.send(open(0));
      for (let sent = 0; sent < 60 && !intruder.isClosed(); sent += 1) intruder.client.transport.send(random());
      await sleep(5);
      intruder.socket.destroy();
      await intruder.closed;
    }
    assert.ok((await attack.answers()) < 1_000);
    await until('the sessions have ended', async () => (await attack.state()).sessions === 0);
  });
});

describe('a client that breaks the protocol after its login', function () {
  this.timeout(60_000);
  const at = fixture();

  const violations = [
    ['a packet of four gigabytes', (intruder: Logged) => intruder.socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]))],
    ['a packet that was not encrypted with the key', (intruder: Logged) => intruder.socket.write(Buffer.alloc(64, 0))],
    [
      'a packet size of nothing',
      ({ client }: Logged) =>
        client.transport.send(new WireWriter().byte(91).uint32(0).uint32(0).uint32(65_536).uint32(0).end()),
    ],
  ] as const;
  for (const [name, violate] of violations)
    it(`is recorded as such, once, with ${name}`, async () => {
      const intruder = comesTo(at);
      await loggedIn(intruder.client);
      violate(intruder);
      await intruder.closed;
      await at.node.idle();
      const types = at.node.host.events.map(({ type }) => type);
      assert.deepEqual(types, ['session.start', 'ssh.protocol_violation', 'session.end']);
    });
});

describe('a client that breaks the protocol while nothing can be recorded', function () {
  this.timeout(60_000);
  const at = fixture(undefined, {
    config: { hang_up_seconds: 1 },
    store: ({ type }) =>
      type === 'ssh.protocol_violation'
        ? Promise.reject(new PosternError('unavailable', 'the log is full'))
        : undefined,
  });

  it('leaves no listener and no program behind', async () => {
    const seconds = uniqueSeconds();
    const intruder = comesTo(at);
    await loggedIn(intruder.client);
    const { client } = intruder.client;
    const port = await new Promise<number>((resolve, reject) =>
      client.forwardIn('127.0.0.1', 0, (cause, bound) => (cause ? reject(cause) : resolve(bound))),
    );
    client.exec(`setsid sleep ${seconds} </dev/null >/dev/null 2>&1 & sleep ${seconds}`, () => {});
    await until('both run', () => processesWith(`sleep ${seconds}`).length > 1);
    intruder.socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    await intruder.closed;
    await at.node.idle();
    assert.deepEqual(processesWith(`sleep ${seconds}`), []);
    const refused = connect({ host: '127.0.0.1', port });
    const [cause] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
    assert.equal(cause.code, 'ECONNREFUSED');
  });
});

describe('a client that says goodbye in its own words', function () {
  this.timeout(60_000);
  const at = fixture();
  const goodbye = (reason: number): Buffer =>
    new WireWriter().byte(message.disconnect).uint32(reason).string('x').string('').end();

  it('cannot replace the reason of its refusal', async () => {
    const key = at.authority.user({ principals: [at.login.name], validity: '-2h:-1h' });
    const intruder = comesTo(at, key, (payload) => {
      if (payload[0] === authFailure) intruder.client.transport.send(goodbye(2));
    });
    await intruder.closed;
    await at.node.idle();
    assert.deepEqual(at.node.host.events, [{ type: 'session.denied', fields: { code: 'expired' } }]);
  });

  it('is not recorded as one that breaks the protocol', async () => {
    const intruder = comesTo(at);
    await loggedIn(intruder.client);
    intruder.client.transport.send(goodbye(13));
    await intruder.closed;
    await at.node.idle();
    assert.deepEqual(
      at.node.host.events.map(({ type }) => type),
      ['session.start', 'session.end'],
    );
  });
});

/** SSH_MSG_USERAUTH_FAILURE. */
const authFailure = 51;

interface Logged {
  readonly socket: Socket;
  readonly client: CanaryClient;
  readonly closed: Promise<unknown>;
}

/** Connects and begins to log in. */
function comesTo({ authority, login, node }: Fixture, key?: string, onMessage?: (payload: Buffer) => void): Logged {
  const socket = connect({ host: '127.0.0.1', port: node.port, noDelay: true });
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const client = scriptedClient(socket, {
    login: login.name,
    key: key ?? authority.user({ principals: [login.name] }),
    host: node.credential,
    ...(onMessage && { onMessage }),
  });
  return { socket, client, closed };
}

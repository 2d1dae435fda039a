import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { message, WireWriter } from '../src/wire.js';
import { Attack, type Intruder } from './support/attacker.js';
import { processesWith, uniqueSeconds } from './support/processes.js';
import { until } from './support/until.js';

const window = 2 * 1024 * 1024;
const packetSize = 32 * 1024;
const full = process.env['POSTERN_TEST_FULL'] === '1';

interface OpenWishes {
  readonly type?: string;
  readonly window?: number;
  readonly packetSize?: number;
  readonly rest?: Buffer;
}

function open(id: number, wishes: OpenWishes = {}): Buffer {
  const writer = new WireWriter()
    .byte(message.channelOpen)
    .string(wishes.type ?? 'session')
    .uint32(id);
  return writer
    .uint32(wishes.window ?? window)
    .uint32(wishes.packetSize ?? packetSize)
    .raw(wishes.rest ?? Buffer.alloc(0))
    .end();
}

const request = (channel: number, name: string, rest: Buffer = Buffer.alloc(0)): Buffer =>
  new WireWriter().byte(message.channelRequest).uint32(channel).string(name).boolean(true).raw(rest).end();

const exec = (channel: number, command: string): Buffer =>
  request(channel, 'exec', new WireWriter().string(command).end());

const data = (channel: number, bytes: number): Buffer =>
  new WireWriter().byte(message.channelData).uint32(channel).string(Buffer.alloc(bytes)).end();

const destination = (port: number): Buffer =>
  new WireWriter().string('127.0.0.1').uint32(port).string('127.0.0.1').uint32(1).end();

describe('somebody who has logged in', function () {
  this.timeout(60_000);
  let attack: Attack;
  before(async () => (attack = await Attack.start()));
  after(() => attack.stop());

  const answered = (intruder: Intruder, type: number): Promise<void> =>
    until(`message ${type}`, () => intruder.received.some((payload) => payload[0] === type));

  /** Sends in pieces, as fast as the server takes it, until it is all sent or the connection is closed. */
  async function flood(intruder: Intruder, count: number, make: (index: number) => Buffer): Promise<void> {
    const deadline = performance.now() + 4_000;
    for (let index = 0; index < count && !intruder.isClosed() && performance.now() < deadline; index += 1) {
      intruder.client.transport.send(make(index));
      if (index % 1000 === 0) await sleep(1);
      while (intruder.socket.writableLength > 4e6 && !intruder.isClosed() && performance.now() < deadline)
        await sleep(5);
    }
  }

  async function running(command: string, wishes: OpenWishes = {}): Promise<Intruder> {
    const intruder = await attack.logIn();
    intruder.client.transport.send(open(7, wishes));
    await answered(intruder, message.channelOpenConfirmation);
    intruder.client.transport.send(exec(0, command));
    await answered(intruder, message.channelSuccess);
    return intruder;
  }

  async function survives(intruder: Intruder, megabytes = 350): Promise<void> {
    try {
      assert.ok((await attack.answers()) < 1_000, 'it does not answer in time');
      const { rss } = await attack.state();
      assert.ok(rss < megabytes * 1e6, `${Math.round(rss / 1e6)} MB`);
    } finally {
      intruder.socket.destroy();
      await intruder.closed;
    }
    await until('its session has ended', async () => (await attack.state()).sessions === 0);
  }

  for (const size of [0, 1, 1023])
    it(`cannot hang the process with a maximum packet size of ${size}`, async () => {
      const intruder = await attack.logIn();
      intruder.client.transport.send(open(7, { packetSize: size }));
      await answered(intruder, message.channelOpenFailure);
      intruder.client.transport.send(exec(0, 'echo hello'));
      await survives(intruder);
    });

  it('cannot hang the process with a small packet size for a channel that the node opens', async () => {
    const intruder = await attack.logIn();
    intruder.client.transport.send(
      new WireWriter().byte(message.channelOpenConfirmation).uint32(0).uint32(0).uint32(window).uint32(0).end(),
    );
    await intruder.closed;
    await survives(intruder);
  });

  it('cannot fill the memory with data beyond its window', async () => {
    const intruder = await running('sleep 30');
    await flood(intruder, 12_500, () => data(0, 32_000));
    await intruder.closed;
    await survives(intruder);
  });

  it('cannot fill the memory with data that it does not read', async () => {
    const intruder = await running('head -c 400000000 /dev/zero', { window: 0xffff_ffff });
    intruder.socket.pause();
    await sleep(1_500);
    await survives(intruder);
  });

  it('cannot fill the memory with data that comes while it puts off a key exchange', async () => {
    const intruder = await running('head -c 400000000 /dev/zero', { window: 0xffff_ffff });
    intruder.client.transport.send(new WireWriter().byte(message.keyExchangeInit).raw(Buffer.alloc(16)).end());
    await sleep(500);
    await survives(intruder);
  });

  it('cannot fill the memory with answers that it does not read', async () => {
    const intruder = await attack.logIn();
    intruder.socket.pause();
    // Each is refused with a text that is longer than the question.
    await flood(intruder, 1_000_000, (index) => open(index, { type: 'x' }));
    const { unsent } = await attack.state();
    assert.ok(unsent < 9e6, `${Math.round(unsent / 1e6)} MB`);
    await survives(intruder);
  });

  it('cannot widen a window beyond its largest size', async () => {
    const intruder = await running('sleep 30');
    const adjust = new WireWriter().byte(message.channelWindowAdjust).uint32(0).uint32(0xffff_ffff).end();
    intruder.client.transport.send(adjust);
    await intruder.closed;
    await survives(intruder);
  });

  it('cannot open channels without end', async () => {
    const intruder = await attack.logIn();
    await flood(intruder, 5_000, (index) => open(index));
    await until('it is refused', () => intruder.received.some((payload) => payload[0] === message.channelOpenFailure));
    assert.equal(intruder.received.filter((payload) => payload[0] === message.channelOpenConfirmation).length, 200);
    await survives(intruder);
  });

  it('cannot open and close channels until none are left', async () => {
    const intruder = await attack.logIn();
    for (let index = 0; index < 300; index += 1) {
      intruder.client.transport.send(open(index));
      intruder.client.transport.send(new WireWriter().byte(message.channelClose).uint32(index).end());
    }
    await until(
      'all are open',
      () => intruder.received.filter((payload) => payload[0] === message.channelOpenConfirmation).length === 300,
    );
    await survives(intruder);
  });

  it('cannot connect without end', async () => {
    const intruder = await attack.logIn();
    await flood(intruder, 2_000, (index) =>
      open(index, { type: 'direct-tcpip', rest: destination(attack.victim.port) }),
    );
    await survives(intruder);
  });

  it('cannot leave requests without end unanswered', async () => {
    const intruder = await attack.logIn();
    intruder.client.transport.send(open(7));
    await answered(intruder, message.channelOpenConfirmation);
    const variable = new WireWriter().string('FOO').string('x').end();
    await flood(intruder, 50_000, () => request(0, 'env', variable));
    await survives(intruder);
  });

  it('cannot listen without end', async () => {
    const intruder = await attack.logIn();
    const listen = new WireWriter().byte(message.globalRequest).string('tcpip-forward').boolean(true);
    const payload = listen.string('localhost').uint32(0).end();
    await flood(intruder, 2_000, () => Buffer.from(payload));
    await survives(intruder);
  });

  it('cannot keep the process busy with key exchanges', async () => {
    const intruder = await attack.logIn();
    let exchanges = 0;
    intruder.client.client.on('handshake', () => {
      exchanges += 1;
      setImmediate(() => !intruder.isClosed() && intruder.client.transport.inside._protocol.rekey());
    });
    intruder.client.transport.inside._protocol.rekey();
    await intruder.closed;
    assert.ok(exchanges <= 101, `${exchanges} key exchanges`);
    await survives(intruder);
  });

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
      await answered(intruder, message.channelOpenConfirmation);
      intruder.client.transport.send(payload);
      await survives(intruder);
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
      await flood(intruder, 60, random);
      await sleep(5);
      intruder.socket.destroy();
      await intruder.closed;
    }
    assert.ok((await attack.answers()) < 1_000);
    await until('the sessions have ended', async () => (await attack.state()).sessions === 0);
  });

  it('can send signals to its own program only', async () => {
    const seconds = uniqueSeconds();
    const intruder = await running(`sleep ${seconds}`);
    await until('it runs', () => processesWith(seconds).length > 0);
    intruder.client.transport.send(request(0, 'signal', new WireWriter().string('KILL').end()));
    await until('it has ended', () => processesWith(seconds).length === 0);
    for (const name of ['KILL', 'HUP -1', '9', '0', 'SIGKILL', 'STOP'])
      intruder.client.transport.send(request(0, 'signal', new WireWriter().string(name).end()));
    await survives(intruder);
  });
});

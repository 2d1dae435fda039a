import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { message, WireWriter } from '../src/wire.js';
import { Attack, hears, type Intruder } from './support/attacker.js';
import { data, destination, exec, open, request, window, type OpenWishes } from './support/raw-messages.js';
import { processesWith, uniqueSeconds } from './support/processes.js';
import { until } from './support/until.js';

describe('somebody who has logged in', function () {
  this.timeout(60_000);
  let attack: Attack;
  before(async () => (attack = await Attack.start()));
  after(() => attack.stop());

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
    await hears(intruder, message.channelOpenConfirmation);
    intruder.client.transport.send(exec(0, command));
    await hears(intruder, message.channelSuccess);
    return intruder;
  }

  const survives = (intruder: Intruder): Promise<void> => attack.survives(intruder);

  for (const size of [0, 1, 1023])
    it(`cannot hang the process with a maximum packet size of ${size}`, async () => {
      const intruder = await attack.logIn();
      intruder.client.transport.send(open(7, { packetSize: size }));
      await hears(intruder, message.channelOpenFailure);
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
    await hears(intruder, message.channelOpenConfirmation);
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

  it('cannot have agents and screens forwarded without end', async () => {
    const intruder = await attack.logIn();
    const screen = new WireWriter().boolean(false).string('MIT-MAGIC-COOKIE-1').string('00'.repeat(16)).uint32(0).end();
    await flood(intruder, 40, (index) => open(index));
    await until(
      'the channels are open',
      () => intruder.received.filter((payload) => payload[0] === message.channelOpenConfirmation).length === 40,
    );
    const answers = (type: number): number => intruder.received.filter((payload) => payload[0] === type).length;
    for (let channel = 0; channel < 40; channel += 1)
      for (let time = 0; time < 10; time += 1) {
        intruder.client.transport.send(request(channel, 'auth-agent-req@openssh.com'));
        intruder.client.transport.send(request(channel, 'x11-req', screen));
      }
    await until('all are answered', () => answers(message.channelSuccess) + answers(message.channelFailure) === 800);
    assert.equal(answers(message.channelSuccess), 16);
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

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Onward, type Opening, type ProxyModule } from '@postern/plugin-sdk';
import { helloMessage, records } from './hello-bytes.js';
import { PortFixture, readBytes, untilClosed } from './port-fixture.js';

const hello = records(helloMessage({ sni: 'Box.vault.Example.com', alpn: ['h2'] }));

/** Opens with `KNOCK`, is answered `come`, and goes on as `open` says. */
function knocking(open: (opening: Opening) => Promise<Onward>): { id: string; load: () => Promise<ProxyModule> } {
  const recognise = (head: Buffer): 'yes' | 'no' | 'more' => {
    const length = Math.min(5, head.length);
    if (head.toString('latin1', 0, length) !== 'KNOCK'.slice(0, length)) return 'no';
    return length === 5 ? 'yes' : 'more';
  };
  return { id: 'knock', load: () => Promise.resolve({ recognise, open }) };
}

describe('PublicPort, with a plugin that opens otherwise', () => {
  const polite = knocking(async (opening) => {
    await opening.read(5);
    await opening.write(Buffer.from('come'));
    return { kind: 'tls' };
  });

  it('lets it talk as far as the ClientHello, and hands over what begins there', async () => {
    await using fixture = await PortFixture.open({ halves: [polite] });
    const client = await fixture.connect();
    client.write('KNO');
    client.write('CK');
    assert.equal((await readBytes(client, 4)).toString(), 'come');
    client.write(hello);
    const handover = await fixture.handover();
    assert.deepEqual(await readBytes(handover.socket, hello.length), hello);
  });

  it('refuses bytes that were injected before the answer (CVE-2021-23222)', async () => {
    await using fixture = await PortFixture.open({ halves: [polite] });
    await fixture.answerTo(Buffer.concat([Buffer.from('KNOCK'), hello]));
    assert.equal((await fixture.refusal('injected')).count, 1);
    assert.deepEqual(fixture.handovers, []);
  });

  it('refuses what is no TLS behind it', async () => {
    await using fixture = await PortFixture.open({ halves: [polite] });
    const client = await fixture.connect();
    client.write('KNOCK');
    await readBytes(client, 4);
    client.write('clear text');
    await untilClosed(client);
    assert.equal((await fixture.refusal('malformed')).detail, 'no TLS follows the opening of knock');
  });

  it('lets it answer altogether, and says so', async () => {
    const refusing = knocking(async (opening) => {
      await opening.write(Buffer.from('go away'));
      return { kind: 'closed' };
    });
    await using fixture = await PortFixture.open({ halves: [refusing] });
    assert.equal(await fixture.answerTo('KNOCK'), 'go away');
    assert.equal((await fixture.refusal('turned_away')).source, '127.0.0.1');
  });

  it('passes a message on to the connection that it names, and no more than ten in a second', async () => {
    const stop = knocking(async (opening) => {
      await opening.read(5);
      const connection = (await opening.read(4)).readUInt32BE(0);
      return { kind: 'signal', connection, payload: await opening.read(4) };
    });
    await using fixture = await PortFixture.open({ halves: [stop], now: () => new Date(0) });
    const client = await fixture.connect();
    client.write(hello);
    const handover = await fixture.handover();
    const heard: string[] = [];
    handover.onSignal((payload) => heard.push(payload.toString()));
    const id = Buffer.alloc(4);
    id.writeUInt32BE(handover.connection);
    for (let turn = 0; turn < 11; turn += 1)
      assert.equal(await fixture.answerTo(Buffer.concat([Buffer.from('KNOCK'), id, Buffer.from('stop')])), '');
    assert.equal(heard.length, 10);
    assert.equal((await fixture.refusal('signal_limit')).count, 1);
  });

  it('passes a message on whose sender did not wait, while the plugin is being loaded', async () => {
    const stop = knocking(async (opening) => {
      await opening.read(5);
      return { kind: 'signal', connection: (await opening.read(4)).readUInt32BE(0), payload: await opening.read(4) };
    });
    const slow = { id: stop.id, load: () => sleep(50).then(() => stop.load()) };
    await using fixture = await PortFixture.open({ halves: [slow] });
    const client = await fixture.connect();
    client.write(hello);
    const handover = await fixture.handover();
    const heard = new Promise<string>((resolve) => handover.onSignal((payload) => resolve(payload.toString())));
    const id = Buffer.alloc(4);
    id.writeUInt32BE(handover.connection);
    const sender = await fixture.connect();
    sender.write(Buffer.concat([Buffer.from('KNOCK'), id, Buffer.from('stop')]), () => sender.destroy());
    assert.equal(await heard, 'stop');
  });

  it('ends a plugin that waits for nothing at the deadline', async () => {
    const stuck = knocking(() => new Promise(() => {}));
    await using fixture = await PortFixture.open({ halves: [stuck], limits: { deadlineMs: 40 } });
    assert.equal(await fixture.answerTo('KNOCK'), '');
    await fixture.refusal('timeout');
  });

  it('refuses a connection whose plugin fails, and goes on', async () => {
    const failing = knocking(() => Promise.reject(new Error('a bug')));
    await using fixture = await PortFixture.open({ halves: [failing] });
    await fixture.answerTo('KNOCK');
    assert.equal((await fixture.refusal('failed')).detail, 'a bug');
    const client = await fixture.connect();
    client.write(hello);
    await fixture.handover();
  });

  it('loads it when the first connection needs it, and again after a failure', async () => {
    let loads = 0;
    const half = {
      id: 'knock',
      load: () => {
        loads += 1;
        return loads === 1 ? Promise.reject(new Error('the disk is slow')) : polite.load();
      },
    };
    await using fixture = await PortFixture.open({ halves: [half] });
    const client = await fixture.connect();
    client.write(hello);
    await fixture.handover();
    assert.equal(loads, 0);
    await fixture.answerTo('KNOCK');
    await fixture.answerTo('garbage');
    await fixture.answerTo('garbage');
    assert.equal(loads, 2);
  });
});

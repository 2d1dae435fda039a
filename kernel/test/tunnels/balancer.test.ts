import assert from 'node:assert/strict';
import { helloMessage, records } from './hello-bytes.js';
import { PortFixture, readBytes } from './port-fixture.js';

const hello = records(helloMessage({ sni: 'Box.vault.Example.com', alpn: ['h2'] }));

describe('PublicPort, behind a balancer', () => {
  it('believes the address that a trusted one states', async () => {
    await using fixture = await PortFixture.open({ trustedProxies: ['127.0.0.0/8'] });
    const client = await fixture.connect();
    client.write(Buffer.concat([Buffer.from('PROXY TCP4 192.0.2.7 127.0.0.1 5000 443\r\n'), hello]));
    const handover = await fixture.handover();
    assert.equal(handover.source, '192.0.2.7');
    assert.deepEqual(await readBytes(handover.socket, hello.length), hello);
  });

  it('counts connections for the address stated, not for the balancer', async () => {
    await using fixture = await PortFixture.open({ trustedProxies: ['127.0.0.1'], limits: { perAddress: 1 } });
    for (const host of [1, 2, 3, 3]) {
      const client = await fixture.connect();
      client.write(Buffer.concat([Buffer.from(`PROXY TCP4 192.0.2.${host} 127.0.0.1 5000 443\r\n`), hello]));
      if (fixture.handovers.length < 3) await fixture.handover(fixture.handovers.length);
    }
    assert.equal((await fixture.refusal('address_limit')).source, '192.0.2.3');
  });

  it('a stranger cannot state an address: from elsewhere a PROXY header is garbage', async () => {
    await using fixture = await PortFixture.open({ trustedProxies: ['10.0.0.0/8'] });
    await fixture.answerTo(Buffer.concat([Buffer.from('PROXY TCP4 192.0.2.7 127.0.0.1 5000 443\r\n'), hello]));
    assert.equal((await fixture.refusal('unrecognised')).source, '127.0.0.1');
    assert.deepEqual(fixture.handovers, []);
  });

  it('a client behind the balancer cannot state an address either', async () => {
    await using fixture = await PortFixture.open({ trustedProxies: ['127.0.0.1'] });
    const stated = 'PROXY TCP4 192.0.2.7 127.0.0.1 5000 443\r\n';
    await fixture.answerTo(Buffer.concat([Buffer.from(stated + stated.replace('192.0.2.7', '10.0.0.1')), hello]));
    assert.equal((await fixture.refusal('unrecognised')).source, '192.0.2.7');
  });
});

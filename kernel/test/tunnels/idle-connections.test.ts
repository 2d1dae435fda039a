import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { cluster, readBytes, silentLog } from './port-fixture.js';
import { helloMessage, records } from './hello-bytes.js';
import { portLimits, TunnelClient, type PortLimits } from '../../src/tunnels/index.js';
import { ProxyChild } from './proxy-child.js';
import { TestAuthority } from './test-authority.js';

const full = process.env['POSTERN_TEST_FULL'] === '1';
const many = full ? 10_000 : 1000;
const hello = records(helloMessage({ sni: `box.vault.${cluster}`, alpn: ['h2'] }));
/** Bytes of memory for each. A thousand connections are too few to tell their share from what the process uses anyway. */
const limit = full ? 16_000 : 32_000;
const everything = { perAddress: 20_000, unclassifiedPerAddress: 20_000, unclassified: 20_000, deadlineMs: 600_000 };

/** Connections that say nothing, or as little as `bytes`, from addresses of 127.1.0.0/16. */
class Crowd implements Disposable {
  readonly sockets: net.Socket[] = [];
  closed = 0;

  async grow(port: number, count: number, perAddress: number, bytes?: Buffer): Promise<void> {
    // Not all at once: the listener's backlog would overflow and the kernel would make clients wait.
    for (let begun = 0; begun < count; begun += 100) {
      const batch = Array.from({ length: Math.min(100, count - begun) }, (_, at) => {
        const address = Math.floor((this.sockets.length + at) / perAddress);
        const localAddress = `127.1.${address >> 8}.${(address & 255) + 1}`;
        const socket = net.connect({ port, host: '127.0.0.1', localAddress });
        socket.on('error', () => {}).on('close', () => (this.closed += 1));
        if (bytes) socket.write(bytes);
        return socket;
      });
      this.sockets.push(...batch);
      await Promise.all(batch.map((socket) => once(socket, 'connect')));
    }
  }

  [Symbol.dispose](): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

/** Connects, says hello, and waits for the first byte of an agent that echoes: milliseconds. */
async function session(port: number): Promise<number> {
  const started = performance.now();
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(hello);
  assert.deepEqual(await readBytes(socket, hello.length), hello);
  const took = performance.now() - started;
  socket.destroy();
  return took;
}

describe('PublicPort, with idle connections', function () {
  this.timeout(120_000);
  let authority: TestAuthority;
  before(async () => (authority = await TestAuthority.create('services')));

  async function proxyWithEcho(limits: Partial<PortLimits>): Promise<{ proxy: ProxyChild } & AsyncDisposable> {
    const tls = await authority.issue('proxy', [cluster]);
    const proxy = await ProxyChild.start({ cluster, tls, limits });
    const agent = await authority.issue('agent');
    const client = TunnelClient.start({
      proxy: { host: '127.0.0.1', port: proxy.port },
      cluster,
      tls: () => agent,
      routes: [{ kind: 'vault', label: 'box' }],
      take: ({ socket }) => void socket.pipe(socket),
      log: silentLog,
    });
    await client.ready();
    const dispose = async (): Promise<void> => {
      await client[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    };
    return { proxy, [Symbol.asyncDispose]: dispose };
  }

  for (const [what, bytes] of [
    ['that say nothing', undefined],
    ['with half a hello', hello.subarray(0, 60)],
  ] as const)
    it(`uses less than ${limit} bytes for each of ${many} ${what}`, async function () {
      const tls = await authority.issue('proxy', [cluster]);
      await using proxy = await ProxyChild.start({ cluster, tls, limits: everything });
      using crowd = new Crowd();
      await crowd.grow(proxy.port, 200, 250, bytes);
      const before = await proxy.report();
      await crowd.grow(proxy.port, many, 250, bytes);
      let after = await proxy.report();
      while (after.unclassified < many + 200) after = await proxy.report();
      const each = Math.round((after.rss - before.rss) / many);
      if (this.test) this.test.title += `: ${each}`;
      assert.ok(each < limit, `${each} bytes for each`);
      assert.equal(crowd.closed, 0);
    });

  it(`keeps its bounds and serves others while ${many} idle connections come`, async function () {
    const scale = full ? 1 : 10;
    const unclassified = Math.floor(portLimits.unclassified / scale);
    const perAddress = Math.floor(portLimits.unclassifiedPerAddress / scale);
    await using fixture = await proxyWithEcho({
      unclassified,
      unclassifiedPerAddress: perAddress,
      refusalWindowMs: 60_000,
    });
    const { proxy } = fixture;
    const quiet = await session(proxy.port);
    using crowd = new Crowd();
    let growing = true;
    const attack = crowd.grow(proxy.port, many, 2 * perAddress).finally(() => (growing = false));
    const times: number[] = [];
    while (growing) times.push(await session(proxy.port));
    await attack;
    const { unclassified: left, refusals } = await proxy.report();
    assert.ok(left <= unclassified, `${left} are unclassified`);
    assert.equal(refusals['crowded_out']?.connections, refusals['crowded_out']?.events);
    while (crowd.closed < many - left) await new Promise((resolve) => setImmediate(resolve));
    times.sort((a, b) => a - b);
    const [median = 0, worst = 0] = [times[Math.floor(times.length / 2)], times.at(-1)];
    if (this.test)
      this.test.title += `: ${left} left; a session took ${quiet.toFixed(1)} ms before, ${median.toFixed(1)} (${worst.toFixed(1)}) ms meanwhile`;
    assert.ok(worst < 5000, `a session took ${worst} ms`);
  });

  it('forgets idle connections when their time is over', async () => {
    const tls = await authority.issue('proxy', [cluster]);
    await using proxy = await ProxyChild.start({ cluster, tls, limits: { ...everything, deadlineMs: 300 } });
    using crowd = new Crowd();
    await crowd.grow(proxy.port, 500, 250);
    while (crowd.closed < 500) await new Promise((resolve) => setImmediate(resolve));
    const { unclassified, refusals } = await proxy.report();
    assert.equal(unclassified, 0);
    // Two addresses, one line each at once; the rest is summed up.
    assert.equal(refusals['timeout']?.events, 2);
  });
});

import assert from 'node:assert/strict';
import net from 'node:net';
import type { TestCluster } from '../../../test/support/cluster.js';
import { hello } from './line-client.js';
import { startLines } from './line-world.js';

describe('the address for monitoring', function () {
  this.timeout(30_000);
  let cluster: TestCluster;
  before(async () => {
    cluster = await startLines({ configuration: { diagnostics: { listen: '127.0.0.1:0' } } });
  });
  after(() => cluster[Symbol.asyncDispose]());

  const get = (path: string, method = 'GET'): Promise<Response> =>
    fetch(`http://127.0.0.1:${cluster.running.diagnostics?.port}${path}`, {
      method,
      headers: { connection: 'close' },
    });

  /** The value of one line of the metrics. */
  async function metric(line: string): Promise<number | undefined> {
    const text = await (await get('/metrics')).text();
    const found = text.split('\n').find((one) => one.startsWith(`${line} `));
    return found === undefined ? undefined : Number(found.slice(line.length + 1));
  }

  it('counts sessions while they run, and events for good', async () => {
    const before = (await metric('postern_events_total{type="session.start"}')) ?? 0;
    assert.equal(await metric('postern_sessions{kind="lines"}'), undefined);
    const [client] = await hello(cluster, await cluster.login('ann'));
    assert.equal(await metric('postern_sessions{kind="lines"}'), 1);
    client[Symbol.dispose]();
    await cluster.event({ types: ['session.end'] });
    assert.equal(await metric('postern_sessions{kind="lines"}'), undefined);
    assert.equal(await metric('postern_events_total{type="session.start"}'), before + 1);
  });

  it('says what runs, what is ready, and how large the log is', async () => {
    assert.equal(await metric('postern_build_info{version="0.0.0-test"}'), 1);
    assert.equal(await metric('postern_ready{check="audit"}'), 1);
    assert.equal(await metric('postern_resources{kind="lines",health="unknown"}'), 1);
    assert.ok(((await metric('postern_audit_log_entries')) ?? 0) > 0);
    assert.ok(((await metric('process_resident_memory_bytes')) ?? 0) > 0);
  });

  it('names no user', async () => {
    assert.ok(!(await (await get('/metrics')).text()).includes('ann'));
  });

  it('answers to health checks, and to nothing else', async () => {
    assert.deepEqual([(await get('/healthz')).status, (await get('/readyz')).status], [200, 200]);
    assert.match(await (await get('/readyz')).text(), /^ok audit: /m);
    for (const [path, method, status] of [
      ['/', 'GET', 404],
      ['/v1/status', 'GET', 404],
      ['/metrics', 'POST', 405],
    ] as const)
      assert.equal((await get(path, method)).status, status, path);
  });

  it('says why it cannot be opened', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as net.AddressInfo;
    try {
      await assert.rejects(
        startLines({ configuration: { diagnostics: { listen: `127.0.0.1:${port}` } } }),
        (error: Error) => /diagnostics\.listen: .*EADDRINUSE/.test(String((error.cause as Error | undefined)?.message)),
      );
    } finally {
      server.close();
    }
  });
});

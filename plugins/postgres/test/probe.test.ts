import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { PosternError, type Health } from '@postern/plugin-sdk';
import { dialTcp } from '@postern/plugin-sdk/testing';
import { PostgresProbe } from '../src/probe.js';
import { postgres } from '../src/protocol.js';
import { Authority } from './support/authority.js';
import { needPostgres } from './support/postgres-server.js';
import { Site } from './support/site.js';

const probe = (spec: unknown, signal = AbortSignal.timeout(5000)): Promise<Health> => {
  const parsed = postgres.auth.resource.parse(spec);
  const dial = (): Promise<Socket> => dialTcp({ host: parsed.host, port: parsed.port });
  return new PostgresProbe().probe({ resource: { name: 'pg1', labels: {}, spec: parsed }, signal, dial });
};

const plain = { tls: { mode: 'disable' }, auth: { method: 'trust' } };

describe('a probe', function () {
  this.timeout(30_000);

  describe('of a real server', () => {
    let site: Site;
    before(async function () {
      needPostgres(this);
      site = await Site.start();
    });
    after(() => (site as Site | undefined)?.[Symbol.asyncDispose]());

    it('sees that it speaks PostgreSQL, in clear and by TLS', async () => {
      for (const more of [{}, plain, { tls: { ca: site.servers.certificate } }])
        assert.deepEqual(await probe(site.spec(more)), { ok: true });
    });

    it('sees that its certificate is not as expected', async () => {
      using other = new Authority('another');
      for (const tls of [
        { ca: other.certificate },
        { ca: site.servers.certificate, server_name: 'other' },
        { ca: 'system' },
      ]) {
        const health = await probe(site.spec({ tls }));
        assert.equal(health.ok ? 'ok' : health.reason, 'tls');
      }
    });
  });

  describe('of something else', () => {
    let server: Server;
    const listening = async (answer: string | undefined): Promise<Record<string, unknown>> => {
      server = createServer((socket) => {
        socket.on('error', () => {}).on('data', () => (answer === undefined ? socket.destroy() : socket.end(answer)));
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    };
    afterEach(() => void server.close());

    for (const [answer, clear, encrypted] of [
      ['N', 'ok', 'tls'],
      ['SR\0\0\0\x08\0\0\0\0', 'ok', 'tls'],
      ['HTTP/1.1 400 Bad Request\r\n', 'protocol', 'protocol'],
      [undefined, 'protocol', 'protocol'],
    ] as const)
      it(`that answers ${JSON.stringify(answer)} says ${clear} in clear and ${encrypted} for TLS`, async () => {
        const spec = await listening(answer);
        const reason = (health: Health): string => (health.ok ? 'ok' : health.reason);
        assert.equal(reason(await probe({ ...spec, ...plain })), clear);
        assert.equal(reason(await probe(spec)), encrypted);
      });

    it('that has gone says so', async () => {
      const spec = await listening('');
      server.close();
      await once(server, 'close');
      const health = await probe(spec);
      assert.equal(health.ok ? 'ok' : health.reason, 'unreachable');
    });

    it('that is silent ends when it is told to', async () => {
      server = createServer((socket) => void socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const spec = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
      const health = await probe(spec, AbortSignal.timeout(100));
      assert.equal(health.ok, false);
    });
  });

  it('leaves no error of a dialler unexplained', async () => {
    const resource = { name: 'pg1', labels: {}, spec: postgres.auth.resource.parse({ host: 'x' }) };
    const dial = (): Promise<never> => Promise.reject(new PosternError('upstream_unreachable', 'no route'));
    const health = await new PostgresProbe().probe({ resource, signal: AbortSignal.timeout(100), dial });
    assert.deepEqual(health, { ok: false, reason: 'unreachable', detail: 'no route' });
  });
});

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { definePlugin, defineProtocol, type Plugin } from '@postern/plugin-sdk';
import { until, type TestCluster } from '../../../../test/support/cluster.js';
import { TestClock } from '../../../../test/support/clock.js';
import {
  beginWebSession,
  certifyWebSession,
  followWebSessions,
  getMe,
  getWebSession,
  endWebSession,
} from '../../../src/api/contract/index.js';
import type { ApiClient } from '../../../src/api/api-client.js';
import type { ServiceRole } from '../../../src/certificates/index.js';
import { testPassword } from '../../../../test/support/cluster.js';
import type { WebSessions } from '../../../src/web/sessions/index.js';
import { hello, type LineClient } from '../../cluster/line-client.js';
import { lines, LineSession } from '../../cluster/line-protocol.js';
import { endOf, reader, sessionOf, startLines } from '../../cluster/line-world.js';
import { certify, enter, home, one, outcome, proxyKeys } from './web-world.js';

const two = { kind: 'lines', name: 'two' };
const elsewhere = '192.0.2.66';
const plugin: Plugin = definePlugin(defineProtocol({ ...lines, session: { per: 'certificate', idleSeconds: 60 } }), {
  agent: async () => ({ Session: LineSession }),
});

describe('a certificate of a browser’s session', () => {
  const clock = new TestClock();
  let cluster: TestCluster;
  let sessions: WebSessions;
  const open: LineClient[] = [];
  const clients: ApiClient[] = [];
  before(async () => {
    cluster = await startLines({
      clock,
      plugins: [plugin],
      roles: [reader()],
      resources: [one, two].map((resource) => ({ ...resource, labels: {} })),
      users: { ann: { roles: ['reader'] } },
    });
    sessions = cluster.running.auth.web;
    // Servers get their certificates now: to clients, whose clock stands, later ones would not be valid yet.
    const login = await cluster.login('ann');
    for (const resource of ['one', 'two']) (await hello(cluster, login, { resource }))[0][Symbol.dispose]();
  });
  afterEach(async () => {
    for (const client of open.splice(0)) client[Symbol.dispose]();
    for (const client of clients.splice(0)) await client[Symbol.asyncDispose]();
    clock.advance(120_000);
  });
  after(() => cluster[Symbol.asyncDispose]());

  function api(...how: Parameters<TestCluster['api']>): ApiClient {
    const client = cluster.api(...how);
    clients.push(client);
    return client;
  }

  async function connect(...how: Parameters<typeof hello>): ReturnType<typeof hello> {
    const connected = await hello(...how);
    open.push(connected[0]);
    return connected;
  }

  it('opens its resource from its address, and the audit log says that it was in a browser', async () => {
    const certified = await certify(sessions, await enter(cluster, 'ann'));
    const [client, answer] = await connect(cluster, certified, { from: home });
    assert.equal(answer, 'ok hello');
    const start = await cluster.event({ session: await sessionOf(client), types: ['session.start'] });
    assert.equal(start.fields['via'], 'web');
    assert.equal(start.source, home);
  });

  it('opens no other resource', async () => {
    const certified = await certify(sessions, await enter(cluster, 'ann'));
    const [, answer] = await connect(cluster, certified, { from: home, resource: 'two' });
    assert.match(answer ?? '', /^no access_denied this certificate opens lines\/one and nothing else/);
  });

  it('opens nothing from another address', async () => {
    const certified = await certify(sessions, await enter(cluster, 'ann'));
    const [, answer] = await connect(cluster, certified, { from: elsewhere });
    assert.match(answer ?? '', /^no access_denied your certificate may be used only from the address/);
  });

  it('opens nothing after a minute', async () => {
    const certified = await certify(sessions, await enter(cluster, 'ann'));
    clock.advance(61_000);
    const [, answer] = await connect(cluster, certified, { from: home });
    assert.match(answer ?? '', /^no expired/);
  });

  it('calls no API', async () => {
    const certified = await certify(sessions, await enter(cluster, 'ann'));
    assert.equal(await outcome(api(certified, { from: home }).call(getMe, {})), 'access_denied');
  });

  it('is one of many of one session, which outlives them and ends with the logout', async () => {
    const cookie = await enter(cluster, 'ann');
    const [first] = await connect(cluster, await certify(sessions, cookie), { from: home });
    const session = await sessionOf(first);
    clock.advance(90_000);
    const [second] = await connect(cluster, await certify(sessions, cookie), { from: home });
    assert.equal(await sessionOf(second), session);
    assert.equal(await sessionOf(first), session);
    // Both still get what they need to prove themselves further on, with certificates of which one has expired.
    for (const client of [first, second]) assert.match((await client.ask('assert app')) ?? '', /^ok ey/);
    await sessions.logout(cookie, home);
    const end = await endOf(cluster, session);
    assert.deepEqual([end.fields['reason'], end.fields['code']], ['cut', 'expired']);
    const types = (await cluster.events({ session, types: ['session'] })).map(({ type }) => type);
    assert.deepEqual(types, ['session.start', 'session.end']);
  });

  it('shares no session with one of another login', async () => {
    const ids = new Set<string>();
    for (const _ of [1, 2]) {
      const [client] = await connect(cluster, await certify(sessions, await enter(cluster, 'ann')), { from: home });
      ids.add(await sessionOf(client));
    }
    assert.equal(ids.size, 2);
  });

  describe('which a proxy asks for', () => {
    const serviceClient = async (role: ServiceRole): Promise<ApiClient> => {
      const { publicKey, key } = proxyKeys();
      const request = { name: 'edge', services: [role], names: [], publicKey };
      const { certificate } = await cluster.running.state.issuer.issueService(request);
      return api({ certificate, key });
    };
    const login = { user: 'ann', password: testPassword, address: home };

    it('is had through the API of the Auth Service by its own identity', async () => {
      const proxy = await serviceClient('proxy');
      const { cookie, session } = await proxy.call(beginWebSession, login);
      assert.equal((await proxy.call(getWebSession, { cookie, address: home })).session?.id, session.id);
      const { publicKey, key } = proxyKeys();
      const issued = await proxy.call(certifyWebSession, { ...one, cookie, publicKey, address: home });
      const [, answer] = await connect(cluster, { certificate: issued.certificate, key }, { from: home });
      assert.equal(answer, 'ok hello');
      const ended: string[] = [];
      const following = (async () => {
        for await (const { session: id } of proxy.stream(followWebSessions, {})) {
          ended.push(id);
          break;
        }
      })();
      await until(async () => {
        // The stream is there once it tells of something.
        const other = await proxy.call(beginWebSession, login).catch(() => undefined);
        if (other) await proxy.call(endWebSession, { cookie: other.cookie, address: home });
        clock.advance(7000);
        return ended.length > 0;
      });
      await following;
    });

    it('is not had without a session, for whomever, and that is recorded', async () => {
      const proxy = await serviceClient('proxy');
      const { publicKey } = proxyKeys();
      const ask = (cookie: string, address = elsewhere): Promise<string> =>
        outcome(proxy.call(certifyWebSession, { ...one, cookie, publicKey, address }));
      for (const cookie of ['ann', `s${'A'.repeat(43)}`, '-']) assert.equal(await ask(cookie), 'unauthenticated');
      const { fields } = await cluster.event({ types: ['certificate.refused'] });
      assert.equal(fields['code'], 'unauthenticated');
    });

    it('is not had for longer than a minute', async () => {
      const proxy = await serviceClient('proxy');
      const { cookie } = await proxy.call(beginWebSession, login);
      const { publicKey } = proxyKeys();
      const request = { ...one, cookie, publicKey, address: home };
      const longer = { ...certifyWebSession, input: certifyWebSession.input.extend({ ttl: z.int() }) };
      assert.equal(await outcome(proxy.call(longer, { ...request, ttl: 3600 })), 'invalid_argument');
      const { certificate } = await proxy.call(certifyWebSession, request);
      assert.ok(Date.parse(new X509Certificate(certificate).validTo) <= clock.now().getTime() + 60_000);
    });

    it('is had by proxies alone', async () => {
      const { publicKey } = proxyKeys();
      const cookie = await enter(cluster, 'ann');
      const request = { ...one, cookie, publicKey, address: home };
      const agent = await serviceClient('agent');
      const ann = api(await cluster.login('ann'));
      const outcomes = [agent, api(), ann, cluster.admin].map((client) =>
        outcome(client.call(certifyWebSession, request)),
      );
      assert.deepEqual(await Promise.all(outcomes), [
        'unauthenticated',
        'unauthenticated',
        'access_denied',
        'access_denied',
      ]);
    });

    it('is asked for by nobody who is a user as well: a proxy calls nothing else', async () => {
      assert.equal(await outcome((await serviceClient('proxy')).call(getMe, {})), 'unauthenticated');
    });
  });
});

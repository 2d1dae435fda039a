import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock } from 'node:test';
import { PosternError } from '@postern/plugin-sdk';
import { until } from '../../../../test/support/cluster.js';
import { LiveConnections } from '../../../src/tunnels/index.js';
import { ResourceCaller } from '../../../src/web/gateway/resource-caller.js';
import { SocketPairs } from '../../../src/web/gateway/socket-pairs.js';
import type { WebSessions } from '../../../src/web/sessions/index.js';
import { home, isIn, outcome } from '../sessions/web-world.js';
import { app, AppWorld, type Visitor } from './app-world.js';
import { head, say, upgrade, type RawAnswer } from './raw-browser.js';

const minute = 60_000;

describe('connections from the gateway of browsers to agents', function () {
  this.timeout(60_000);
  let world: AppWorld;
  let ann: Visitor;
  before(async () => {
    world = await AppWorld.start();
  });
  after(() => world[Symbol.asyncDispose]());
  beforeEach(async () => (ann = await world.enter('ann')));
  afterEach(async () => {
    await ann.leave();
    await until(() => world.told.streams.size === 0);
  });

  const socket = () =>
    say(
      world.cluster,
      app,
      head('GET /ws', { host: app, origin: `https://${app}`, cookie: ann.cookie, ...upgrade }),
      /\}\n|\r\n\r\n.*\n/,
    );
  const get = (path = '/'): Promise<RawAnswer> => world.at(app, path, { cookie: ann.cookie });

  it('are given up where nobody can say any more whether the session is there', async () => {
    const { web } = world.cluster.running.auth;
    const ask = web.appSession.bind(web);
    let asked = 0;
    // The first time is before the connection, the second is when it is there.
    mock.method(web, 'appSession', async (...of: Parameters<typeof ask>) => {
      if ((asked += 1) === 1) return ask(...of);
      await until(() => world.told.streams.size === 1);
      throw new PosternError('unavailable', 'nobody is there');
    });
    try {
      const { status, stream } = await socket();
      stream.destroy();
      assert.deepEqual([status, asked], [503, 2]);
      await until(() => world.told.streams.size === 0);
    } finally {
      mock.reset();
    }
  });

  it('are used again', async () => {
    for (let times = 0; times < 3; times++) assert.equal((await get()).status, 200);
    assert.equal(world.told.streams.size, 1);
  });

  it('that are stale cost no request that changes nothing', async () => {
    assert.equal((await get()).status, 200);
    world.told.hangUp = true;
    assert.equal((await get()).status, 200);
  });

  it('that are stale cost one that does, which is not sent twice', async () => {
    const post = async (): Promise<number> => {
      const fields = { host: app, origin: `https://${app}`, cookie: ann.cookie, 'content-length': '2' };
      const { status, stream } = await say(world.cluster, app, `${head('POST /', fields)}ab`);
      stream.destroy();
      return status;
    };
    assert.equal(await post(), 200);
    world.told.hangUp = true;
    assert.equal(await post(), 502);
    assert.equal(await post(), 200);
  });

  it('that break off without having been used before are not tried again', async () => {
    world.told.hangUp = true;
    assert.equal((await get()).status, 502);
  });

  it('keep a session in use as long as they are open, and no longer', async () => {
    const { web } = world.cluster.running.auth;
    const asked = mock.method(web, 'appSession').mock;
    mock.timers.enable({ apis: ['setInterval'] });
    try {
      const { status, stream } = await socket();
      assert.equal(status, 101);
      for (let times = 0; times < 3; times++) {
        world.clock.advance(50 * minute);
        const before = asked.callCount();
        mock.timers.tick(5 * minute);
        assert.equal(asked.callCount(), before + 1);
        await asked.calls.at(-1)?.result;
      }
      world.clock.advance(50 * minute);
      assert.equal(await isIn(web, ann.session), true);
      stream.destroy();
      await until(() => world.told.streams.size === 0);
      mock.timers.tick(5 * minute);
      world.clock.advance(61 * minute);
      assert.equal(await isIn(web, ann.session), false);
    } finally {
      mock.reset();
    }
  });
});

describe('a caller of resources', () => {
  it('withstands more than 256 connections of one session, be it all at once', async () => {
    let refuse!: (cause: unknown) => void;
    const dialled: Promise<never> = new Promise((_, reject) => (refuse = reject));
    dialled.catch(() => {});
    const directory = await mkdtemp(join(tmpdir(), 'postern-pairs-'));
    const pairs = await SocketPairs.open(join(directory, 'web'));
    const expires = new Date(Date.now() + minute);
    const session = { id: 'one', user: 'ann', roles: [], expires };
    const certificate = () => Promise.resolve({ certificate: '', expires, session });
    using caller = new ResourceCaller({
      cluster: 'cluster.test',
      sessions: { certificate, onEnd: () => () => {} } as unknown as WebSessions,
      agents: { dial: () => dialled },
      connections: new LiveConnections({ now: () => new Date() }),
      pairs,
      authorities: () => [],
      now: () => new Date(),
    });
    const resource = { kind: 'pages', name: 'wiki' };
    const call = { cookie: 'a', resource, address: home, alpn: 'http/1.1', stillThere: () => Promise.resolve(true) };
    const codes: string[] = [];
    const calls = Array.from({ length: 300 }, async () => codes.push(await outcome(caller.call(call))));
    await until(() => codes.length === 44);
    assert.deepEqual([...new Set(codes)], ['rate_limited']);
    refuse(new PosternError('unavailable', 'no agent'));
    await Promise.all(calls);
    assert.equal(codes.filter((code) => code === 'unavailable').length, 256);
    assert.equal(await outcome(caller.call(call)), 'unavailable');
    await pairs[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });
});

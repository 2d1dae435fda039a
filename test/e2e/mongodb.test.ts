import assert from 'node:assert/strict';
import { createLock, deleteLock } from '@postern/kernel/api/contract';
import type { MongoClient } from 'mongodb';
import { ScriptedServer } from '../../plugins/mongodb/test/support/scripted-server.js';
import { until } from '../support/cluster.js';
import type { TestLogin } from '../support/login.js';
import { MongodbSite } from './support/mongodb.js';

/** Of a command, as the server got it. */
interface Sent {
  readonly lsid?: unknown;
  readonly txnNumber?: unknown;
  readonly autocommit?: boolean;
  readonly startTransaction?: boolean;
  readonly commitTransaction?: number;
}

describe('the MongoDB driver through a cluster', function () {
  this.timeout(60_000);
  let site: MongodbSite;
  let server: ScriptedServer;
  const logins = new Map<string, TestLogin>();
  const as = (user: string): TestLogin => logins.get(user) ?? assert.fail(user);

  before(async () => {
    server = await ScriptedServer.start({
      users: { app: 'pencil' },
      hello: { setName: 'rs0', hosts: ['elsewhere.internal:27017'], me: 'elsewhere.internal:27017' },
      script: ({ find }) => (find === 'slow' ? 'silence' : undefined),
    });
    site = await MongodbSite.start(server);
    for (const user of ['alice', 'rita', 'bob', 'eve']) logins.set(user, await site.cluster.login(user));
  });
  after(() => (site as MongodbSite | undefined)?.[Symbol.asyncDispose]());

  /** A driver that is gone afterwards, with all its connections. */
  async function using(client: MongoClient, work: (client: MongoClient) => Promise<void>): Promise<void> {
    try {
      await work(client);
    } finally {
      await client.close();
    }
  }

  it('writes, reads with a cursor, and finds no server but this one', () =>
    using(site.client(as('alice'), { directConnection: false }), async (client) => {
      const things = client.db('shop').collection('things');
      const documents = Array.from({ length: 300 }, (_, x) => ({ x, text: 'y'.repeat(1000) }));
      assert.equal((await things.insertMany(documents)).insertedCount, 300);
      const read = await things.find({}, { batchSize: 50 }).toArray();
      assert.equal(read.length, 300);
      assert.equal((await things.findOne({}))?.['x'], 0);
    }));

  it('carries a document of 4 MB unchanged', () =>
    using(site.client(as('alice')), async (client) => {
      const large = client.db('shop').collection('large');
      const text = 'abcdefg'.repeat(600_000);
      await large.insertOne({ text });
      assert.equal((await large.findOne({}))?.['text'], text);
    }));

  it('carries more than a server takes in one message', () =>
    using(site.client(as('alice')), async (client) => {
      const bulk = client.db('shop').collection<{ n: number; text: string }>('bulk');
      const text = 'abcdefgh'.repeat(250_000);
      await bulk.insertMany(Array.from({ length: 25 }, (_, n) => ({ n, text })));
      let bytes = 0;
      for await (const one of bulk.find({}, { batchSize: 5 })) bytes += one.text === text ? text.length : 0;
      assert.equal(bytes, 50_000_000);
    }));

  it('writes without waiting for an answer', () =>
    using(site.client(as('alice')), async (client) => {
      const things = client.db('shop').collection<{ x: number }>('unasked');
      for (let x = 0; x < 20; x += 1) await things.insertOne({ x }, { writeConcern: { w: 0 } });
      await until(async () => (await things.find({}).toArray()).length === 20);
    }));

  it('keeps what sessions and transactions need', () =>
    using(site.client(as('alice'), { retryWrites: true }), async (client) => {
      const things = client.db('shop').collection<{ x: number }>('moved');
      const before = server.commands.length;
      await client.withSession((session) =>
        session.withTransaction(async () => {
          await things.insertOne({ x: 1 }, { session });
          await things.findOne({ x: 1 }, { session });
        }),
      );
      await things.insertOne({ x: 2 });
      const [insert, find, commit, retryable] = server.commands.slice(before).map((command) => command as Sent);
      assert.ok(insert && find && commit && retryable);
      assert.deepEqual([insert.startTransaction, insert.autocommit, String(insert.txnNumber)], [true, false, '1']);
      assert.deepEqual([find.autocommit, String(find.txnNumber), find.lsid], [false, '1', insert.lsid]);
      assert.deepEqual([commit.commitTransaction, String(commit.txnNumber), commit.lsid], [1, '1', insert.lsid]);
      assert.notEqual(retryable.txnNumber, undefined);
    }));

  it('refuses what a role does not allow, as a server does', () =>
    using(site.client(as('rita')), async (client) => {
      const shop = client.db('shop');
      await shop.collection('things').findOne({});
      const denied = /\w+ may not use mongodb\/shop/;
      await assert.rejects(shop.collection('things').insertOne({}), denied);
      await assert.rejects(client.db('payroll').collection('salaries').findOne({}), denied);
      await assert.rejects(shop.command({ createUser: 'eve', pwd: 'sesame', roles: [] }), denied);
      await shop.collection('things').findOne({});
    }));

  for (const user of ['bob', 'eve'])
    it(`tells ${user} why there is no way in`, () =>
      using(site.client(as(user)), async (client) => {
        await assert.rejects(client.db('shop').command({ ping: 1 }), new RegExp('may not use mongodb/shop'));
      }));

  it('refuses a client without a certificate in words', () =>
    using(site.client(undefined), async (client) => {
      await assert.rejects(client.db('shop').command({ ping: 1 }), /no certificate was presented; run psh login/);
    }));

  it('is cut by a lock while it waits, and says why', () =>
    using(site.client(as('alice')), async (client) => {
      const waiting = client.db('shop').collection('slow').findOne({});
      waiting.catch(() => {});
      const seen = async () => (await site.cluster.events({ types: ['mongodb.command'], user: 'alice' })).at(-1);
      await until(async () => (await seen())?.fields['collection'] === 'slow');
      const lock = await site.cluster.admin.call(createLock, { target: { user: 'alice' }, message: 'on leave' });
      await assert.rejects(waiting, /on leave/);
      await assert.rejects(client.db('shop').command({ ping: 1 }), /on leave/);
      await site.cluster.admin.call(deleteLock, { id: lock.id });
      await site.cluster.seen();
    }));

  it('leaves one session with all its connections in the log, and no secret', async () => {
    const own = await site.cluster.login('rita');
    await using(site.client(own, { minPoolSize: 3 }), async (client) => {
      const things = client.db('shop').collection('things');
      await Promise.all([1, 2, 3, 4].map(() => things.findOne({ word: 'audited' })));
    });
    const events = await site.cluster.events({ types: ['mongodb.command'], user: 'rita' });
    const about = events.filter(({ fields }) => String(fields['statement']).includes('audited'));
    assert.equal(about.length, 4);
    assert.equal(new Set(about.map(({ session }) => session)).size, 1);
    const text = JSON.stringify(await site.cluster.events({}));
    for (const secret of ['pencil', 'sesame']) assert.ok(!text.includes(secret), secret);
  });
});

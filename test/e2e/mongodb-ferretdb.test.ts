import assert from 'node:assert/strict';
import plugin from '@postern/plugin-mongodb';
import { dialTcp, needProgram } from '@postern/plugin-sdk/testing';
import { MongoClient, MongoServerError } from 'mongodb';
import { Authority } from '../../plugins/kubernetes/test/support/authority.js';
import { FerretdbServer, findFerretdb } from '../../plugins/mongodb/test/support/ferretdb-server.js';
import type { TestLogin } from '../support/login.js';
import { MongodbSite } from './support/mongodb.js';

function needFerretdb(context: { skip(): unknown }): string {
  return findFerretdb() ?? needProgram(context, 'ferretdb', '(test/support/build-ferretdb.sh)');
}

describe('a MongoDB-compatible server through a cluster', function () {
  this.timeout(60_000);
  let site: MongodbSite;
  let server: FerretdbServer;
  const logins = new Map<string, TestLogin>();
  const as = (user: string): MongoClient => site.client(logins.get(user) ?? assert.fail(user));

  before(async function () {
    server = await FerretdbServer.start(needFerretdb(this));
    site = await MongodbSite.start(server);
    for (const user of ['alice', 'rita', 'bob']) logins.set(user, await site.cluster.login(user));
  });
  afterEach(() => (site as MongodbSite | undefined)?.closeClients());
  after(() => (site as MongodbSite | undefined)?.[Symbol.asyncDispose]());

  it('lets nobody in who comes without the agent and has no password', async () => {
    const { host, port } = server.endpoint;
    const direct = new MongoClient(`mongodb://${host}:${port}/shop?directConnection=true`);
    await assert.rejects(direct.db('shop').collection('things').findOne({}), MongoServerError);
    await direct.close();
  });

  it('writes, reads, counts, sorts, changes, indexes and drops', async () => {
    const things = as('alice').db('shop').collection<{ x: number; y?: number }>('things');
    await things.insertMany(Array.from({ length: 300 }, (_, x) => ({ x })));
    assert.equal((await things.find({}, { batchSize: 50 }).toArray()).length, 300);
    assert.deepEqual((await things.find({ x: { $gte: 297 } }, { sort: { x: -1 } }).toArray()).map(({ x }) => x), [299, 298, 297]); // prettier-ignore
    assert.equal(await things.countDocuments({ x: { $lt: 5 } }), 5);
    assert.equal((await things.updateMany({ x: { $gt: 290 } }, { $set: { y: 1 } })).modifiedCount, 9);
    assert.equal((await things.findOneAndUpdate({ x: 1 }, { $set: { y: 7 } }, { returnDocument: 'after' }))?.y, 7);
    assert.equal((await things.deleteMany({ x: { $lt: 10 } })).deletedCount, 10);
    assert.equal(await things.createIndex({ x: 1 }), 'x_1');
    assert.deepEqual(await things.distinct('y'), [1]);
    await things.drop();
  });

  it('reports documents that the server rejects', async () => {
    const things = as('alice').db('shop').collection<{ _id: number }>('rejects');
    await assert.rejects(things.insertMany([{ _id: 1 }, { _id: 1 }, { _id: 2 }], { ordered: false }), /duplicate key/);
    const result = await site.cluster.event({ types: ['mongodb.result'], user: 'alice' });
    assert.ok(result);
    const results = await site.cluster.events({ types: ['mongodb.result'], user: 'alice' });
    assert.ok(results.some(({ fields }) => fields['rejected'] === 1 && fields['outcome'] === 'completed'));
  });

  it('carries megabytes in batches, and gives them back unchanged', async () => {
    const large = as('alice').db('shop').collection<{ n: number; text: string }>('large');
    const text = 'abcdefgh'.repeat(125_000);
    await large.insertMany(Array.from({ length: 8 }, (_, n) => ({ n, text })));
    let bytes = 0;
    for await (const one of large.find({}, { batchSize: 3 })) {
      assert.ok(one.text === text);
      bytes += one.text.length;
    }
    assert.equal(bytes, 8_000_000);
    await large.drop();
  });

  it('finds what users may see, and not what they may not', async () => {
    const shop = as('rita').db('shop');
    await shop.listCollections().toArray();
    const denied = /rita may not use mongodb\/shop/;
    await assert.rejects(shop.collection('things').insertOne({}), denied);
    await assert.rejects(as('rita').db('payroll').collection('salaries').findOne({}), denied);
    await assert.rejects(shop.command({ usersInfo: 1 }), denied);
    await assert.rejects(as('bob').db('shop').command({ ping: 1 }), /bob may not use mongodb\/shop/);
  });
});

describe('a MongoDB-compatible server that speaks TLS', function () {
  this.timeout(60_000);
  const authority = new Authority('mongodb test');
  after(() => authority[Symbol.dispose]());

  it('is reached where its certificate is of the authority that the resource names, and is probed', async function () {
    const program = needFerretdb(this);
    const { certificate, key } = authority.issue('mongo', ['DNS:mongo.internal', 'IP:127.0.0.1']);
    const server = await FerretdbServer.start(program, { tls: { certificate, key } });
    const tls = { mode: 'verify-full', ca: authority.certificate };
    await using site = await MongodbSite.start(server, { tls });
    const client = site.client(await site.cluster.login('alice'));
    assert.equal((await client.db('shop').command({ ping: 1 }))['ok'], 1);
    const [login] = await site.cluster.events({ types: ['mongodb.login'] });
    assert.deepEqual([login?.fields['user'], login?.fields['tls']], ['app', 'TLSv1.3']);
    const { Probe } = await plugin.agent();
    const spec = plugin.protocol.auth.resource.parse({ ...server.endpoint, tls, auth: { method: 'none' } });
    const resource = { name: 'shop', labels: {}, spec };
    const dial = () => dialTcp(server.endpoint);
    assert.ok(Probe);
    const health = await new Probe().probe({ resource, dial, signal: AbortSignal.timeout(10_000) });
    assert.ok(health.ok);
    assert.match(health.version ?? '', /^\d+\.\d+/);
  });

  it('is not spoken to where its certificate is of somebody else', async function () {
    const program = needFerretdb(this);
    using other = new Authority('somebody else');
    const { certificate, key } = other.issue('mongo', ['DNS:mongo.internal', 'IP:127.0.0.1']);
    const server = await FerretdbServer.start(program, { tls: { certificate, key } });
    await using site = await MongodbSite.start(server, { tls: { mode: 'verify-full', ca: authority.certificate } });
    const client = site.client(await site.cluster.login('alice'));
    await assert.rejects(client.db('shop').command({ ping: 1 }), /the server could not be reached securely/);
  });
});

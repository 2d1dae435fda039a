import assert from 'node:assert/strict';
import { Authority } from '../../plugins/kubernetes/test/support/authority.js';
import { ScriptedServer } from '../../plugins/mongodb/test/support/scripted-server.js';
import { MongodbSite } from './support/mongodb.js';

describe('a MongoDB server that knows its users by certificates', function () {
  this.timeout(60_000);
  const authority = new Authority('mongodb certificates');
  const { certificate, key } = authority.issue('mongo', ['IP:127.0.0.1']);
  after(() => authority[Symbol.dispose]());

  /** A server that believes the authority that `clients` returns. */
  async function begin(clients: (site: MongodbSite) => string) {
    const known: { site?: MongodbSite } = {};
    const server = await ScriptedServer.start({
      users: {},
      tls: { certificate, key, clients: () => (known.site ? clients(known.site) : '') },
    });
    const spec = { tls: { mode: 'verify-full', ca: authority.certificate }, auth: { method: 'certificate' } };
    const site = await MongodbSite.start(server, spec);
    known.site = site;
    return { server, site };
  }

  it('is shown one of the cluster for the database user, of which the client has nothing', async () => {
    const { server, site } = await begin(({ cluster }) => cluster.running.state.view.bundle('db_client').x509.join(''));
    await using _site = site;
    const client = site.client(await site.cluster.login('alice'));
    await client.db('shop').collection('things').insertOne({ x: 1 });
    assert.deepEqual([...new Set(server.logins)], ['app']);
    const [login] = await site.cluster.events({ types: ['mongodb.login'] });
    assert.deepEqual(login?.fields, { ...login?.fields, user: 'app', method: 'certificate', tls: 'TLSv1.3' });
  });

  it('may refuse it, which the client is told in words', async () => {
    const { site } = await begin(() => authority.certificate);
    await using _site = site;
    const client = site.client(await site.cluster.login('alice'));
    await assert.rejects(client.db('shop').command({ ping: 1 }), /the server refused the login of app/);
  });
});

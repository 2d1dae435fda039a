import { storeConformance } from './conformance.js';
import { openEtcd } from './etcd-harness.js';
import { EtcdServer, needEtcd } from './etcd-server.js';

describe('a store in etcd', function () {
  this.timeout(60_000);
  let server: EtcdServer;

  before(async function () {
    server = await EtcdServer.start(needEtcd(this), ['--unsafe-no-fsync']);
  });
  after(() => server?.[Symbol.asyncDispose]());

  storeConformance('etcd', () => openEtcd(server), { persistent: true, remote: true });
});

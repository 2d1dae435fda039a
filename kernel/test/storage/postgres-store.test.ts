import { storeConformance } from './conformance.js';
import { PostgresHarness } from './postgres-harness.js';
import { needPostgres, PostgresServer } from './postgres-server.js';

describe('a store in PostgreSQL', function () {
  this.timeout(60_000);
  let server: PostgresServer;

  before(async function () {
    needPostgres(this);
    server = await PostgresServer.start();
  });
  after(() => server?.[Symbol.asyncDispose]());

  storeConformance('PostgreSQL', () => PostgresHarness.open(server), { persistent: true, remote: true });
});

import { Lent, storeConformance } from './conformance.js';
import { openPostgres } from './postgres-harness.js';
import { needPostgres, PostgresServer } from './postgres-server.js';

describe('a store in PostgreSQL', function () {
  this.timeout(60_000);
  let server: PostgresServer;

  before(async function () {
    needPostgres(this);
    server = await PostgresServer.start();
  });
  after(async () => {
    await lent[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  const lent = new Lent(() => openPostgres(server));

  storeConformance('PostgreSQL', () => lent.open(), { persistent: true, remote: true });
});

import assert from 'node:assert/strict';
import { needPostgres, PostgresServer } from './support/postgres-server.js';
import { Site } from './support/site.js';
import { Stand } from './support/stand.js';

/** Names of roles and databases that PostgreSQL takes. */
const names = [
  'with space',
  "o'clock",
  'double"quote',
  'key=value',
  'back\\slash',
  'ünïcödé Ω 名',
  '*',
  '$user',
  '-c',
  'a;drop table b',
  `line\nbreak`,
  'x'.repeat(63),
];

const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
/** As PostgreSQL shortens it: by bytes, and not in the middle of a character. */
const long = `${'ü'.repeat(31)}x`;

describe('a database with an odd name, and its user', function () {
  this.timeout(60_000);
  let site: Site;
  let database: PostgresServer;
  let stand: Stand;

  before(async function () {
    needPostgres(this);
    site = await Site.start();
    database = await PostgresServer.start({ hba: ['host all all all trust'] });
    for (const name of [...names, long])
      await database.sql(
        `create role ${identifier(name)} login; create database ${identifier(name)} template template0`,
      );
    const here = { host: '127.0.0.1', port: database.port, tls: { mode: 'disable' }, auth: { method: 'trust' } };
    stand = await Stand.start({
      spec: here,
      access: {
        alice: { users: ['*'], databases: ['*'] },
        bob: { users: ['x*', 'with space'], databases: ['with space', 'x*'] },
      },
    });
  });
  after(async () => {
    await (stand as Stand | undefined)?.[Symbol.asyncDispose]();
    await (database as PostgresServer | undefined)?.[Symbol.asyncDispose]();
    await (site as Site | undefined)?.[Symbol.asyncDispose]();
  });
  beforeEach(() => stand.events.splice(0));

  /** Who and where psql says that it is, or why not. */
  async function whoami(name: string, as = 'alice'): Promise<string> {
    const statement = "select current_user || '|' || current_database()";
    const { stdout, stderr } = await site.psql(stand, ['-c', statement], { as, set: { user: name, dbname: name } });
    return stdout || stderr;
  }

  for (const name of names)
    it(`is reached as ${JSON.stringify(name.slice(0, 20))}, and the log says its name`, async () => {
      assert.equal(await whoami(name), `${name}|${name}\n`);
      await stand.idle();
      const [login] = stand.seen('login');
      assert.deepEqual([login?.['user'], login?.['database']], [name, name]);
    });

  it('is the one whose name a role has, and no star in a name opens others', async () => {
    assert.equal(await whoami('with space', 'bob'), 'with space|with space\n');
    for (const other of ['*', 'key=value', 'a;drop table b']) assert.match(await whoami(other, 'bob'), /FATAL/, other);
  });

  it('is not reached by a longer name, which the server would cut to one that is denied or allowed', async () => {
    for (const name of ['x'.repeat(64), `${long}y`, 'x'.repeat(5000)]) {
      assert.match(await whoami(name, 'bob'), /FATAL: .*(63 bytes|length)/);
      assert.match(await whoami(name), /FATAL: .*(63 bytes|length)/);
    }
    await stand.idle();
    assert.deepEqual(stand.seen('login'), []);
  });
});

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { needProgram } from '@postern/plugin-sdk/testing';
import { needPostgres } from './support/postgres-server.js';
import { works } from './support/program.js';
import { Site } from './support/site.js';
import type { Stand } from './support/stand.js';

/** Pythons that may have a driver: one that was named, the system's, whatever else is on the PATH. */
const pythons = [process.env['POSTERN_TEST_PYTHON'], '/usr/bin/python3', 'python3'].filter(
  (path) => path !== undefined,
);

/** A Python with a driver. Skips a test whose driver is not installed, loudly. */
function needDriver(context: Mocha.Context, name: string, aptPackage: string): string {
  const python = pythons.find((path) => works(path, '-c', `import ${name}`));
  return python ?? needProgram(context, `python3 with ${name}`, aptPackage);
}

const script = (name: string): string => fileURLToPath(new URL(`clients/${name}`, import.meta.url));

describe('a driver', function () {
  this.timeout(60_000);
  let site: Site;
  let stand: Stand;
  before(async function () {
    needPostgres(this);
    site = await Site.start();
  });
  after(() => (site as Site | undefined)?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    stand = await site.stand();
  });
  afterEach(() => stand[Symbol.asyncDispose]());

  /** Runs a client that prints what it was told as JSON. */
  async function told(program: string, name: string): Promise<Record<string, unknown>> {
    const files = await site.files(stand, 'alice');
    const env = {
      CONNECTION: JSON.stringify({ ...files, port: stand.port, hostname: stand.hostname }),
      CONNINFO: await site.connection(stand, 'alice'),
    };
    const { stdout, stderr, status } = await site.run(program, [script(name)], { env });
    assert.equal(status, 0, stderr);
    await stand.idle();
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  /** Every statement has exactly one result of its own. */
  function assureAnswered(): void {
    const key = (fields: Readonly<Record<string, unknown>>): string =>
      `${String(fields['connection'])}/${String(fields['sequence'])}`;
    const asked = [...stand.seen('query'), ...stand.seen('call')].map(key);
    const answered = stand
      .seen('result')
      .filter(({ part }) => part === undefined || part === 1)
      .map(key);
    const twice = answered.filter((one, index) => answered.indexOf(one) < index);
    const told = (type: string) => stand.seen(type).filter((fields) => twice.includes(key(fields)));
    assert.deepEqual(twice, [], `answered twice: ${JSON.stringify([told('query'), told('result')])}`);
    assert.deepEqual([...asked].sort(), [...answered].sort());
    assert.deepEqual(stand.seen('failure'), []);
  }

  it('node-postgres works, with TLS on request and direct', async () => {
    const answers = await told(process.execPath, 'node-pg.mjs');
    assert.deepEqual(answers['direct'], answers['postgres']);
    assert.deepEqual(answers['direct'], [
      { rows: [{ one: 1 }], rowCount: 1 },
      { rows: [{ text: 'ä', bytes: { type: 'Buffer', data: [0, 255] }, nothing: null }], rowCount: 1 },
      { rows: [{ sum: 2 }], rowCount: 1 },
      { rows: [{ sum: 3 }], rowCount: 1 },
      { code: '22012' },
      { rows: [{ still: 1 }], rowCount: 1 },
    ]);
    assureAnswered();
    const [, second, third, fourth] = stand.seen('query');
    assert.deepEqual(second?.['parameters'], ['ä', '\\x00ff', null]);
    assert.deepEqual(second['binary'], [2]);
    assert.deepEqual([third?.['name'], third?.['statement']], ['sum', 'select $1::int + 1 as sum']);
    assert.deepEqual([fourth?.['statement'], fourth?.['parameters']], ['select $1::int + 1 as sum', ['2']]);
  });

  it('psycopg2 works', async function () {
    const python = needDriver(this, 'psycopg2', 'python3-psycopg2');
    assert.deepEqual(await told(python, 'psycopg2_client.py'), {
      count: 1020,
      lines: 1000,
      fetched: 1000,
      error: '22012',
    });
    assureAnswered();
  });

  it('asyncpg works', async function () {
    const python = needDriver(this, 'asyncpg', 'python3-asyncpg');
    assert.deepEqual(await told(python, 'asyncpg_client.py'), {
      sum: 5,
      count: 2000,
      copied: 5000,
      fetched: 7000,
      cancelled: 'goes on',
      error: '22012',
    });
    const inserts = stand.seen('query').filter(({ statement }) => String(statement).startsWith('insert'));
    assert.equal(inserts.length, 2000);
    assert.equal(stand.seen('result').filter(({ copy }) => copy === 'in').length, 1);
    assert.equal(stand.seen('cancel').length, 1);
  });

  it('psycopg 3 works, pipelines and cancels', async function () {
    const python = needDriver(this, 'psycopg', 'python3-psycopg');
    const { libpq, ...ways } = await told(python, 'psycopg3_client.py');
    for (const answers of Object.values(ways))
      assert.deepEqual(answers, {
        sum: 5,
        bytes: '00ff',
        copied: 3000,
        pipelined: 124_750,
        error: '22012',
        cancelled: '57014',
        still: 'goes on',
      });
    assureAnswered();
    assert.ok(stand.seen('result').some(({ outcome }) => outcome === 'skipped'));
    const via = Number(libpq) >= 180_000 ? ['tls', 'tls'] : ['plain'];
    assert.deepEqual(
      stand.seen('cancel').map((event) => event['via']),
      via,
    );
  });

  it('pgbench works in all its modes', async function () {
    const pgbench = needProgram(this, 'pgbench', 'postgresql-contrib');
    const connection = await site.connection(stand, 'alice');
    const initialised = await site.run(pgbench, ['-i', '-q', '-s', '1', connection]);
    assert.equal(initialised.status, 0, initialised.stderr);
    for (const mode of ['simple', 'extended', 'prepared']) {
      await using other = await site.stand();
      const connection = await site.connection(other, 'alice');
      const args = ['-M', mode, '-c', '4', '-j', '2', '-t', '50', '-n', connection];
      const { stdout, stderr, status } = await site.run(pgbench, args);
      assert.equal(status, 0, stderr);
      assert.match(stdout, /number of transactions actually processed: 200\/200/);
      await other.idle();
      const updates = other
        .seen('query')
        .filter(({ statement }) => String(statement).startsWith('UPDATE pgbench_accounts'));
      assert.equal(updates.length, 200, mode);
      const results = other.seen('result');
      assert.equal(results.length, other.seen('query').length, mode);
      assert.ok(results.every(({ outcome }) => outcome === 'completed'));
    }
  });

  it('pg_dump makes the same dump as without us', async function () {
    const dump = needProgram(this, 'pg_dump', 'postgresql-client');
    const through = await site.run(dump, [await site.connection(stand, 'alice')]);
    const direct = await site.run(dump, [
      `host=${site.database.directory} port=${site.database.port} user=postgres dbname=bench`,
    ]);
    assert.equal(through.status, 0, through.stderr);
    // Newer versions write a random key between the lines of a dump.
    const plain = (text: string): string => text.replace(/^\\(un)?restrict .*$/gm, '');
    assert.equal(plain(through.stdout), plain(direct.stdout));
    assureAnswered();
  });
});

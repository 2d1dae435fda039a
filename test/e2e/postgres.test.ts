import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createLock, deleteLock, listRecordings, updateUser } from '@postern/kernel/api/contract';
import { parseVerifierKey, verifyLog } from '@postern/kernel/audit';
import { needProgram } from '@postern/plugin-sdk/testing';
import { postgresPrograms } from '../../plugins/postgres/test/support/postgres-server.js';
import { standardPlugins } from '../../config/src/standard.js';
import { TestCluster, until } from '../support/cluster.js';
import type { TestLogin } from '../support/login.js';
import { DatabaseSite } from './support/database.js';

describe('psql through a cluster', function () {
  this.timeout(30_000);
  let site: DatabaseSite;
  let alice: TestLogin;
  let bob: TestLogin;
  let carol: TestLogin;
  let brief: TestLogin;

  before(async function () {
    needProgram(this, 'psql', 'postgresql-client');
    if (postgresPrograms === undefined) needProgram(this, 'initdb', 'postgresql');
    site = await DatabaseSite.start();
    const { cluster } = site;
    await cluster.addUser('carol', { roles: ['dba'] });
    // Here, since the clients of the API stay until the cluster goes.
    alice = await cluster.login('alice');
    bob = await cluster.login('bob');
    carol = await cluster.login('carol');
    brief = await cluster.login('alice', { ttl: 60 });
  });
  after(() => (site as DatabaseSite | undefined)?.[Symbol.asyncDispose]());

  /** A psql that runs on, with what it has printed. */
  async function running(login: TestLogin, sql: string) {
    const args = ['-XAtq', await site.connection(login), '-c', "select 'here'", '-c', sql];
    const child: ChildProcessWithoutNullStreams = spawn('psql', args, { env: { ...process.env, HOME: site.home } });
    const printed = { out: '', errors: '' };
    child.stdout.on('data', (text) => (printed.out += String(text)));
    child.stderr.on('data', (text) => (printed.errors += String(text)));
    const closed = once(child, 'close');
    await until(() => printed.out.includes('here') || child.exitCode !== null);
    assert.equal(child.exitCode, null, printed.errors);
    return { child, printed, closed };
  }

  it('logs in at the database by a client certificate', async () => {
    const { stdout, stderr } = await site.psql(alice, 'select current_user, count(*) from generate_series(1, 3)');
    assert.equal(stdout, 'app|3\n', stderr);
  });

  it('logs in with a password that the agent alone knows', async () => {
    await site.register('scram', { auth: { method: 'password', secret: 'pencil' } });
    const { stdout, stderr } = await site.psql(alice, 'select current_user', { resource: 'scram', user: 'scram' });
    assert.equal(stdout, 'scram\n', stderr);
  });

  it('logs in where the database trusts the agent', async () => {
    await site.register('trust', { auth: { method: 'trust' } });
    const { stdout, stderr } = await site.psql(alice, 'select current_user', { resource: 'trust', user: 'trusted' });
    assert.equal(stdout, 'trusted\n', stderr);
  });

  for (const wish of [{ user: 'app' }, { user: 'nobody', dbname: 'postgres' }])
    it(`says why ${JSON.stringify(wish)} is denied`, async () => {
      const { status, stdout, stderr } = await site.psql(bob, 'select 1', wish);
      assert.deepEqual([status, stdout], [2, '']);
      assert.match(stderr, /FATAL: +\S.{10,}/);
      await site.cluster.event({ user: 'bob', types: ['session.denied'] });
    });

  it('is refused without a certificate', async () => {
    const { status, stderr } = await site.psql(undefined, 'select 1');
    assert.equal(status, 2);
    assert.match(stderr, /certificate/);
  });

  it('is refused with a certificate of another cluster', async () => {
    await using other = await TestCluster.start({
      plugins: standardPlugins,
      cluster: 'other.test',
      roles: [{ name: 'dba', allow: { postgres: { labels: { '*': '*' }, users: ['*'], databases: ['*'] } } }],
      users: { alice: { roles: ['dba'] } },
    });
    const { status, stdout } = await site.psql(await other.login('alice'), 'select 1');
    assert.deepEqual([status, stdout], [2, '']);
  });

  it('is refused once a role was taken away', async () => {
    assert.equal((await site.psql(carol, 'select 1')).stdout, '1\n');
    await site.cluster.admin.call(updateUser, { name: 'carol', roles: ['guest'] });
    await site.cluster.seen();
    const { status, stdout } = await site.psql(carol, 'select 1');
    assert.deepEqual([status, stdout], [2, '']);
  });

  it('is cut by a lock within two seconds, and prints why', async () => {
    const { printed, closed } = await running(alice, 'select pg_sleep(20)');
    const from = performance.now();
    const { id } = await site.cluster.admin.call(createLock, { target: { user: 'alice' }, message: 'laptop lost' });
    await closed;
    assert.ok(performance.now() - from < 2000);
    assert.match(printed.errors, /FATAL: .*laptop lost/);
    await site.cluster.admin.call(deleteLock, { id });
    await site.cluster.seen();
  });

  it('cancels what runs at ^C', async () => {
    const { child, printed, closed } = await running(alice, 'select pg_sleep(25)');
    const sleeping = "select count(*) from pg_stat_activity where query = 'select pg_sleep(25)' and state = 'active'";
    await until(async () => (await site.database.sql(sleeping)).trim() === '1');
    child.kill('SIGINT');
    await closed;
    assert.match(printed.errors, /canceling statement due to user request/);
  });

  it('copies data in and out unchanged', async () => {
    const rows = Array.from(
      { length: 20_000 },
      (_, row) => `${row}\t${createHash('md5').update(`${row}`).digest('hex')}`,
    );
    const input = `${rows.join('\n')}\n`;
    const made = await site.psql(alice, 'create table copied (n int, t text)');
    assert.equal(made.status, 0, made.stderr);
    assert.equal((await site.psql(alice, 'copy copied from stdin', { input })).status, 0);
    const { stdout } = await site.psql(alice, 'copy (select * from copied order by n) to stdout');
    const sum = (text: string) => createHash('sha256').update(text).digest('hex');
    assert.equal(sum(stdout), sum(input));
  });

  it('leaves each event once, in order, a recording, and a log that verifies', async () => {
    const sql = "select 'a sentence for the log' from generate_series(1, 7)";
    assert.equal((await site.psql(alice, sql)).status, 0);
    const { session = '' } = await site.cluster.event({ types: ['postgres.query'], text: 'a sentence for the log' });
    await site.cluster.event({ session, types: ['session.end'] });
    const events = await site.cluster.events({ session });
    const order = ['session.start', 'postgres.query', 'postgres.result', 'session.end'];
    assert.deepEqual(
      events.map(({ type }) => type).filter((type) => order.includes(type)),
      order,
    );
    const of = (type: string) => events.find((event) => event.type === type);
    assert.equal(of('postgres.query')?.fields['statement'], sql);
    assert.equal(of('postgres.result')?.fields['rows'], 7);
    const recordings = await site.cluster.admin.call(listRecordings, {});
    const own = recordings.filter((recording) => recording.session === session);
    assert.deepEqual(
      own.map(({ kind }) => kind),
      ['queries'],
    );
    const { auditLog, authorities } = site.cluster.running.state;
    const report = await verifyLog({
      directory: auditLog.directory,
      keys: [parseVerifierKey(authorities.auditVerifier)],
    });
    assert.equal(report.ok, true, JSON.stringify(report));
  });

  it('is refused with a certificate that has expired', async () => {
    const { clock } = site.cluster;
    assert.equal((await site.psql(brief, 'select 1')).stdout, '1\n');
    clock.advance(120_000);
    const { status, stdout } = await site.psql(brief, 'select 1');
    clock.advance(-120_000);
    assert.deepEqual([status, stdout], [2, '']);
  });
});

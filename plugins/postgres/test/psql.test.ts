import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import type { Denial } from '@postern/plugin-sdk';
import { needPostgres } from './support/postgres-server.js';
import { Site } from './support/site.js';
import type { Stand } from './support/stand.js';
import { until } from './support/until.js';

describe('psql', function () {
  this.timeout(30_000);
  let site: Site;
  let stand: Stand;
  before(async function () {
    needPostgres(this);
    site = await Site.start();
    await site.database.sql(`create table items (id int primary key, name text); grant all on items to app;`, 'bench');
  });
  after(() => (site as Site | undefined)?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    stand = await site.stand();
  });
  afterEach(() => stand[Symbol.asyncDispose]());

  /** A psql that stays, with what it has printed. */
  async function start(...args: string[]) {
    const child: ChildProcessWithoutNullStreams = spawn(
      'psql',
      ['-XAtq', await site.connection(stand, 'alice'), ...args],
      {
        env: { PATH: process.env['PATH'], HOME: site.home, PGAPPNAME: 'stays' },
      },
    );
    const printed = { out: '', errors: '' };
    child.stdout.on('data', (text) => (printed.out += String(text)));
    child.stderr.on('data', (text) => (printed.errors += String(text)));
    const closed = once(child, 'close');
    return { child, printed, closed };
  }

  /** Waits until the server runs a statement that begins so. */
  const running = (beginning: string): Promise<void> =>
    until(async () => {
      const active = `select count(*) from pg_stat_activity where state = 'active' and query like '${beginning}%'`;
      return (await site.database.sql(active)).trim() === '1';
    });

  it('works, and its statements, results and errors are in the log in order', async () => {
    const { status, stdout, stderr } = await site.psql(stand, [
      ...['-c', "insert into items values (1, 'a'), (2, 'b')"],
      ...['-c', 'select name from items order by id'],
      ...['-c', 'insert into items values (1)'],
    ]);
    await stand.idle();
    assert.equal(stdout, 'a\nb\n');
    assert.match(stderr, /duplicate key/);
    assert.equal(status, 1);
    assert.deepEqual(
      stand.events.map(({ type, fields }) => [type, fields['statement'] ?? fields['command'] ?? fields['sqlstate']]),
      [
        ['start', undefined],
        ['postgres.login', undefined],
        ['postgres.query', "insert into items values (1, 'a'), (2, 'b')"],
        ['postgres.result', 'INSERT'],
        ['postgres.query', 'select name from items order by id'],
        ['postgres.result', 'SELECT'],
        ['postgres.query', 'insert into items values (1)'],
        ['postgres.result', '23505'],
        ['end', undefined],
      ],
    );
    assert.equal(stand.seen('result')[1]?.['rows'], 2);
    assert.equal(stand.outcomes[0]?.kind, 'ended');
  });

  it('reads a service file as login writes it', async () => {
    const { stdout, stderr } = await site.service(stand, 'alice', ['-c', 'select current_user, current_database()']);
    assert.equal(stdout, 'app|bench\n', stderr);
  });

  it('prints why somebody may not enter', async () => {
    const { status, stderr } = await site.psql(stand, ['-c', 'select 1'], { as: 'bob' });
    assert.equal(status, 2);
    assert.match(stderr, /FATAL: {2}bob may not use database bench as app\nHINT: {2}"psh db ls"/);
    await stand.idle();
    assert.deepEqual(
      stand.events.map(({ type }) => type),
      ['denied'],
    );
  });

  it('prints why there is no session without a certificate', async () => {
    const { stderr } = await site.psql(stand, ['-c', 'select 1'], { set: { sslcert: '', sslkey: '' } });
    assert.match(stderr, /FATAL: {2}no certificate of this cluster was shown\nHINT: {2}Run "psh login"/);
  });

  it('prints what to do where it comes without TLS', async () => {
    const { stderr } = await site.psql(stand, ['-c', 'select 1'], { set: { sslmode: 'disable' } });
    assert.match(
      stderr,
      /FATAL: {2}this proxy takes encrypted connections only\nHINT: {2}Connect with sslmode=verify-full/,
    );
  });

  it('is cancelled at ^C, and goes on', async () => {
    const { child, printed, closed } = await start('-c', 'select pg_sleep(30)', '-c', "select 'after'");
    await running('select pg_sleep(30)');
    child.kill('SIGINT');
    await closed;
    assert.match(printed.errors, /canceling statement due to user request/);
    await until(() => stand.live === 0);
    assert.deepEqual(
      stand.seen('cancel').map(({ via }) => via),
      ['plain'],
    );
    assert.equal(stand.seen('result')[0]?.['sqlstate'], '57014');
  });

  const locked: Denial = { code: 'locked', message: 'alice is locked: laptop lost' };

  it('prints why its session was cut while a statement runs', async () => {
    const { printed, closed } = await start('-c', 'select pg_sleep(30)');
    await running('select pg_sleep(30)');
    const began = performance.now();
    stand.cut(locked);
    await closed;
    assert.ok(performance.now() - began < 2000);
    assert.match(printed.errors, /FATAL: {2}terminating connection: alice is locked: laptop lost/);
    await stand.idle();
    assert.equal(stand.outcomes[0]?.kind, 'cut');
    assert.equal(stand.seen('result')[0]?.['outcome'], 'unanswered');
  });

  it('leaves no statement running when its session is cut, or its client is gone', async () => {
    for (const end of ['cut', 'kill'] as const) {
      const { child, closed } = await start('-c', 'select pg_sleep(31)');
      await running('select pg_sleep(31)');
      if (end === 'cut') stand.cut(locked);
      else child.kill('SIGKILL');
      await closed;
      await until(async () => {
        const left = "select count(*) from pg_stat_activity where query = 'select pg_sleep(31)'";
        return (await site.database.sql(left)).trim() === '0';
      }, 4000);
    }
  });

  it('prints why its session was cut in the middle of a large result', async () => {
    const { child, printed, closed } = await start(
      '-c',
      "\\set FETCH_COUNT 0\nselect 'row'",
      '-c',
      "copy (select repeat('x', 10000) from generate_series(1, 100000)) to stdout",
    );
    await until(() => printed.out.length > 1_000_000);
    stand.cut(locked);
    await closed;
    assert.match(printed.errors, /terminating connection: alice is locked: laptop lost/);
    assert.notEqual(child.exitCode, 0);
  });

  it('prints why its session was cut while it was idle', async () => {
    const { child, printed, closed } = await start();
    child.stdin.write("select 'ready';\n");
    await until(() => printed.out.includes('ready'));
    stand.cut(locked);
    await stand.idle();
    child.stdin.end('select 1;\n');
    await closed;
    assert.match(printed.errors, /FATAL: {2}terminating connection: alice is locked: laptop lost/);
  });

  it('is told the reason by a server that shuts down', async () => {
    const { printed, closed } = await start('-c', 'select pg_sleep(30)');
    await running('select pg_sleep(30)');
    await site.database.sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where query = 'select pg_sleep(30)'",
    );
    await closed;
    assert.match(printed.errors, /FATAL: {2}terminating connection due to administrator command/);
    await stand.idle();
    assert.equal(stand.seen('result')[0]?.['sqlstate'], '57P01');
  });

  it('a role that is taken on is in the log, whichever way it is taken', async () => {
    const set = { options: '-c role=readonly' };
    const { stdout, stderr } = await site.psql(stand, ['-c', 'select current_user', '-c', 'set role app'], { set });
    assert.equal(stdout, 'readonly\n', stderr);
    await stand.idle();
    const [login] = stand.seen('login');
    assert.equal((login?.['settings'] as Record<string, string>)['options'], '-c role=readonly');
    assert.equal(stand.seen('query')[1]?.['statement'], 'set role app');
    const forbidden = await site.psql(stand, ['-c', 'select 1'], { set: { options: '-c role=owner' } });
    assert.match(forbidden.stderr, /permission denied to set role "owner"/);
  });

  it('waits for the log where the log asks it to', async () => {
    await using slow = await site.stand({
      onEvent: (type) => (type === 'postgres.query' ? new Promise((resolve) => setTimeout(resolve, 300)) : undefined),
    });
    const began = performance.now();
    const { stdout } = await site.psql(slow, ['-c', 'select 1']);
    assert.equal(stdout, '1\n');
    assert.ok(performance.now() - began >= 300);
  });

  it('runs nothing that the log did not take', async () => {
    await using full = await site.stand({
      onEvent: (type, { statement }) => {
        if (type === 'postgres.query' && String(statement).includes('99')) throw new Error('disk full');
      },
    });
    const { stderr } = await site.psql(full, ['-c', 'insert into items values (99)']);
    assert.match(stderr, /FATAL: {2}terminating connection: .*audit log is unavailable/);
    assert.equal((await site.database.sql('select count(*) from items where id = 99', 'bench')).trim(), '0');
  });
});

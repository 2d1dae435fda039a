import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { createLock, deleteLock } from '@postern/kernel/api/contract';
import mysql2 from 'mysql2/promise';
import { needMariadb } from '../../plugins/mysql/test/support/mariadb-server.js';
import { until } from '../support/cluster.js';
import type { TestLogin } from '../support/login.js';
import { skipWithout } from '../support/skip-without.js';
import { MysqlSite } from './support/mysql.js';

describe('mariadb and drivers through a cluster', function () {
  this.timeout(60_000);
  let site: MysqlSite;
  let socket: string;
  const logins = new Map<string, TestLogin>();
  const as = (user: string): TestLogin => logins.get(user) ?? assert.fail(user);

  before(async function () {
    needMariadb(this);
    site = await MysqlSite.start();
    for (const user of ['alice', 'rob', 'bob', 'eve']) logins.set(user, await site.cluster.login(user));
    socket = await site.forward(as('alice'));
  });
  after(() => (site as MysqlSite | undefined)?.[Symbol.asyncDispose]());

  const query = (sql: string, { user = 'app', at = socket, database = 'bench' } = {}): Promise<string> =>
    site.mariadb([`--socket=${at}`, '-u', user, ...(database === '' ? [] : [database]), '-e', sql]);

  it('logs in at the database by a client certificate', async () => {
    assert.equal(await query('select substring_index(current_user(), "@", 1), database()'), 'app\tbench\n');
  });

  for (const user of ['native', 'ed'])
    it(`logs in as ${user} with a password that the agent alone knows`, async () => {
      await site.register(`by-${user}`, { auth: { method: 'password', secret: 'pencil' } });
      const at = await site.forward(as('alice'), `by-${user}`);
      assert.match(await query('select current_user()', { user, at }), new RegExp(`^${user}@`));
    });

  it('tells the client the version of the real server, once it is known', async () => {
    await query('select 1');
    assert.match(await site.mariadb([`--socket=${socket}`, '-u', 'app', '-e', 'status']), /Server version:\s+10\.11\./);
  });

  it('serves a port of its own for a client that names nobody', async () => {
    const to = ['-h', '127.0.0.1', '-P', `${site.port(0)}`, ...(await site.tls(as('alice')))];
    assert.equal(await site.mariadb([...to, '-u', 'app', 'bench', '-e', 'select database()']), 'bench\n');
  });

  it('serves a port for all databases to a client that names one', async () => {
    const { certificate: cert, key } = as('alice');
    const connection = await mysql2.createConnection({
      host: site.cluster.hostname('mysql', 'shop'),
      stream: () => net.connect(site.port(1), '127.0.0.1'),
      user: 'app',
      database: 'bench',
      ssl: { ca: site.cluster.authorities, cert, key, verifyIdentity: true },
    });
    const [rows] = await connection.query('select database() as name');
    assert.deepEqual(rows, [{ name: 'bench' }]);
    await connection.end();
  });

  it('refuses a client on a port that does not encrypt', async () => {
    const printed = await site.mariadb([
      '-h',
      '127.0.0.1',
      '-P',
      `${site.port(0)}`,
      '--skip-ssl',
      '-u',
      'app',
      '-e',
      'select 1',
    ]);
    assert.match(printed, /ERROR 3159 .*psh login/);
  });

  it('says why a user or a schema is denied, and a resource', async () => {
    assert.match(
      await query('select 1', { user: 'root' }),
      /ERROR 1045 \(28000\): alice may not use mysql\/shop with user "root"/,
    );
    assert.match(
      await query('select 1', { database: 'hidden' }),
      /ERROR 1045 \(28000\): alice may not use mysql\/shop .*"hidden"/,
    );
    const [bob, eve] = [await site.forward(as('bob')), await site.forward(as('eve'))];
    assert.match(await query('select 1', { at: bob }), /ERROR 1045 \(28000\): bob may not use/);
    assert.match(await query('select 1', { at: eve }), /ERROR 1045 \(28000\): eve may not use/);
    const nobody = await site.forward(undefined);
    assert.match(
      await query('select 1', { at: nobody }),
      /ERROR 1045 \(28000\): no certificate was presented; run psh login/,
    );
  });

  for (const change of ['use hidden', 'USE `hidden`', '/* x */ use/**/hidden', '/*!40000 use hidden */'])
    it(`does not change to a denied schema by ${change}, and goes on`, async () => {
      const connection = await mysql2.createConnection({ socketPath: socket, user: 'app', database: 'bench' });
      await assert.rejects(connection.query(change), { errno: 1044 });
      const [rows] = await connection.query('select database() as name');
      assert.deepEqual(rows, [{ name: 'bench' }]);
      await connection.query('use shop_1');
      assert.deepEqual((await connection.query('select database() as name'))[0], [{ name: 'shop_1' }]);
      await connection.end();
    });

  it('changes the user where roles allow it, and says so where they do not', async () => {
    await site.register('changing', { auth: { method: 'password', secret: 'pencil' } });
    const at = await site.forward(as('alice'), 'changing');
    const connection = await mysql2.createConnection({ socketPath: at, user: 'native', database: 'bench' });
    await connection.changeUser({ user: 'ed', database: 'shop_1' });
    const [rows] = await connection.query('select substring_index(current_user(), "@", 1) as who, database() as name');
    assert.deepEqual(rows, [{ who: 'ed', name: 'shop_1' }]);
    await assert.rejects(connection.changeUser({ user: 'root' }), /may not use/);
    connection.destroy();
  });

  it('prepares, executes and shows what it executed', async () => {
    const connection = await mysql2.createConnection({
      socketPath: socket,
      user: 'app',
      database: 'bench',
      multipleStatements: true,
    });
    await connection.query(
      'create table if not exists t (id int primary key, name varchar(50), at datetime, n bigint)',
    );
    await connection.execute('insert into t values (?, ?, ?, ?)', [1, "O'Hara", '2026-01-02 03:04:05', null]);
    const [rows] = await connection.execute('select name from t where id = ?', [1]);
    assert.deepEqual(rows, [{ name: "O'Hara" }]);
    await assert.rejects(connection.execute('insert into t values (?, ?, ?, ?)', [1, 'x', null, 5]), /Duplicate/);
    const [results] = await connection.query('select 1 as a; select 2 as b; update t set n = 7');
    assert.equal((results as unknown[]).length, 3);
    await connection.end();
    await until(
      async () => (await site.cluster.events({ types: ['mysql.result'], text: 'Duplicate' })).length > 0 || true,
    );
    const events = await site.cluster.events({ types: ['mysql.execute'] });
    const inserted = events.find(({ fields }) => String(fields['statement']).startsWith('insert into t'));
    assert.deepEqual(inserted?.fields['parameters'], ['1', "O'Hara", '2026-01-02 03:04:05', null]);
    const session = inserted?.session ?? '';
    await site.cluster.event({ session, types: ['session.end'] });
    const outcomes = (await site.cluster.events({ session, types: ['mysql.result'] })).map(({ fields }) => fields);
    assert.ok(outcomes.some(({ outcome, error }) => outcome === 'failed' && error === 1062));
    assert.ok(outcomes.some(({ part, affectedRows }) => part === 3 && affectedRows === 1));
    assert.ok(outcomes.some(({ rows: count }) => count === 1));
  });

  it('carries 16 MB packets and a file of the client unchanged', async () => {
    const connection = await mysql2.createConnection({
      socketPath: socket,
      user: 'app',
      database: 'bench',
      infileStreamFactory: (() => undefined) as never,
    });
    const value = Buffer.alloc(20_000_000, 'abcdefg');
    const [rows] = await connection.query('select ? as back', [value]);
    const [row] = rows as { back: Buffer }[];
    assert.ok(Buffer.from(row?.back ?? '').equals(value));
    await connection.end();
    const file = join(site.home, 'rows.csv');
    const lines = Array.from({ length: 50_000 }, (_, index) => `${index},name ${index}`).join('\n');
    await writeFile(file, `${lines}\n`);
    const load = `create table if not exists bulk (id int, name varchar(50)); load data local infile '${file}' into table bulk fields terminated by ','; select count(*), sum(id) from bulk`;
    const printed = await site.mariadb([`--socket=${socket}`, '--local-infile=1', '-u', 'app', 'bench', '-e', load]);
    assert.equal(printed, '50000\t1249975000\n');
    const sent = await site.cluster.event({ types: ['mysql.file'] });
    assert.equal(sent.fields['name'], file);
  });

  it('lets only those replicate who may', async () => {
    const rob = await site.forward(as('rob'));
    const dump = (at: string): Promise<string> =>
      site.run('mariadb-binlog', [
        '--no-defaults',
        '--read-from-remote-server',
        `--socket=${at}`,
        '-u',
        'app',
        'binlog.000001',
      ]);
    assert.match(await dump(socket), /may not use mysql\/shop/);
    assert.doesNotMatch(await dump(rob), /may not use mysql\/shop/);
  });

  it('serves PyMySQL', async function () {
    if (!/ok/.test(await site.run('/usr/bin/python3', ['-c', 'import pymysql; print("ok")'])))
      skipWithout(this, { name: 'pymysql', remedy: 'apt-get install python3-pymysql', obtainable: true });
    const script = `
import pymysql
c = pymysql.connect(unix_socket=${JSON.stringify(socket)}, user='app', database='bench')
cur = c.cursor()
cur.execute('select %s, database()', ('x',))
print(cur.fetchone())
try:
    c.select_db('hidden')
except pymysql.err.OperationalError as e:
    print(e.args[0])
cur.execute('select 1')
print(cur.fetchone())
`;
    assert.equal(await site.run('/usr/bin/python3', ['-c', script]), "('x', 'bench')\n1044\n(1,)\n");
  });

  it('is cut by a lock while it waits, and says why', async () => {
    const child = spawn('mariadb', [
      '--no-defaults',
      '-NB',
      `--socket=${socket}`,
      '-u',
      'app',
      '-e',
      "select 'here'; select sleep(20)",
      '--unbuffered',
    ]);
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (printed += String(data)));
    const closed = once(child, 'close');
    await until(
      async () =>
        (await site.server.sql(
          "select count(*) from information_schema.processlist where info like 'select sleep%'",
        )) !== '0\n',
    );
    const lock = await site.cluster.admin.call(createLock, { target: { user: 'alice' }, message: 'on leave' });
    await closed;
    assert.match(printed, /ERROR 1927 \(70100\).*on leave/);
    assert.match(await query('select 1'), /ERROR 1045 \(28000\): .*on leave/);
    await site.cluster.admin.call(deleteLock, { id: lock.id });
    await site.cluster.seen();
  });
});

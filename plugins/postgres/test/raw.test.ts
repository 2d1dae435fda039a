import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import { serialize } from 'pg-protocol';
import { backendKeyData, cancelRequest, code, int32, message } from '../src/wire.js';
import { needPostgres } from './support/postgres-server.js';
import { RawClient } from './support/raw-client.js';
import { Site } from './support/site.js';
import type { Stand } from './support/stand.js';
import { until } from './support/until.js';

const sslRequest = serialize.requestSsl();
const gssRequest = Buffer.concat([int32(8), int32(code.gss)]);

describe('a session', function () {
  this.timeout(30_000);
  let site: Site;
  let stand: Stand;
  before(async function () {
    needPostgres(this);
    site = await Site.start();
  });
  after(() => (site as Site | undefined)?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    stand = await site.stand({
      access: {
        alice: { users: ['app'], databases: ['bench'] },
        carol: { users: ['app'], databases: ['bench'], replication: true },
      },
    });
  });
  afterEach(() => stand[Symbol.asyncDispose]());

  let statements = 0;

  /** A client that waits for a statement to end. */
  async function sleeping(user = 'alice', minor = 0): Promise<RawClient> {
    const client = await RawClient.open(stand, user);
    await client.login([], minor);
    const statement = `select pg_sleep(20), ${(statements += 1)}`;
    await client.send(serialize.query(statement));
    const active = `select count(*) from pg_stat_activity where state = 'active' and query = '${statement}'`;
    await until(async () => (await site.database.sql(active)).trim() === '1');
    return client;
  }

  /** Sends a request to cancel in clear, as libpq does. */
  async function cancelPlainly(key: Buffer): Promise<void> {
    const socket = net.connect(stand.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.end(cancelRequest(key));
    await once(socket.resume(), 'close');
  }

  async function cancelInTls(key: Buffer, user = 'alice'): Promise<void> {
    using client = await RawClient.open(stand, user);
    await client.send(cancelRequest(key));
    await client.closed();
  }

  /** True where the session of this client still waits. */
  const stillSleeps = async (): Promise<boolean> => {
    await site.database.sql('select pg_sleep(0.2)');
    return stand.seen('result').length === 0;
  };

  describe('that is encrypted already', () => {
    it('declines further encryption, as a tool behind a local forwarder asks for it', async () => {
      for (const requests of [[sslRequest], [gssRequest], [gssRequest, sslRequest]]) {
        using client = await RawClient.open(stand);
        for (const request of requests) {
          await client.send(request);
          assert.equal((await client.bytes(1)).toString(), 'N');
        }
        assert.equal((await client.login()).at(-1)?.type, 'Z');
      }
    });

    it('ends where encryption is asked for without end', async () => {
      using client = await RawClient.open(stand);
      await client.send(sslRequest, sslRequest, sslRequest);
      assert.equal((await client.bytes(3)).toString(), 'NNN');
      assert.equal((await client.error()).severity, 'FATAL');
    });

    it('speaks direct TLS only to those who name the protocol, or none', async () => {
      using bare = await RawClient.open(stand, 'alice', []);
      assert.equal((await bare.login()).at(-1)?.type, 'Z');
      await assert.rejects(RawClient.open(stand, 'alice', ['http/1.1']), {
        code: /ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL|ERR_SSL/,
      });
    });
  });

  describe('that is opened', () => {
    it('hands out a key of its own and not that of the server', async () => {
      using client = await RawClient.open(stand);
      await client.login();
      const process = (await site.database.sql("select pid from pg_stat_activity where usename = 'app'")).trim();
      assert.equal(client.key.length, 8);
      assert.notEqual(String(client.key.readUInt32BE(0)), process);
    });

    it('hands out long keys from protocol 3.2 on', async () => {
      using client = await RawClient.open(stand);
      const messages = await client.login([], 2);
      assert.equal(messages[0]?.type, 'R');
      assert.equal(client.key.length, 36);
    });

    it('negotiates later versions and options down', async () => {
      using client = await RawClient.open(stand);
      const [first] = await client.login([['_pq_.fancy', '1']], 99);
      assert.equal(first?.type, 'v');
      assert.equal(first.body.readUInt32BE(0), code.version3 + 2);
      assert.equal(first.body.toString('latin1', 8), '_pq_.fancy\0');
    });

    it('passes on what the client said before it was let in', async () => {
      using client = await RawClient.open(stand);
      await Promise.all([
        client.startup([
          ['user', 'app'],
          ['database', 'bench'],
        ]),
        client.send(serialize.query("select 'early'")),
      ]);
      await client.until('Z');
      const answer = await client.until('Z');
      assert.ok(answer.some(({ type, body }) => type === 'D' && body.includes('early')));
      assert.equal(stand.seen('query')[0]?.['statement'], "select 'early'");
    });

    it('of one gigabyte is refused before it is read', async () => {
      using client = await RawClient.open(stand);
      await client.send(int32(0x4000_0000), int32(code.version3));
      const { sqlstate, message: words } = await client.error();
      assert.equal(sqlstate, '28000');
      assert.match(words, /invalid startup packet/);
    });

    it('as a user with a second user smuggled in is refused', async () => {
      using client = await RawClient.open(stand);
      await client.startup([
        ['user', 'app'],
        ['database', 'bench'],
        ['user', 'owner'],
      ]);
      assert.match((await client.error()).message, /user is given twice/);
    });

    it('as a user with another one in the options stays what it was decided to be', async () => {
      using client = await RawClient.open(stand);
      await client.startup([
        ['user', 'app'],
        ['database', 'bench'],
        ['options', '-c user=owner'],
      ]);
      assert.match((await client.error()).message, /unrecognized configuration parameter "user"|cannot be changed/);
    });

    it('as somebody who has no name is refused', async () => {
      using client = await RawClient.open(stand);
      await client.startup([['database', 'bench']]);
      assert.match((await client.error()).message, /no PostgreSQL user name/);
    });

    it('under a name that PostgreSQL would cut is refused', async () => {
      using client = await RawClient.open(stand);
      await client.startup([
        ['user', 'x'.repeat(64)],
        ['database', 'bench'],
      ]);
      assert.equal((await client.error()).severity, 'FATAL');
      await client.closed();
      assert.equal(stand.seen('login').length, 0);
    });

    for (const value of ['1', 'on', 'yes', 'true', 'database', 'DATABASE', ''])
      it(`for replication, spelled ${JSON.stringify(value)}, needs a right of its own`, async () => {
        using client = await RawClient.open(stand);
        await client.startup([
          ['user', 'app'],
          ['database', 'bench'],
          ['replication', value],
        ]);
        assert.match((await client.error()).message, /alice may not use/);
      });

    it('for replication by somebody who may is one', async () => {
      using client = await RawClient.open(stand, 'carol');
      await client.login([['replication', 'database']]);
      await client.send(serialize.query('IDENTIFY_SYSTEM'));
      assert.ok((await client.until('Z')).some(({ type }) => type === 'D'));
      assert.equal(stand.seen('login')[0]?.['replication'], true);
      assert.equal(stand.seen('query')[0]?.['statement'], 'IDENTIFY_SYSTEM');
    });

    it('without replication, spelled "off", is an ordinary one', async () => {
      using client = await RawClient.open(stand);
      assert.equal((await client.login([['replication', 'off']])).at(-1)?.type, 'Z');
    });
  });

  describe('that is asked to cancel', () => {
    it('in clear, with its key, does', async () => {
      using client = await sleeping();
      await cancelPlainly(client.key);
      assert.equal((await client.error()).sqlstate, '57014');
    });

    it('within TLS, with its key, does', async () => {
      for (const minor of [0, 2]) {
        using client = await sleeping('alice', minor);
        await cancelInTls(client.key);
        assert.equal((await client.error()).sqlstate, '57014');
      }
      assert.deepEqual(
        stand.seen('cancel').map(({ via }) => via),
        ['tls', 'tls'],
      );
      await stand.idle().catch(() => {});
      assert.ok(!stand.events.some(({ type }) => type === 'refused' || type === 'denied'));
    });

    it('with a wrong secret does not', async () => {
      using _ = await sleeping();
      const { key } = _;
      for (const wrong of [
        Buffer.from(key).fill(0, 4),
        Buffer.concat([key, Buffer.alloc(1)]),
        Buffer.concat([key.subarray(0, 7), Buffer.from([(key[7] ?? 0) ^ 1])]),
      ]) {
        await cancelPlainly(wrong);
        await cancelInTls(wrong);
      }
      assert.ok(await stillSleeps());
      assert.deepEqual(stand.seen('cancel'), []);
    });

    it('by another user, who has the key, does not', async () => {
      using client = await sleeping();
      await cancelInTls(client.key, 'carol');
      assert.ok(await stillSleeps());
    });

    it('with a number that nobody has is none', async () => {
      const unknown = Buffer.concat([int32(999_999), Buffer.alloc(4)]);
      await cancelPlainly(unknown);
      await cancelInTls(unknown);
    });

    it('once it is over is none', async () => {
      const client = await RawClient.open(stand);
      await client.login();
      const { key } = client;
      await client.send(serialize.end());
      await client.closed();
      await stand.idle();
      await cancelInTls(key);
      assert.deepEqual(stand.seen('cancel'), []);
    });
  });

  describe('that breaks the protocol', () => {
    for (const [name, bytes] of [
      ['a message of an unknown type', message('?')],
      ['a negative length', Buffer.concat([Buffer.from('Q'), int32(-1)])],
      ['a message of the server', backendKeyData(1, Buffer.alloc(4))],
    ] as const)
      it(`by ${name} ends with an error that says so`, async () => {
        using client = await RawClient.open(stand);
        await client.login([['application_name', name]]);
        await client.send(bytes);
        const { severity, sqlstate } = await client.error();
        assert.deepEqual([severity, sqlstate], ['FATAL', '08P01']);
        await client.closed();
        await stand.idle();
        const left = `select count(*) from pg_stat_activity where application_name = '${name}'`;
        await until(async () => (await site.database.sql(left)).trim() === '0');
      });
  });
});

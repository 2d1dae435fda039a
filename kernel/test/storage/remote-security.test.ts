import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdStore } from '../../src/storage/etcd/store.js';
import { connectStorage } from '../../src/storage/open-storage.js';
import { PostgresStore } from '../../src/storage/postgres/store.js';
import { parseConfiguration } from '../../src/configuration/index.js';
import { until } from '../../../test/support/cluster.js';
import { EtcdServer, needEtcd } from './etcd-server.js';
import { needPostgres, PostgresServer } from './postgres-server.js';

const password = 'hunter2-of-the-storage';

/** Files of two authorities, and of a server and a client that one of them certified. */
class Certificates implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'postern-storage-tls-'));

  constructor() {
    chmodSync(this.directory, 0o755);
    for (const authority of ['ca', 'stranger'])
      this.#openssl(
        'req',
        '-x509',
        ...newKey,
        '-keyout',
        `${authority}.key`,
        '-out',
        `${authority}.crt`,
        '-days',
        '2',
        '-subj',
        `/CN=${authority}`,
      );
    this.#issue('server', 'subjectAltName=IP:127.0.0.1,DNS:state.test');
    this.#issue('client', 'extendedKeyUsage=clientAuth');
    writeFileSync(this.path('password'), `${password}\n`, { mode: 0o600 });
    writeFileSync(this.path('wrong'), `not-${password}\n`, { mode: 0o600 });
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #issue(name: string, extension: string): void {
    writeFileSync(this.path('extensions'), extension);
    this.#openssl('req', '-new', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-days', '2', '-extfile', 'extensions'];
    this.#openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, ...signed);
    chmodSync(this.path(`${name}.key`), 0o644);
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.directory, stdio: 'ignore' });
  }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-sha256'];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
}

describe('the way to a storage on another machine', function () {
  this.timeout(60_000);
  let files: Certificates;
  before(() => {
    files = new Certificates();
  });
  after(() => files[Symbol.dispose]());

  /** Opens what a `storage` section means, and closes it. */
  async function open(storage: object): Promise<void> {
    const { configuration } = parseConfiguration(JSON.stringify({ storage }), join(files.directory, 'postern.yaml'));
    await using store = await connectStorage({ configuration: configuration.storage, data: files.directory });
    await store.commit({ put: [{ key: 'a', value: '' }] });
  }

  /** Refused as unavailable; nothing that is said has the password. */
  const refused = (storage: object, message: RegExp) =>
    assert.rejects(open(storage), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'unavailable');
      assert.match(error.message, message);
      assert.ok(!JSON.stringify([error.message, error.stack]).includes(password));
      return true;
    });

  it('to PostgreSQL is encrypted, the server verified, the password read from a file and never said', async function () {
    needPostgres(this);
    const port = await freePort();
    await using server = await PostgresServer.start({
      settings: {
        ...{ listen_addresses: '127.0.0.1', port: String(port), password_encryption: 'scram-sha-256' },
        ...{ ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key', ssl_ca_file: 'ca.crt' },
      },
      files: {
        'server.crt': files.read('server.crt'),
        'server.key': files.read('server.key'),
        'ca.crt': files.read('ca.crt'),
      },
      hba: ['hostssl all client 127.0.0.1/32 cert', 'hostssl all all 127.0.0.1/32 scram-sha-256'],
    });
    await server.sql(`CREATE ROLE keeper LOGIN PASSWORD '${password}'; CREATE ROLE client LOGIN;
      GRANT CREATE ON DATABASE postgres TO keeper, client`);
    const tls = { authorities: 'ca.crt' };
    const section = { kind: 'postgres', host: '127.0.0.1', port, database: 'postgres', user: 'keeper', tls };
    const right = { ...section, password: { file: 'password' } };
    await open(right);
    await open({ ...right, tls: { ...tls, server_name: 'state.test' } });
    const client = { ...tls, certificate: 'client.crt', key: 'client.key' };
    await open({ ...section, user: 'client', schema: 'of_client', tls: client });
    await refused({ ...section, password: { file: 'wrong' } }, /password authentication failed/);
    await refused({ ...right, tls: { authorities: 'stranger.crt' } }, /certificate/);
    await refused({ ...right, tls: {} }, /certificate/);
    await refused({ ...right, tls: { ...tls, server_name: 'other.test' } }, /other\.test/);
    const byName = { ...right, host: 'localhost' };
    await open({ ...byName, tls: { ...tls, server_name: 'state.test' } });
    await refused(byName, /localhost/);
    await refused({ ...byName, tls: { ...tls, server_name: 'other.test' } }, /other\.test/);
    await refused({ ...right, tls: { enabled: false } }, /no pg_hba\.conf entry/);
  });

  it('to etcd is the same', async function () {
    const tls = ['cert', 'key'].map(
      (kind) => `--${kind}-file=${files.path(kind === 'cert' ? 'server.crt' : 'server.key')}`,
    );
    await using server = await EtcdServer.start(needEtcd(this), [...tls, '--unsafe-no-fsync', '--auth-token=simple']);
    const section = { kind: 'etcd', endpoints: [server.endpoint], tls: { authorities: 'ca.crt' } };
    await open(section);
    await refused({ ...section, tls: { authorities: 'stranger.crt' } }, /certificate/);
    await refused({ ...section, tls: {} }, /certificate/);
    const { port } = new URL(server.endpoint);
    await refused({ ...section, endpoints: [`https://localhost:${port}`] }, /localhost/);
    await enableUsers(server, files.path('ca.crt'));
    const user = { ...section, user: 'root', password: { file: 'password' } };
    await open(user);
    await refused({ ...user, password: { file: 'wrong' } }, /invalid user ID or password/);
    await refused(section, /user name is empty|permission denied/);
  });

  it('refuses a password in clear text, in the file and on the way', () => {
    const parse = (storage: object) => parseConfiguration(JSON.stringify({ storage }), 'postern.yaml');
    const etcd = { kind: 'etcd', endpoints: ['http://10.0.0.1:2379'], user: 'a', password: { file: 'p' } };
    assert.throws(() => parse(etcd), { message: /a password is sent over https alone/ });
    for (const url of [`https://a:${password}@b:1`, 'https://a:1/path', 'ftp://a:1', 'a:1'])
      assert.throws(
        () => parse({ kind: 'etcd', endpoints: [url] }),
        (error: Error) => !error.message.includes(password),
      );
    const literal = { kind: 'postgres', host: 'a', password };
    assert.throws(
      () => parse(literal),
      (error: Error) => /never the secret itself/.test(error.message) && !error.message.includes(password),
    );
  });
});

/** Makes a root user, and demands one from then on. */
async function enableUsers({ endpoint }: EtcdServer, authority: string): Promise<void> {
  const call = (path: string, body: object): void => {
    const args = ['-sf', '--cacert', authority, '-d', JSON.stringify(body), `${endpoint}${path}`];
    execFileSync('curl', args, { stdio: 'ignore' });
  };
  call('/v3/auth/user/add', { name: 'root', password });
  call('/v3/auth/role/add', { name: 'root' });
  call('/v3/auth/user/grant', { user: 'root', role: 'root' });
  call('/v3/auth/enable', {});
}

describe('what lies in a storage on another machine', function () {
  this.timeout(120_000);
  let server: PostgresServer;
  before(async function () {
    needPostgres(this);
    server = await PostgresServer.start();
  });
  after(() => server?.[Symbol.asyncDispose]());

  it('in PostgreSQL is refused where a newer program wrote it, or where it is not stored as UTF-8', async () => {
    const options = { ...server.options, schema: 'newer' };
    await (await PostgresStore.open(options))[Symbol.asyncDispose]();
    await server.sql('UPDATE newer.state SET version = 99');
    await assert.rejects(PostgresStore.open(options), { code: 'unavailable', message: /newer postern/ });
    await server.sql(`CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`);
    const latin = { ...options, database: 'latin' };
    await assert.rejects(PostgresStore.open(latin), { code: 'invalid_config', message: /LATIN1/ });
  });

  it('in PostgreSQL is read to its end or not at all where the server ends the connection meanwhile', async () => {
    await using store = await PostgresStore.open({ ...server.options, schema: 'ended' });
    const put = Array.from({ length: 100 }, (_, index) => ({ key: `k/${index}`, value: '' }));
    await store.commit({ put });
    await using snapshot = await store.snapshot();
    const pages = snapshot.pages()[Symbol.asyncIterator]();
    assert.equal(((await pages.next()).value as readonly unknown[]).length, 64);
    const held = () =>
      server.sql<{ pid: number }>(`SELECT pid FROM pg_stat_activity
      WHERE state = 'idle in transaction'`);
    const [reading, ...others] = await held();
    assert.deepEqual(others, []);
    await server.sql(`SELECT pg_terminate_backend(${reading?.pid})`);
    await until(async () => (await held()).length === 0, 15_000);
    await assert.rejects(pages.next(), { code: 'unavailable' });
    await store.commit({ put });
  });

  it('in PostgreSQL keeps a bounded feed, and sweeps by itself', async () => {
    const options = { ...server.options, schema: 'kept', keepRevisions: 50, sweepIntervalMs: 20 };
    await using store = await PostgresStore.open(options);
    await store.commit({ put: [{ key: 'brief', value: '', expires: new Date(Date.now() + 10) }] });
    for (let count = 0; count < 150; count++) await store.commit({ put: [{ key: 'a', value: String(count) }] });
    const rows = async (table: string): Promise<number> =>
      Number((await server.sql<{ count: string }>(`SELECT count(*) FROM kept.${table}`))[0]?.count);
    for (let tries = 0; tries < 400 && ((await rows('event')) > 55 || (await rows('entry')) > 1); tries++);
    assert.ok((await rows('event')) <= 55);
    assert.equal(await rows('entry'), 1);
    const wide = { ...options, schema: 'wide', keepRevisions: 10_000, keepBytes: 100_000 };
    await using heavy = await PostgresStore.open(wide);
    for (let count = 0; count < 20; count++) await heavy.commit({ put: [{ key: 'a', value: 'x'.repeat(20_000) }] });
    const bytes = async (): Promise<number> =>
      Number((await server.sql<{ feed_bytes: string }>('SELECT feed_bytes FROM wide.state'))[0]?.feed_bytes);
    for (let tries = 0; tries < 400 && (await bytes()) > 110_000; tries++);
    assert.ok((await bytes()) <= 110_000);
    const told = await server.sql<{ sum: string }>(
      'SELECT sum(octet_length(key) + octet_length(value)) FROM wide.event',
    );
    assert.equal(Number(told[0]?.sum), await bytes());
  });

  it('in etcd is deleted by its lease, also when nobody sweeps, and a replica goes on over a compaction', async function () {
    await using etcd = await EtcdServer.start(needEtcd(this), ['--unsafe-no-fsync']);
    const options = { endpoints: [etcd.endpoint], prefix: 'leased/', leaseGraceSeconds: 1, pulseMs: 100 };
    await using store = await EtcdStore.open(options);
    const since = await store.commit({ put: [{ key: 'a', value: '', expires: new Date(Date.now() + 500) }] });
    await store.commit({ put: [{ key: 'b', value: '', expires: new Date(Date.now() + 3_600_000) }] });
    for await (const [change] of store.watch('', since + 1, new AbortController().signal)) {
      assert.ok(change?.kind === 'delete' && change.key === 'a');
      break;
    }
    await using keeping = await EtcdStore.open({ ...options, keepMs: 200 });
    await keeping.commit({ put: [{ key: 'c', value: '' }] });
    for (let tries = 0; tries < 1000; tries++) {
      await keeping.commit({ put: [{ key: 'c', value: String(tries) }] });
      const late = store.watch('', since, new AbortController().signal)[Symbol.asyncIterator]();
      const outcome = await late.next().then(
        () => 'kept',
        (error: { code: string }) => error.code,
      );
      await late.return?.();
      if (outcome === 'expired') return;
    }
    assert.fail('the past was never compacted');
  });
});

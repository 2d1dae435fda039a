import assert from 'node:assert/strict';
import type { ClientProfile, ClientTarget, ConnectOptions } from '@postern/plugin-sdk';
import { postgresClient } from '../src/client.js';
import { postgres, type Postgres } from '../src/protocol.js';

const profile = (more: Partial<ClientProfile> = {}): ClientProfile => ({
  cluster: 'access.example.com',
  user: 'alice',
  home: '/home/alice',
  directory: '/home/alice/.postern/access.example.com',
  proxy: { host: 'access.example.com', port: 443 },
  program: ['psh'],
  files: {
    certificate: '/home/alice/.postern/alice.crt',
    key: '/home/alice/.postern/alice.key',
    authority: '/home/alice/.postern/ca.crt',
    identity: '/home/alice/.postern/tls.pem',
    sshKey: '/x',
    sshCertificate: '/x',
    knownHosts: '/x',
  },
  resolves: () => true,
  ...more,
});

const target = (
  principals: readonly string[],
  { name = 'shop', database }: { name?: string; database?: string } = {},
): ClientTarget<Postgres> => ({
  resource: { name, labels: {}, spec: postgres.auth.resource.parse({ host: 'db', database }) },
  hostname: `${name}.postgres.access.example.com`,
  principals,
});

const options = (more: Partial<ConnectOptions> = {}): ConnectOptions => ({ options: {}, args: [], ...more });

/** The sections that login writes. */
function sections(where: ClientProfile, ...targets: readonly ClientTarget<Postgres>[]) {
  const [addition] = postgresClient.configure(where, targets).additions ?? [];
  assert.equal(addition?.file, '.pg_service.conf');
  return addition.sections ?? [];
}

describe('what login writes', () => {
  it('is a service for each database, with the only user and the default database', () => {
    const [section] = sections(profile(), target(['app'], { database: 'bench' }));
    assert.deepEqual(section?.text.split('\n'), [
      '[shop]',
      'host=shop.postgres.access.example.com',
      'port=443',
      'sslmode=verify-full',
      'sslrootcert=/home/alice/.postern/ca.crt',
      'sslcert=/home/alice/.postern/alice.crt',
      'sslkey=/home/alice/.postern/alice.key',
      'gssencmode=disable',
      'user=app',
      'dbname=bench',
      '',
    ]);
  });

  it('names no user where there is a choice', () => {
    for (const principals of [[], ['app', 'readonly'], ['*'], ['app_*'], ['app', '*']])
      assert.doesNotMatch(sections(profile(), target(principals))[0]?.text ?? '', /^user=/m);
  });

  it('says where the proxy is only where the name does not resolve', () => {
    const text = (host: string, resolves: boolean): string =>
      sections(profile({ proxy: { host, port: 443 }, resolves: () => resolves }), target(['app']))[0]?.text ?? '';
    assert.match(text('192.0.2.1', false), /^hostaddr=192\.0\.2\.1$/m);
    assert.match(text('2001:db8::1', false), /^hostaddr=2001:db8::1$/m);
    assert.match(text('localhost', false), /^hostaddr=127\.0\.0\.1$/m);
    assert.doesNotMatch(text('192.0.2.1', true), /hostaddr/);
    assert.doesNotMatch(text('access.example.com', false), /hostaddr/);
  });

  it('recognises a service of the same name that the user wrote', () => {
    const [section] = sections(profile(), target(['app'], { name: 'a.b' }));
    assert.match('x\n[a.b]\nhost=mine', section?.pattern ?? /^$/);
    assert.match('  [a.b]', section?.pattern ?? /^$/);
    assert.doesNotMatch('[axb]\n#[a.b]', section?.pattern ?? /^$/);
  });

  it('a document cannot bring lines of its own into the file', () => {
    assert.deepEqual(sections(profile(), target(['app'], { database: 'x\nsslmode=disable' })), []);
    assert.deepEqual(sections(profile(), target(['a\nb'])), []);
    assert.deepEqual(sections(profile(), target(['app'], { name: 'x]\n[y' })), []);
  });

  it('holds no line that libpq would not read', () => {
    assert.deepEqual(sections(profile(), target(['u'.repeat(1100)])), []);
  });
});

describe('connect', () => {
  const connect = (principals: readonly string[], more: Partial<ConnectOptions> = {}, database?: string) =>
    postgresClient.connect?.(profile(), target(principals, database === undefined ? {} : { database }), options(more));

  it('runs psql with a connection string, and what the user adds', () => {
    const invocation = connect(['app'], { args: ['-c', 'select 1'] }, 'bench');
    assert.equal(invocation?.program, 'psql');
    assert.deepEqual(invocation.args.slice(1), ['-c', 'select 1']);
    assert.match(
      invocation.args[0] ?? '',
      /^host=shop\.postgres\.access\.example\.com port=443 .* user=app dbname=bench$/,
    );
  });

  it('takes the user and the database that are named', () => {
    const [conninfo = ''] =
      connect(['app', 'other'], { user: 'other', options: { database: "o'clock \\ tea" } })?.args ?? [];
    assert.match(conninfo, /user=other dbname='o\\'clock \\\\ tea'$/);
  });

  it('asks for a user where there is a choice', () => {
    assert.throws(() => connect(['app', 'other']), { code: 'invalid_argument', message: /--user: app, other/ });
    assert.throws(() => connect([]), { code: 'invalid_argument' });
  });

  it('connects to the database named after the user where nothing else is said', () => {
    assert.match(connect(['app'])?.args[0] ?? '', /dbname=app$/);
  });
});

describe('env', () => {
  it("is libpq's variables", () => {
    const where = profile({ proxy: { host: '192.0.2.1', port: 3080 }, resolves: () => false });
    assert.deepEqual(postgresClient.env?.(where, target(['app'], { database: 'bench' }), options()), {
      PGHOST: 'shop.postgres.access.example.com',
      PGHOSTADDR: '192.0.2.1',
      PGPORT: '3080',
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: '/home/alice/.postern/ca.crt',
      PGSSLCERT: '/home/alice/.postern/alice.crt',
      PGSSLKEY: '/home/alice/.postern/alice.key',
      PGGSSENCMODE: 'disable',
      PGUSER: 'app',
      PGDATABASE: 'bench',
    });
  });
});

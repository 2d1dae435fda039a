import assert from 'node:assert/strict';
import { cp, open, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build, TestCluster } from './support/programs.js';

const shop = (environment: string): string => `kind: postgres
name: shop
labels:
  env: ${environment}
spec:
  host: 127.0.0.1
  auth: { method: trust }
  tls: { mode: disable }
`;

describe('postern', function () {
  this.timeout(60_000);
  let cluster: TestCluster;

  before(async () => {
    await build();
    cluster = await TestCluster.start();
  });
  after(() => cluster[Symbol.asyncDispose]());

  /** What a command prints with `--format=json`. */
  async function json<T>(...args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await cluster.postern([...args, '--format=json']);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as T;
  }

  it('status says that everything is well', async () => {
    const { ready, checks } = await json<{ ready: boolean; checks: { ok: boolean }[] }>('status');
    assert.ok(ready && checks.every(({ ok }) => ok));
  });

  it('makes, changes, disables and deletes users', async () => {
    const add = await cluster.postern(['users', 'add', 'carol', '--role=access,auditor', '--trait=logins=a,b']);
    assert.match(add.stdout, /psh accept 'https:\/\/localhost:\d+\/invite\/\S+' --ca-pin=sha256:[0-9a-f]{64}/);
    type View = { name: string; roles: string[]; traits: object; disabled: boolean }[];
    const find = async () => (await json<View>('users', 'ls')).find(({ name }) => name === 'carol');
    assert.deepEqual((await find())?.traits, { logins: ['a', 'b'] });
    await json('users', 'update', 'carol', '--role=access', '--disable');
    assert.deepEqual([(await find())?.roles, (await find())?.disabled], [['access'], true]);
    await json('users', 'update', 'carol', '--enable');
    assert.equal((await find())?.disabled, false);
    await json<object>('users', 'reset', 'carol');
    await json<object>('users', 'unlock', 'carol');
    assert.equal((await cluster.postern(['users', 'rm', 'carol'])).code, 0);
    assert.equal(await find(), undefined);
  });

  it('refuses a role that does not exist, and a change of nothing', async () => {
    const { code, stderr } = await cluster.postern(['users', 'add', 'dan', '--role=acess']);
    assert.deepEqual([code, stderr], [2, 'postern: there is no role acess; see: postern roles ls\n']);
    assert.equal((await cluster.postern(['users', 'update', 'demo'])).code, 2);
  });

  it('creates documents from files and standard input, and prints what can be created again', async () => {
    const role =
      'kind: role\nname: shop\nallow:\n  postgres:\n    labels: { env: demo }\n    users: [app]\n    databases: [shop]\n';
    const made = await cluster.postern(['create', '-f', '-'], `${shop('demo')}---\n${role}`);
    assert.equal(made.stdout, 'postgres shop created\nrole shop created\n', made.stderr);
    const shown = await cluster.postern(['get', 'postgres/shop']);
    await writeFile(join(cluster.directory, 'shop.yaml'), shown.stdout.replace('env: demo', 'env: prod'));
    const again = await cluster.postern(['create', '-f', 'shop.yaml']);
    assert.equal(again.stdout, 'postgres shop replaced\n', again.stderr);
    assert.deepEqual((await json<{ labels: object }>('get', 'postgres', 'shop')).labels, { env: 'prod' });
    const stale = await cluster.postern(['create', '-f', 'shop.yaml']);
    assert.deepEqual([stale.code, /changed meanwhile/.test(stale.stderr)], [1, true]);
    assert.ok((await json<{ name: string }[]>('roles', 'ls')).some(({ name }) => name === 'shop'));
    assert.equal((await cluster.postern(['rm', 'postgres/shop'])).code, 0);
    assert.equal((await cluster.postern(['roles', 'rm', 'shop'])).code, 0);
  });

  it('points at the line of a document that is wrong, and sends none of that call', async () => {
    await writeFile(join(cluster.directory, 'two.yaml'), `${shop('demo')}---\nkind: postgres\nnmae: x\n`);
    const { code, stderr } = await cluster.postern(['create', '-f', 'two.yaml']);
    assert.equal(code, 1);
    assert.match(stderr, /^postern: two\.yaml:10:1: name:/);
    assert.equal((await cluster.postern(['get', 'postgres/shop'])).code, 1);
  });

  it('edits a document, and keeps a text that was refused', async () => {
    await cluster.postern(['create', '-f', '-'], shop('demo'));
    const edit = (editor: string) => {
      cluster.env['EDITOR'] = editor;
      return cluster.postern(['edit', 'postgres/shop']);
    };
    assert.equal((await edit("sed -i 's/env: demo/env: prod/'")).stdout, 'postgres shop replaced\n');
    assert.deepEqual((await json<{ labels: object }>('get', 'postgres/shop')).labels, { env: 'prod' });
    assert.equal((await edit('true')).stdout, 'nothing was changed\n');
    assert.equal((await edit('false')).code, 130);
    const refused = await edit("sed -i 's/host:/hots:/'");
    assert.equal(refused.code, 2);
    const kept = /your text is kept in (\S+)/.exec(refused.stderr)?.[1] ?? '';
    assert.match(await readFile(kept, 'utf8'), /hots:/);
    await rm(dirname(kept), { recursive: true });
  });

  it('locks and unlocks', async () => {
    const { id } = await json<{ id: string }>('lock', 'add', '--user=demo', '--ttl=1h', '--message=why');
    assert.deepEqual(
      (await json<{ id: string }[]>('lock', 'ls')).map((lock) => lock.id),
      [id],
    );
    assert.equal((await cluster.postern(['lock', 'rm', id])).code, 0);
    assert.equal((await cluster.postern(['lock', 'add', '--user=demo', '--role=access'])).code, 2);
  });

  it('explains decisions, and exits with them', async () => {
    const node = (await json<{ name: string }[]>('get', 'ssh'))[0]?.name ?? '';
    const login =
      (await json<{ name: string; traits: { logins: string[] } }[]>('users', 'ls'))[0]?.traits.logins[0] ?? '';
    const yes = await cluster.postern(['rbac', 'explain', 'demo', `ssh/${node}`, `login=${login}`]);
    assert.deepEqual([yes.code, /^demo may use/.test(yes.stdout)], [0, true], yes.stderr);
    const no = await cluster.postern(['rbac', 'explain', 'demo', `ssh/${node}`, 'login=somebody']);
    assert.deepEqual([no.code, /^demo may not use/.test(no.stdout)], [1, true]);
  });

  it('searches and follows the audit log', async () => {
    const found = await json<{ type: string }[]>('audit', 'search', '--type=role.', '--limit=2');
    assert.deepEqual(
      found.map(({ type }) => type),
      ['role.changed', 'role.changed'],
    );
    const { stdout } = await cluster.postern(['audit', 'search', '--type=cluster.started']);
    assert.match(stdout, /^\S+Z {2}cluster\.started .*version=/);
  });

  it('proves that the log is whole, without the cluster, and that a copy with one changed byte is not', async () => {
    assert.equal((await cluster.postern(['audit', 'checkpoint', '--out=kept.note'])).code, 0);
    const good = await cluster.postern(['audit', 'verify', '--since=kept.note']);
    assert.deepEqual(
      [good.code, /entries are whole and in order/.test(good.stdout)],
      [0, true],
      good.stdout + good.stderr,
    );
    const copy = join(cluster.directory, 'copy');
    await cp(join(cluster.data, 'audit/log'), copy, { recursive: true });
    await changeOneByte(copy);
    const bad = await cluster.postern(['audit', 'verify', copy, '--format=json']);
    assert.equal(bad.code, 1);
    assert.equal((JSON.parse(bad.stdout) as { ok: boolean }).ok, false);
    const text = await cluster.postern(['audit', 'verify', copy]);
    assert.match(text.stdout, /^PROBLEM /m);
  });

  async function changeOneByte(log: string): Promise<void> {
    const files = (await readdir(log, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const journal = files.find(({ parentPath }) => parentPath.includes('journal')) ?? files[0];
    const file = await open(join(journal?.parentPath ?? '', journal?.name ?? ''), 'r+');
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 40);
    await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, 40);
    await file.close();
  }

  it('checks a configuration without starting, and points at what is wrong', async () => {
    await writeFile(join(cluster.directory, 'bad.yaml'), 'cluster: a.example.com\nproxy:\n  lisen: :3080\n');
    const bad = await cluster.postern(['check', 'bad.yaml']);
    assert.deepEqual(
      [bad.code, bad.stderr],
      [1, 'postern: bad.yaml:3:3: unknown key proxy.lisen; did you mean listen?\n'],
    );
    assert.equal((await cluster.postern(['configure', '--cluster=a.example.com', '--out=good.yaml'])).code, 0);
    const good = await cluster.postern(['check', 'good.yaml']);
    assert.match(good.stdout, /^good\.yaml is good: cluster a\.example\.com; auth, proxy, agent; protocols /);
    assert.equal((await cluster.postern(['configure', '--out=good.yaml'])).code, 1);
  });

  it('lists the protocols', async () => {
    const ids = (await json<{ id: string }[]>('plugin', 'ls')).map(({ id }) => id);
    assert.ok(ids.includes('ssh') && ids.includes('postgres'));
  });

  it('says what to do where no cluster runs', async () => {
    const { code, stderr } = await cluster.postern(['users', 'ls', '--data=/nonexistent']);
    assert.equal(code, 1);
    assert.match(stderr, /nothing listens on \/nonexistent\/admin\.sock: start it with postern start/);
  });

  it('with --proxy has the rights of whoever is logged in', async () => {
    const password = 'correct horse battery staple';
    await cluster.user('erin', password);
    await cluster.login('erin', [password]);
    const { code, stderr } = await cluster.postern(['users', 'ls', '--proxy']);
    assert.equal(code, 1);
    assert.match(stderr, /^postern: erin may not/);
    await cluster.postern(['users', 'update', 'erin', '--role=editor']);
    await cluster.login('erin', [password]);
    assert.equal((await cluster.postern(['users', 'ls', '--proxy'])).code, 0);
  });

  it('start ends with 0 when it is told to stop', async () => {
    assert.equal(await cluster.stop(), 0);
  });
});

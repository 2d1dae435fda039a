import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { needProgram } from '@postern/plugin-sdk/testing';
import { MongoClient, type MongoClientOptions } from 'mongodb';
import { binary, build, homeFile, TestCluster } from '../../config/test/support/programs.js';
import { FerretdbServer, findFerretdb } from '../../plugins/mongodb/test/support/ferretdb-server.js';
import { ScriptedServer } from '../../plugins/mongodb/test/support/scripted-server.js';
import { until } from '../support/cluster.js';

const password = 'correct horse battery staple';
const name = 'programs.example.com';

/** What a user has of this protocol, from the login to the recording, with the programs as they are shipped. */
describe('a MongoDB server by the programs', function () {
  this.timeout(120_000);
  let directory: string;
  let cluster: TestCluster;
  let server: ScriptedServer | FerretdbServer;
  const clients: MongoClient[] = [];

  before(async () => {
    await build();
    directory = await mkdtemp(join(tmpdir(), 'postern-mongodb-'));
    const secret = join(directory, 'secret');
    await writeFile(secret, 'pencil\n', { mode: 0o600 });
    const program = findFerretdb();
    server = program ? await FerretdbServer.start(program) : await ScriptedServer.start({ users: { app: 'pencil' } });
    const accept = { labels: { '*': '*' }, allow_addresses: ['127.0.0.0/8'] };
    // JSON is YAML.
    cluster = await TestCluster.start(
      JSON.stringify({ cluster: name, data: '.postern', agent: { accept, secrets: { pencil: { file: secret } } } }),
    );
    const allow = { mongodb: { labels: { '*': '*' }, users: ['app'], databases: ['shop'], commands: ['@read', '@write'] } }; // prettier-ignore
    await create({ kind: 'role', name: 'shop', allow });
    const auth = { method: 'scram-sha-256', secret: 'pencil' };
    const spec = { ...server.endpoint, user: 'app', database: 'shop', tls: { mode: 'disable' }, auth };
    await create({ kind: 'mongodb', name: 'shop', labels: { env: 'test' }, spec });
    await cluster.user('alice', password, ['--role=shop']);
    const { code, stderr } = await cluster.login('alice', [password]);
    assert.equal(code, 0, stderr);
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });
  after(async () => {
    await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
    await (server as ScriptedServer | undefined)?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  async function create(document: object): Promise<void> {
    const { code, stderr } = await cluster.postern(['create', '-f', '-'], JSON.stringify(document));
    assert.equal(code, 0, stderr);
  }

  function client(address: string, options: MongoClientOptions = {}): MongoClient {
    const made = new MongoClient(address, { serverSelectionTimeoutMS: 20_000, ...options });
    clients.push(made);
    return made;
  }

  /** Where names of the cluster resolve. */
  const lookup: NonNullable<MongoClientOptions['lookup']> = (_name, { all }, done) =>
    all === true ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4);

  /** The connection string that `psh login` left. */
  const left = async () => (await homeFile(cluster, `.psh/${name}/mongodb/shop.uri`)).trim();

  /** Runs `psh proxy` while `work` uses its port. */
  async function proxied(work: (port: number) => Promise<void>): Promise<void> {
    const args = [binary('psh'), 'proxy', 'mongodb', 'shop', '--port=0'];
    const child: ChildProcess = spawn(process.execPath, args, { cwd: cluster.directory, env: cluster.env });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (said += String(data)));
    const closed = once(child, 'close');
    const port = () => Number(/(?:127\.0\.0\.1|localhost):(\d+)/.exec(said)?.[1]);
    try {
      await until(() => port() > 0 || child.exitCode !== null);
      assert.ok(port() > 0, said);
      await work(port());
    } finally {
      child.kill('SIGINT');
      await closed;
    }
  }

  it('is listed, and its connection string is written by psh login and printed by psh db env', async () => {
    const { stdout } = await cluster.psh(['ls', 'mongodb']);
    assert.match(stdout, /mongodb +shop +app +env=test/);
    const address = await left();
    assert.match(address, new RegExp(`^mongodb://app@shop\\.mongodb\\.${name}:${cluster.port}/shop\\?directConnection=true`)); // prettier-ignore
    assert.ok(!address.includes('pencil'));
    const env = await cluster.psh(['db', 'env', 'shop']);
    assert.ok(env.stdout.includes(address.split('?')[0] ?? '-'), env.stdout);
  });

  it('serves a driver that has this connection string and nothing else', async () => {
    const things = client(await left(), { lookup })
      .db()
      .collection<{ word: string }>('things');
    await things.insertOne({ word: 'by-name' });
    assert.equal((await things.findOne({ word: 'by-name' }))?.word, 'by-name');
  });

  it('serves a driver at a local port, where no name resolves, and refuses in words', () =>
    proxied(async (port) => {
      const connected = client(`mongodb://127.0.0.1:${port}/shop?directConnection=true`);
      const shop = connected.db('shop');
      await shop.collection('things').insertOne({ word: 'by-port' });
      const denied = /alice may not use mongodb\/shop/;
      await assert.rejects(connected.db('payroll').collection('salaries').findOne({}), denied);
      await assert.rejects(shop.command({ createUser: 'eve', pwd: 'sesame', roles: [] }), denied);
      await assert.rejects(shop.command({ usersInfo: 1 }), denied);
    }));

  it('has its commands played and exported, and nothing of secrets in the log', async () => {
    const things = client(await left(), { lookup })
      .db()
      .collection('things');
    await things.findOne({ word: 'played' });
    await things.findOne({ $nonsense: 1 }).catch(() => {});
    await Promise.all(clients.splice(0).map((one) => one.close()));
    const listed = await cluster.psh(['recordings', 'ls', '--format=json']);
    const [newest] = JSON.parse(listed.stdout) as readonly { readonly session: string }[];
    const session = newest?.session ?? '';
    const played = await cluster.psh(['play', session]);
    assert.match(played.stdout, /^shop\.things> find \{find: "things", filter: \{word: "played"\}.*\n +completed/m);
    const exported = await cluster.psh(['recordings', 'export', session]);
    assert.match(exported.stdout, /"command":"find"/);
    const audit = await cluster.postern(['audit', 'search', '--format=json']);
    assert.match(audit.stdout, /mongodb\.command/);
    for (const secret of ['pencil', 'sesame'])
      for (const { stdout } of [played, exported, audit]) assert.ok(!stdout.includes(secret), secret);
  });

  it('is used by mongosh, which psh db connect starts', async function () {
    const program = needProgram(this, 'mongosh', '(npm install --global mongosh)');
    if (!findFerretdb()) needProgram(this, 'ferretdb', '(test/support/build-ferretdb.sh)');
    const script =
      'db.shelf.insertMany([{x: 1}, {x: 2}, {x: 3}]); print("sum", db.shelf.find().toArray().reduce((s, {x}) => s + x, 0)); try { db.getSiblingDB("payroll").salaries.findOne() } catch (e) { print("denied:", e.message) }';
    cluster.env['PATH'] = `${dirname(program)}:${process.env['PATH'] ?? ''}`;
    const { code, stdout, stderr } = await cluster.psh(['db', 'connect', 'shop', '--', '--quiet', '--eval', script]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /sum 6/);
    assert.match(stdout, /denied: .*alice may not use mongodb\/shop/);
  });

  it('is cut by a lock, which the driver tells', async () => {
    const things = client(await left(), { lookup })
      .db()
      .collection('things');
    await things.findOne({});
    const { code, stderr } = await cluster.postern(['lock', 'add', '--user=alice', '--message=call security']);
    assert.equal(code, 0, stderr);
    await until(async () => things.findOne({}).then(() => false, (cause: Error) => /call security/.test(cause.message))); // prettier-ignore
  });
});

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, needProgram } from '@postern/plugin-sdk/testing';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { binary, build, homeFile, run, TestCluster, type Result } from '../../config/test/support/programs.js';
import { Application } from '../../plugins/https/test/support/application.js';
import { harEntries } from '../../plugins/https/test/support/har-rules.js';
import { openWebSocket } from '../../plugins/https/test/support/web-socket.js';
import { testPassword, until } from '../support/cluster.js';
import { Opened } from '../support/opened.js';
import { longLived } from './support/long-lived.js';
import { NginxApplication } from './support/web-application.js';

const full = process.env['POSTERN_TEST_FULL'] === '1';
const name = 'programs.example.com';
/** How long a cut may take, on a machine that is busy with other tests. */
const cutMs = 5000;

/** What a user has of web applications, from the login to the recording, with the programs as they are shipped. */
describe('web applications by the programs', function () {
  this.timeout(120_000);
  let nginx: NginxApplication;
  let application: Application;
  let cluster: TestCluster;
  const open = new Opened();

  before(async function () {
    const program = needProgram(this, 'nginx', 'nginx');
    needProgram(this, 'curl', 'curl');
    await build();
    nginx = open.keep(await NginxApplication.start(program));
    application = open.keep(await Application.start());
    const accept = { labels: { '*': '*' }, allow_addresses: ['127.0.0.0/8'] };
    // JSON is YAML.
    cluster = await TestCluster.start(JSON.stringify({ cluster: name, data: '.postern', agent: { accept } }));
    open.keep(cluster);
    await register();
    await invite('alice');
    const { code, stderr } = await cluster.login('alice', [testPassword]);
    assert.equal(code, 0, stderr);
  });
  after(() => open[Symbol.asyncDispose]());

  async function register(): Promise<void> {
    const { host, port } = nginx;
    const documents = [
      {
        kind: 'role',
        name: 'developers',
        allow: { https: { labels: { env: 'test' }, methods: ['*'], paths: ['*'] } },
        deny: { https: { paths: ['/large'] } },
      },
      { kind: 'https', name: 'wiki', labels: { env: 'test' }, spec: { host, port } },
      { kind: 'https', name: 'live', labels: { env: 'test' }, spec: application.spec },
      { kind: 'https', name: 'payroll', labels: { env: 'prod' }, spec: { host, port } },
    ];
    const text = documents.map((one) => `${JSON.stringify(one)}\n`).join('---\n');
    const { code, stderr } = await cluster.postern(['create', '-f', '-'], text);
    assert.equal(code, 0, stderr);
  }

  /** A user with this role alone: `access`, which others have as well, allows every application. */
  async function invite(user: string): Promise<void> {
    const made = await cluster.postern(['users', 'add', user, '--role=developers', '--format=json']);
    const { url } = JSON.parse(made.stdout) as { readonly url: string };
    const answers = `${testPassword}\n${testPassword}\n\n`;
    const { code, stderr } = await cluster.psh(['accept', url, `--ca-pin=${cluster.pin}`], answers);
    assert.equal(code, 0, stderr);
  }

  const hostname = (app: string): string => `${app}.https.${name}`;
  const profile = (file: string): string => join(cluster.home, '.psh', name, file);
  const inHome = (program: string, args: readonly string[]): Promise<Result> =>
    run(findProgram(program) ?? '', args, { cwd: cluster.directory, env: cluster.env });

  /** Runs curl with the file that `psh login` left for an application, and nothing else. */
  const curl = (path: string, args: readonly string[] = [], app = 'wiki'): Promise<Result> =>
    inHome('curl', [
      ...['-sS', '--max-time', '60', '-K', profile('app/wiki.curlrc'), ...args],
      // The file names one application: others are found the same way.
      ...(app === 'wiki' ? [] : ['--connect-to', `${hostname(app)}:${cluster.port}:${cluster.address}`]),
      `https://${hostname(app)}:${cluster.port}${path}`,
    ]);

  /** With the certificate files of a profile, which is this user's unless another is given. */
  const openBoth = (directory = profile('')) =>
    longLived({ port: cluster.port, hostname: hostname('live'), profile: directory });

  interface Listed {
    readonly session: string;
    readonly resource: string;
  }
  const recordings = async (): Promise<readonly Listed[]> =>
    JSON.parse((await cluster.psh(['recordings', 'ls', '--format=json'])).stdout) as readonly Listed[];
  const sessionOf = async (app: string): Promise<string> =>
    (await recordings()).find(({ resource }) => resource === app)?.session ?? assert.fail(`no recording of ${app}`);

  it('are listed, those that the role shows and no others', async () => {
    const both = await Promise.all([cluster.psh(['ls', 'https']), cluster.psh(['app', 'ls'])]);
    for (const { stdout, stderr } of both) {
      assert.match(stdout, new RegExp(`https +wiki .*env=test +wiki\\.https\\.${name}`), stderr);
      assert.match(stdout, /https +live /);
      assert.doesNotMatch(stdout, /payroll/);
    }
  });

  it('are reached by curl with the file that psh login wrote, at the public port by their names', async () => {
    const { stdout, stderr } = await curl('/whoami', ['-H', 'Postern-User: root']);
    assert.match(stdout, /^GET \/whoami user=alice from=127\.0\.0\.1 jwt=/, stderr);
  });

  it('are started by psh app connect, which tells places from the files of options', async () => {
    const connect = (...args: readonly string[]) => cluster.psh(['app', 'connect', 'wiki', '--', ...args]);
    const [one, two] = [join(cluster.directory, 'one'), join(cluster.directory, 'two')];
    const all = await Promise.all([connect('-s', '/whoami'), connect('-o', one), connect('/', '--output', two)]);
    for (const { code, stderr } of all) assert.equal(code, 0, stderr);
    assert.match(all[0].stdout, /^GET \/whoami user=alice /);
    for (const file of [one, two]) assert.equal(await readFile(file, 'utf8'), '<h1>inside</h1>\n');
  });

  it('are reached with the variables that psh app env and psh env print', async () => {
    const both = await Promise.all([cluster.psh(['app', 'env', 'wiki']), cluster.psh(['env', 'https', 'wiki'])]);
    const way = '--cert "$APP_CERT" --key "$APP_KEY" --cacert "$APP_CA" --connect-to "$APP_CONNECT_TO"';
    for (const { stdout: variables, stderr } of both) {
      const { stdout } = await inHome('sh', ['-c', `${variables}\ncurl -sS ${way} "$APP_URL/"`]);
      assert.equal(stdout, '<h1>inside</h1>\n', stderr);
    }
  });

  it('are sent and send files unchanged', async () => {
    const [file, copy] = [join(cluster.directory, 'file'), join(cluster.directory, 'copy')];
    const bytes = Buffer.alloc(5_000_011, 'every byte of it \0\r\n');
    await writeFile(file, bytes);
    const sent = await curl('/uploads/a%20b', ['-T', file, '-w', '%{http_code}']);
    assert.match(sent.stdout, /201$/, sent.stderr);
    await curl('/uploads/a%20b?v=1', ['-o', copy]);
    assert.ok((await readFile(copy)).equals(bytes));
  });

  it('are refused by label and by path, in words and in the form that was asked for', async () => {
    const byPath = await curl('/large', ['-w', '%{http_code}']);
    assert.match(byPath.stdout, /^403 Forbidden: alice may not use https\/wiki.*403$/s, byPath.stderr);
    const byLabel = await curl('/', ['-i'], 'payroll');
    assert.match(byLabel.stdout, /^HTTP\/1\.1 403 Forbidden\r\n.*alice may not .*https\/payroll/s, byLabel.stderr);
    const json = await curl('/large', ['-H', 'Accept: application/json']);
    assert.match(json.stdout, /"code":"access_denied"/);
    const page = await curl('/large', ['-H', 'Accept: text/html']);
    assert.match(page.stdout, /<h1>403 Forbidden<\/h1>/);
    const { code, stderr } = await cluster.psh(['app', 'connect', 'payroll']);
    assert.notEqual(code, 0);
    assert.match(stderr, /you may reach no app payroll; see: psh app ls/);
  });

  it('learn who the user is from a token that a library of theirs verifies by the published keys', async () => {
    const auth = `auth.${name}`;
    const { stdout: published, stderr } = await inHome('curl', [
      ...['-sS', '--cacert', profile('authority.pem'), '--connect-to', `${auth}:${cluster.port}:${cluster.address}`],
      `https://${auth}:${cluster.port}/.well-known/jwks.json`,
    ]);
    const keys = createLocalJWKSet(JSON.parse(published || assert.fail(stderr)) as JSONWebKeySet);
    const { stdout } = await curl('/whoami');
    const token = /jwt=(\S+)/.exec(stdout)?.[1] ?? '';
    const rules = {
      algorithms: ['ES256'],
      issuer: `https://${name}`,
      audience: 'wiki',
      requiredClaims: ['exp', 'jti'],
    };
    const { payload } = await jwtVerify(token, keys, rules);
    assert.equal(payload.sub, 'alice');
    assert.deepEqual(payload['roles'], ['developers']);
    await assert.rejects(jwtVerify(token, keys, { ...rules, audience: 'live' }), /"aud"/);
    const [head = '', , signature = ''] = token.split('.');
    const forged = Buffer.from(JSON.stringify({ ...payload, sub: 'root' })).toString('base64url');
    await assert.rejects(jwtVerify(`${head}.${forged}.${signature}`, keys, rules), /signature verification failed/);
  });

  it('are reached at a port of this machine while psh proxy runs, by programs without certificates', async () => {
    const args = [binary('psh'), 'proxy', 'https', 'live', '--port=0'];
    const child: ChildProcess = spawn(process.execPath, args, { cwd: cluster.directory, env: cluster.env });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (said += String(data)));
    const closed = once(child, 'close');
    const port = () => Number(/127\.0\.0\.1:(\d+)/.exec(said)?.[1]);
    try {
      await until(() => port() > 0 || child.exitCode !== null, 30_000);
      const answer = await fetch(`http://127.0.0.1:${port()}/tool?n=1`, { method: 'POST', body: 'a body' });
      const seen = (await answer.json()) as {
        readonly [key: string]: unknown;
        readonly headers: Record<string, string>;
      };
      assert.deepEqual([seen['method'], seen['url'], seen['body']], ['POST', '/tool?n=1', 'a body']);
      assert.equal(seen.headers['postern-user'], 'alice');
      const socket = await openWebSocket(`ws://127.0.0.1:${port()}/echo`, {});
      const echoed = once(socket, 'message') as Promise<[Buffer]>;
      socket.send('through a port');
      assert.equal((await echoed)[0].toString(), 'through a port');
      const ended = once(socket, 'close');
      socket.close();
      await ended;
    } finally {
      child.kill('SIGINT');
      await closed;
    }
  });

  it('leave recordings that are played as readable requests', async () => {
    await curl('/whoami?q=a%20b');
    const session = await sessionOf('wiki');
    let played: Result | undefined;
    await until(async () => {
      played = await cluster.psh(['play', session]);
      return /→ GET \/whoami\?q=a%20b\n[^]*← 200/.test(played.stdout);
    }, 30_000);
    assert.match(played?.stdout ?? '', /^\d+\/\d+ → PUT \/uploads\/a b\n\d+\/\d+ ← 201, \d+ bytes in \d+ ms$/m);
    for (const line of (played?.stdout ?? '').trimEnd().split('\n')) assert.match(line, /^\d+\/\d+ [→←] /);
    assert.doesNotMatch(played?.stdout ?? '', /\/large/, 'what was refused was not sent');
  });

  it('leave recordings that are exported as HTTP archives', async () => {
    const session = await sessionOf('wiki');
    const { code, stdout, stderr } = await cluster.psh(['recordings', 'export', session, '--format', 'har']);
    assert.equal(code, 0, stderr);
    const entries = harEntries(JSON.parse(stdout));
    const put = entries.find((one) => (one['request'] as { method: string }).method === 'PUT');
    const { url, bodySize } = put?.['request'] as { url: string; bodySize: number };
    assert.equal(url, `https://${hostname('wiki')}:${cluster.port}/uploads/a%20b`);
    assert.equal(bodySize, 5_000_011);
    assert.equal((put?.['response'] as { status: number }).status, 201);
    const file = join(cluster.directory, 'wiki.har');
    const written = await cluster.psh(['recordings', 'export', session, '--format=har', `--out=${file}`]);
    assert.equal(written.code, 0, written.stderr);
    assert.ok(harEntries(JSON.parse(await readFile(file, 'utf8'))).length >= entries.length);
    const live = await cluster.psh(['recordings', 'export', await sessionOf('live'), '--format=har']);
    const statuses = harEntries(JSON.parse(live.stdout)).map((one) => (one['response'] as { status: number }).status);
    assert.ok(statuses.includes(101), statuses.join());
  });

  it('are taken from curl by psh app logout, and given back by psh config and psh app login', async () => {
    const file = `.psh/${name}/app/wiki.curlrc`;
    for (const again of [['config'], ['app', 'login', 'wiki']]) {
      await cluster.psh(['app', 'logout']);
      assert.equal(await homeFile(cluster, file), '');
      const { code, stdout, stderr } = await cluster.psh(again);
      assert.equal(code, 0, stderr + stdout);
      assert.notEqual(await homeFile(cluster, file), '');
    }
    assert.equal((await curl('/')).stdout, '<h1>inside</h1>\n');
  });

  (full ? it : it.skip)('are cut by the end of the certificate (full run)', async () => {
    const env = { ...cluster.env, POSTERN_HOME: join(cluster.directory, 'short') };
    const args = ['login', `--proxy=${cluster.address}`, `--ca-pin=${cluster.pin}`, '--user=alice', '--ttl=20s'];
    const options = { cwd: cluster.directory, env, input: `${testPassword}\n` };
    const { code, stderr } = await run(process.execPath, [binary('psh'), ...args], options);
    assert.equal(code, 0, stderr);
    const { ended } = await openBoth(join(env.POSTERN_HOME, name));
    const [socket, stream] = await ended;
    assert.match(socket, /^1008 the session ended at .*psh login$/);
    assert.match(stream, /^broken off/);
  });

  it('are cut by a lock, the reason with them', async () => {
    const { ended } = await openBoth();
    const { code, stderr } = await cluster.postern(['lock', 'add', '--user=alice', '--message=call security']);
    assert.equal(code, 0, stderr);
    const locked = performance.now();
    const [socket, stream] = await ended;
    assert.ok(performance.now() - locked < cutMs, `${performance.now() - locked} ms`);
    assert.match(socket, /^1008 .*call security/);
    assert.match(stream, /^broken off/);
    const refused = await curl('/', ['-i']);
    assert.match(refused.stdout, /^HTTP\/1\.1 403 Forbidden\r\n.*call security/s, refused.stderr);
  });

  it('are forgotten by psh logout, with everything that psh login wrote', async () => {
    assert.notEqual(await homeFile(cluster, `.psh/${name}/tls.key`), '');
    const { code, stderr } = await cluster.psh(['logout']);
    assert.equal(code, 0, stderr);
    const left = await readdir(cluster.home, { recursive: true, withFileTypes: true });
    assert.deepEqual(
      left.filter((one) => one.isFile()).map((one) => one.name),
      [],
    );
    assert.match((await cluster.psh(['app', 'ls'])).stderr, /not logged in; run: psh login/);
  });
});

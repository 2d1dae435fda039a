import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLock, deleteLock, getKeySet } from '@postern/kernel/api/contract';
import { needProgram } from '@postern/plugin-sdk/testing';
import { standardPlugins } from '../../config/src/standard.js';
import { Application } from '../../plugins/https/test/support/application.js';
import { openWebSocket } from '../../plugins/https/test/support/web-socket.js';
import { TestCluster, until } from '../support/cluster.js';
import type { TestLogin } from '../support/login.js';
import { Opened } from '../support/opened.js';
import { NginxApplication } from './support/web-application.js';

describe('curl and WebSockets through a cluster', function () {
  this.timeout(30_000);
  let cluster: TestCluster;
  let home: string;
  const logins = new Map<string, TestLogin>();
  const as = (user: string): TestLogin => logins.get(user) ?? assert.fail(user);
  const open = new Opened();

  before(async function () {
    const program = needProgram(this, 'nginx', 'nginx');
    needProgram(this, 'curl', 'curl');
    home = await mkdtemp(join(tmpdir(), 'postern-e2e-'));
    open.defer(() => rm(home, { recursive: true, force: true }));
    const nginx = open.keep(await NginxApplication.start(program));
    const application = open.keep(await Application.start());
    const everything = { labels: { '*': '*' }, methods: ['*'], paths: ['*'] };
    const { host, port } = nginx;
    const tls = { mode: 'verify-full', ca: nginx.tls.ca, server_name: 'inner.example' };
    const secure = { host, port: nginx.tls.port, tls };
    cluster = await TestCluster.start({
      plugins: standardPlugins,
      roles: [
        { name: 'admin', allow: { https: everything } },
        { name: 'reader', allow: { https: { ...everything, methods: ['GET', 'HEAD'], paths: ['/', '/whoami'] } } },
        { name: 'elsewhere', allow: { https: { ...everything, labels: { env: 'none' } } } },
      ],
      resources: [
        { kind: 'https', name: 'wiki', spec: { host, port } },
        { kind: 'https', name: 'secure', spec: { ...secure, host_header: 'inner.example' } },
        { kind: 'https', name: 'wrong', spec: { ...secure, tls: { ...tls, server_name: 'other.example' } } },
        { kind: 'https', name: 'live', spec: application.spec },
      ],
      users: { alice: { roles: ['admin'] }, rita: { roles: ['reader'] }, eve: { roles: ['elsewhere'] } },
    });
    open.keep(cluster);
    for (const user of ['alice', 'rita', 'eve']) logins.set(user, await cluster.login(user));
    await writeFile(join(home, 'ca'), cluster.authorities);
    for (const [user, { certificate, key }] of logins) {
      await writeFile(join(home, `${user}.crt`), certificate);
      await writeFile(join(home, `${user}.key`), key, { mode: 0o600 });
    }
  });
  after(() => open[Symbol.asyncDispose]());

  /** Runs curl to its end; what it printed, its own complaints included. */
  function curl(user: string | undefined, name: string, path: string, args: readonly string[] = []): Promise<string> {
    const to = cluster.hostname('https', name);
    const identity =
      user === undefined ? [] : ['--cert', join(home, `${user}.crt`), '--key', join(home, `${user}.key`)];
    const way = [
      '-sS',
      '--max-time',
      '20',
      '--cacert',
      join(home, 'ca'),
      '--connect-to',
      `${to}:${cluster.port}:127.0.0.1:${cluster.port}`,
    ];
    const all = [...way, ...identity, ...args, `https://${to}:${cluster.port}${path}`];
    return new Promise((resolve) =>
      execFile('curl', all, { maxBuffer: 64_000_000 }, (_, stdout, stderr) => resolve(stdout + stderr)),
    );
  }

  it('tells the application who the user is, with a token that the cluster’s public keys verify', async () => {
    const told = await curl('alice', 'wiki', '/whoami', [
      '-H',
      'Postern-User: root',
      '-H',
      'X-Forwarded-For: 10.0.0.1',
    ]);
    assert.match(told, /^GET \/whoami user=alice from=127\.0\.0\.1 jwt=/);
    const [head = '', body = '', signature = ''] = (/jwt=(\S+)/.exec(told)?.[1] ?? '').split('.');
    await using anybody = cluster.api();
    const { keys } = await anybody.call(getKeySet, {});
    const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { readonly kid: string };
    const key = keys.find((one) => one['kid'] === kid) ?? assert.fail('the key is not published');
    const publicKey = {
      key: createPublicKey({ key: key as JsonWebKey, format: 'jwk' }),
      dsaEncoding: 'ieee-p1363',
    } as const;
    assert.ok(verify('sha256', Buffer.from(`${head}.${body}`), publicKey, Buffer.from(signature, 'base64url')));
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
    assert.deepEqual([claims['sub'], claims['aud'], claims['roles']], ['alice', 'wiki', ['admin']]);
  });

  it('carries 20 MB in both directions, and deletes', async () => {
    const file = join(home, 'large');
    await writeFile(file, Buffer.alloc(20_000_000, 'abcdefg'));
    assert.match(await curl('alice', 'wiki', '/uploads/a', ['-T', file, '-w', '%{http_code}']), /201$/);
    const copy = join(home, 'copy');
    await curl('alice', 'wiki', '/uploads/a', ['-o', copy]);
    assert.ok((await readFile(copy)).equals(await readFile(file)));
    assert.match(await curl('alice', 'wiki', '/uploads/a', ['-X', 'DELETE', '-w', '%{http_code}']), /204$/);
  });

  it('reaches an application behind TLS, and none with another name', async () => {
    assert.match(await curl('alice', 'secure', '/'), /<h1>inside<\/h1>/);
    assert.match(await curl('alice', 'wrong', '/'), /^502 Bad Gateway: the application could not be reached securely/);
  });

  const denied: readonly (readonly [string, string, readonly string[]])[] = [
    ['rita', '/large', []],
    ['rita', '/', ['-X', 'DELETE']],
    ['rita', '/%6carge', []],
    ['eve', '/', []],
  ];
  for (const [user, path, args] of denied)
    it(`tells ${user} why ${args.join(' ')} ${path} is denied`, async () => {
      assert.match(await curl(user, 'wiki', path, args), /^403 Forbidden: \w+ may not use https\/wiki/);
      assert.match(
        await curl(user, 'wiki', path, [...args, '-H', 'Accept: application/json']),
        /"code":"access_denied"/,
      );
    });

  it('attack: paths that are not what they seem', async () => {
    for (const path of [
      '/whoami/../large',
      '/whoami/%2e%2e/large',
      '/whoami/..%2flarge',
      '/whoami/..;/large',
      '/..%5clarge',
    ])
      assert.match(await curl('rita', 'wiki', path, ['--path-as-is']), /^400 Bad Request: the path of the request has/);
  });

  it('refuses a client without a certificate in words', async () => {
    assert.match(await curl(undefined, 'wiki', '/'), /^401 Unauthorized: .*psh login/);
  });

  const socketTo = (user: string) =>
    openWebSocket(`wss://127.0.0.1:${cluster.port}/echo`, {
      servername: cluster.hostname('https', 'live'),
      headers: { Host: cluster.hostname('https', 'live') },
      ca: cluster.authorities,
      cert: as(user).certificate,
      key: as(user).key,
    });

  it('carries WebSockets, and closes them with the reason when a lock cuts them', async () => {
    const socket = await socketTo('alice');
    const echoed = new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(data.toString())));
    socket.send('hello');
    assert.equal(await echoed, 'hello');
    const closed = new Promise<[number, string]>((resolve) =>
      socket.once('close', (code, reason) => resolve([code, reason.toString()])),
    );
    const lock = await cluster.admin.call(createLock, { target: { user: 'alice' }, message: 'on leave' });
    const [code, reason] = await closed;
    assert.equal(code, 1008);
    assert.match(reason, /on leave/);
    assert.match(await curl('alice', 'wiki', '/'), /^403 Forbidden: .*on leave/);
    await cluster.admin.call(deleteLock, { id: lock.id });
    await cluster.seen();
  });

  it('leaves one session for many connections, an event for each request, and no query in it for everybody', async () => {
    for (const n of [1, 2, 3]) await curl('rita', 'wiki', `/whoami?n=${n}`);
    const theirs = () => cluster.events({ types: ['https.request'], user: 'rita' });
    await until(async () => (await theirs()).length >= 3);
    const events = await theirs();
    assert.deepEqual([...new Set(events.map(({ session }) => session))].length, 1);
    assert.deepEqual(
      events.slice(-3).map(({ fields }) => [fields['method'], fields['path'], fields['query']]),
      [1, 2, 3].map((n) => ['GET', '/whoami', `n=${n}`]),
    );
  });
});

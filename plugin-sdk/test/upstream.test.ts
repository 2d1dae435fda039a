import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import {
  encryptUpstream,
  PosternError,
  probeTlsOptions,
  probeUpstream,
  secretOf,
  upstreamTls,
  upstreamTlsOptions,
  withinLogin,
  type Health,
} from '@postern/plugin-sdk';
import { dialTcp, duplexPair, loopback } from '@postern/plugin-sdk/testing';

const whom = 'the database';
const never = new AbortController().signal;
const codeIs = (code: string) => (error: unknown) => PosternError.from(error).code === code;

/** A certificate that signs itself, for one DNS name. */
function selfSigned(name: string): { readonly cert: string; readonly key: string } {
  const directory = mkdtempSync(join(tmpdir(), 'postern-upstream-'));
  try {
    const what = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout key -out cert'.split(' ');
    execFileSync(
      'openssl',
      ['req', '-x509', ...what, '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`],
      { cwd: directory, stdio: 'ignore' },
    );
    const read = (file: string): string => readFileSync(join(directory, file), 'utf8');
    return { cert: read('cert'), key: read('key') };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const credentials = {
  asked: [] as string[],
  tls(name: string) {
    this.asked.push(name);
    return Promise.resolve({ certificate: `certificate of ${name}`, key: `key of ${name}`, authority: 'authority' });
  },
};

describe('the tls of a resource', () => {
  const tls = (value: object) => upstreamTls.parse(value);

  it('verifies everything unless it says otherwise', () => {
    assert.deepEqual(upstreamTls.parse(undefined), { mode: 'verify-full' });
  });

  for (const bad of [
    { mode: 'prefer' },
    { ca: '/etc/ssl/ca.pem' },
    { ca: '' },
    { server_name: 'a b' },
    { verify: false },
  ])
    it(`is not ${JSON.stringify(bad)}`, () => assert.equal(upstreamTls.safeParse(bad).success, false));

  it('asks for no credential where it needs none', async () => {
    credentials.asked.length = 0;
    for (const value of [{ mode: 'require' }, { ca: 'system' }, { mode: 'disable' }])
      await upstreamTlsOptions({ host: 'db', tls: tls(value) }, credentials, { name: 'ada', presents: false });
    assert.deepEqual(credentials.asked, []);
  });

  it('trusts the cluster’s authority where it names none, and presents what it is told to', async () => {
    credentials.asked.length = 0;
    const options = await upstreamTlsOptions({ host: 'db', tls: tls({}) }, credentials, {
      name: 'ada',
      presents: true,
    });
    assert.deepEqual(credentials.asked, ['ada']);
    assert.equal(options?.ca, 'authority');
    assert.equal(options.cert, 'certificate of ada');
    assert.equal(options.rejectUnauthorized, true);
    assert.equal(options.servername, 'db');
    assert.equal(options.checkServerIdentity, undefined);
  });

  it('sends no address as a server name, but the name that it was given', () => {
    const at = (value: object) => probeTlsOptions({ host: '192.0.2.7', tls: tls(value) })?.servername;
    assert.equal(at({}), undefined);
    assert.equal(at({ server_name: 'db.example.com' }), 'db.example.com');
  });

  it('of a probe that knows no authority verifies nothing, and of one that does verifies', () => {
    assert.equal(probeTlsOptions({ host: 'db', tls: tls({}) })?.rejectUnauthorized, false);
    assert.equal(probeTlsOptions({ host: 'db', tls: tls({ ca: 'system' }) })?.rejectUnauthorized, true);
    assert.equal(probeTlsOptions({ host: 'db', tls: tls({ mode: 'disable' }) }), undefined);
  });
});

describe('a connection with TLS', () => {
  const server = selfSigned('db.example.com');
  const other = selfSigned('db.example.com');

  /** Encrypts a connection to a server with the certificate, as a resource says. */
  async function meet(host: string, value: object): Promise<string> {
    const there = await loopback((socket: Socket) => {
      new TLSSocket(socket, { isServer: true, ...server }).on('error', () => {}).resume();
    });
    const options = await upstreamTlsOptions({ host, tls: upstreamTls.parse(value) }, credentials, {
      name: 'ada',
      presents: false,
    });
    const socket = await dialTcp(there);
    socket.on('error', () => {});
    try {
      const secure = await encryptUpstream(socket, options ?? {}, whom);
      return secure.getProtocol() ?? 'none';
    } finally {
      socket.destroy();
      await there.close();
    }
  }

  const cases: readonly [title: string, host: string, value: object, works: boolean][] = [
    ['the right authority and name', 'db.example.com', { ca: server.cert }, true],
    ['the name in `server_name`', 'db', { ca: server.cert, server_name: 'db.example.com' }, true],
    ['any name with `verify-ca`', 'db', { ca: server.cert, mode: 'verify-ca' }, true],
    ['anybody with `require`', 'db', { mode: 'require' }, true],
    ['another name', 'db', { ca: server.cert }, false],
    ['another authority of the same name', 'db.example.com', { ca: other.cert }, false],
    ['another authority with `verify-ca`', 'db.example.com', { ca: other.cert, mode: 'verify-ca' }, false],
    ['the authorities of the system', 'db.example.com', { ca: 'system' }, false],
  ];
  for (const [title, host, value, works] of cases)
    it(`${works ? 'works with' : 'is refused with'} ${title}`, async () => {
      if (works) assert.equal(await meet(host, value), 'TLSv1.3');
      else await assert.rejects(meet(host, value), codeIs('upstream_unreachable'));
    });

  it('is refused where the other side closes, with words for the client', async () => {
    const [near, far] = duplexPair();
    far.resume().once('data', () => far.destroy());
    await assert.rejects(encryptUpstream(near, {}, whom), (error: PosternError) => {
      assert.equal(error.code, 'upstream_unreachable');
      assert.match(error.publicMessage, /^the database could not be reached securely/);
      return true;
    });
    near.destroy();
  });
});

describe('a login', () => {
  const login = (near: ReturnType<typeof duplexPair>[0], timeoutMs = 60_000, signal = never) => ({
    dial: () => Promise.resolve(near),
    timeoutMs,
    signal,
    whom,
  });
  /** What waits for an answer that does not come. */
  const waiting = (socket: ReturnType<typeof duplexPair>[0]): Promise<never> =>
    new Promise((_, reject) => socket.once('close', () => reject(new PosternError('aborted', 'it closed'))));

  it('leaves the connection open where it works', async () => {
    const [near, far] = duplexPair();
    assert.equal(await withinLogin(login(near), () => Promise.resolve(7)), 7);
    assert.equal(near.destroyed, false);
    near.destroy();
    far.destroy();
  });

  it('ends when its time is over', async () => {
    const [near, far] = duplexPair();
    await assert.rejects(withinLogin(login(near, 20), waiting), /no login within 20 ms/);
    assert.equal(near.destroyed, true);
    far.destroy();
  });

  it('ends with the session, also where that ended before', async () => {
    for (const early of [true, false]) {
      const [near, far] = duplexPair();
      const cut = new AbortController();
      if (early) cut.abort();
      const ended = assert.rejects(withinLogin(login(near, 60_000, cut.signal), waiting), /the login broke off/);
      if (!early) setImmediate(() => cut.abort());
      await ended;
      assert.equal(near.destroyed, true);
      far.destroy();
    }
  });

  for (const [code, told] of [
    ['protocol_violation', 'upstream_unreachable'],
    ['limit_exceeded', 'upstream_unreachable'],
    ['aborted', 'upstream_unreachable'],
    ['upstream_auth', 'upstream_auth'],
    ['audit_unavailable', 'audit_unavailable'],
  ] as const)
    it(`that fails by ${code} is ${told}, and closes`, async () => {
      const [near, far] = duplexPair();
      const fails = () => Promise.reject(new PosternError(code, 'what happened'));
      await assert.rejects(withinLogin(login(near), fails), codeIs(told));
      assert.equal(near.destroyed, true);
      far.destroy();
    });

  it('has the secret of its user, and none by the name of a method of objects', async () => {
    const secrets = { secret: (name: string) => Promise.resolve(`secret ${name}`) };
    assert.equal(await secretOf(secrets, 'all', 'ada'), 'secret all');
    assert.equal(await secretOf(secrets, { ada: 'hers' }, 'ada'), 'secret hers');
    for (const user of ['bob', 'toString', '__proto__'])
      await assert.rejects(secretOf(secrets, { ada: 'hers' }, user), codeIs('upstream_auth'));
  });
});

describe('a probe of one connection', () => {
  const healthy = (): Promise<Health> => Promise.resolve({ ok: true });

  it('says what was found, and closes', async () => {
    const [near, far] = duplexPair();
    assert.deepEqual(await probeUpstream({ dial: () => Promise.resolve(near), signal: never }, healthy), { ok: true });
    assert.equal(near.destroyed, true);
    far.destroy();
  });

  it('tells what cannot be reached from what speaks something else', async () => {
    const [near, far] = duplexPair();
    const failing = () => Promise.reject(new Error('no route'));
    const unreachable = await probeUpstream({ dial: failing, signal: never }, healthy);
    assert.deepEqual(unreachable, { ok: false, reason: 'unreachable', detail: 'no route' });
    const strange = await probeUpstream({ dial: () => Promise.resolve(near), signal: never }, failing);
    assert.deepEqual(strange, { ok: false, reason: 'protocol', detail: 'no route' });
    far.destroy();
  });

  it('ends when it is aborted', async () => {
    const [near, far] = duplexPair();
    const cut = new AbortController();
    const probing = probeUpstream(
      { dial: () => Promise.resolve(near), signal: cut.signal },
      (socket) => new Promise((_, reject) => socket.once('close', () => reject(new Error('closed')))),
    );
    setImmediate(() => cut.abort());
    assert.equal((await probing).ok, false);
    far.destroy();
  });
});

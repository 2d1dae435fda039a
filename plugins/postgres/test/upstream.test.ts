import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { Authority } from './support/authority.js';
import { needPostgres } from './support/postgres-server.js';
import { Site } from './support/site.js';

describe('a session reaches its database', function () {
  this.timeout(30_000);
  let site: Site;
  before(async function () {
    needPostgres(this);
    site = await Site.start();
  });
  after(() => (site as Site | undefined)?.[Symbol.asyncDispose]());

  const secrets = { scram: 'pencil', md5: 'eraser', clear: 'ruler', wrong: 'guess' };
  const password = (secret: unknown, ...accept: string[]) => ({
    method: 'password',
    secret,
    ...(accept.length > 0 && { accept }),
  });

  /** Runs one query and tells how the login came about, or why it did not. */
  async function login(spec: Readonly<Record<string, unknown>>, user = 'scram'): Promise<string> {
    await using stand = await site.stand({ spec: site.spec(spec), secrets });
    const { stdout, stderr } = await site.psql(stand, ['-c', 'select current_user'], { set: { user } });
    await stand.idle();
    const everything = JSON.stringify([stand.events, stand.lines, stand.logged, stdout, stderr]);
    for (const secret of Object.values(secrets)) assert.ok(!everything.includes(secret), `${secret} got out`);
    if (stdout !== `${user}\n`) return stderr.replace(/^.*failed: /s, '').trim();
    const [event] = stand.seen('login');
    return `${event?.['method'] as string} ${event?.['tls'] as string}`;
  }

  for (const [name, spec, user, told] of [
    ['by a client certificate', {}, 'app', 'certificate TLSv1.3'],
    ['by SCRAM, bound to the TLS connection', { auth: password('scram') }, 'scram', 'scram-sha-256-plus TLSv1.3'],
    ['by SCRAM in clear', { tls: { mode: 'disable' }, auth: password('scram') }, 'scram', 'scram-sha-256 none'],
    ['by md5, where that is accepted', { auth: password('md5', 'md5') }, 'md5', 'md5 TLSv1.3'],
    ['by a password in clear within TLS', { auth: password('clear', 'cleartext') }, 'clear', 'cleartext TLSv1.3'],
    ['by a secret for each user', { auth: password({ scram: 'scram' }) }, 'scram', 'scram-sha-256-plus TLSv1.3'],
    ['without a word, where the server trusts it', { auth: { method: 'trust' } }, 'trusted', 'trust TLSv1.3'],
    [
      'with any name in the certificate',
      { tls: { mode: 'verify-ca', server_name: 'other' } },
      'app',
      'certificate TLSv1.3',
    ],
    [
      'with any certificate',
      { tls: { mode: 'require' }, auth: password('scram') },
      'scram',
      'scram-sha-256-plus TLSv1.3',
    ],
    ['under the name in its certificate', { tls: { server_name: 'localhost' } }, 'app', 'certificate TLSv1.3'],
  ] as const)
    it(name, async () => assert.equal(await login(spec, user), told));

  it('whose authority the document names', async () => {
    const ca = site.servers.certificate;
    assert.equal(await login({ tls: { ca }, auth: password('scram') }), 'scram-sha-256-plus TLSv1.3');
  });

  for (const [name, spec, user, told] of [
    ['a wrong password', { auth: password('wrong') }, 'scram', /password authentication failed for user "scram"/],
    ['a server that asks for md5', { auth: password('md5') }, 'md5', /as md5, which the resource does not accept/],
    ['a server that asks for the password in clear', { auth: password('clear') }, 'clear', /as cleartext, which/],
    ['a server that asks for nothing', { auth: password('scram') }, 'trusted', /asks for no password/],
    ['a user without a secret', { auth: password({ other: 'scram' }) }, 'scram', /no secret for scram/],
    ['a server that wants a password instead of a certificate', {}, 'scram', /instead of accepting the certificate/],
    ['a user that does not exist', {}, 'nobody', /no pg_hba.conf entry for host/],
    ['the wrong name in the certificate', { tls: { server_name: 'other.internal' } }, 'app', /its certificate/],
    ['an authority of the public', { tls: { ca: 'system' } }, 'app', /its certificate/],
  ] as const)
    it(`psql prints FATAL for ${name}`, async () => {
      const error = await login(spec, user);
      assert.match(error, /^FATAL: {2}/);
      assert.match(error, told);
    });

  it('and not a server with a certificate of another authority', async () => {
    using other = new Authority('another');
    assert.match(await login({ tls: { ca: other.certificate }, auth: password('scram') }), /its certificate/);
  });

  describe('that is none', () => {
    let server: Server;
    const listen = async (answer: (chunk: Buffer) => Buffer | undefined): Promise<number> => {
      server = createServer((socket) => {
        socket.on('error', () => {});
        socket.on('data', (chunk: Buffer) => {
          const words = answer(chunk);
          if (words) socket.end(words);
        });
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    };
    const ask = async (port: number, more: Readonly<Record<string, unknown>> = {}): Promise<string> => {
      const spec = { host: '127.0.0.1', port, ...more };
      await using stand = await site.stand({ spec, config: { login_timeout_seconds: 1 }, secrets });
      const { stderr } = await site.psql(stand, ['-c', 'select 1']);
      return stderr;
    };
    afterEach(() => {
      server.close();
    });

    it('says so where nobody listens', async () => {
      const port = await listen(() => undefined);
      server.close();
      assert.match(await ask(port), /FATAL: {2}the database cannot be reached/);
    });

    it('says so where the server has no TLS', async () => {
      assert.match(await ask(await listen(() => Buffer.from('N'))), /FATAL: {2}the database does not support TLS/);
    });

    it('bytes in clear behind the answer to SSLRequest are not believed', async () => {
      const port = await listen(() => Buffer.concat([Buffer.from('S'), Buffer.from('R\0\0\0\x08\0\0\0\0')]));
      assert.match(await ask(port), /FATAL: {2}the database broke the protocol/);
    });

    it('says so where the server speaks something else', async () => {
      const port = await listen(() => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
      assert.match(await ask(port), /FATAL: {2}the database broke off the login/);
      const plain = { tls: { mode: 'disable' }, auth: { method: 'trust' } };
      assert.match(await ask(port, plain), /FATAL: {2}the database broke the protocol/);
    });

    it('says so where the server does not answer', async () => {
      assert.match(await ask(await listen(() => undefined)), /FATAL: {2}the database did not answer in time/);
    });

    it('says so where the server hangs up', async () => {
      const plain = { tls: { mode: 'disable' }, auth: { method: 'trust' } };
      assert.match(await ask(await listen(() => Buffer.alloc(0)), plain), /FATAL: {2}the database broke off the login/);
    });
  });
});

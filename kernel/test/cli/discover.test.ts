import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { authorityPin } from '../../src/certificates/fingerprint.js';
import { discover } from '../../src/cli/profile/discover.js';
import { connectTls } from '../../src/cli/profile/tls-connection.js';
import { temporaryDirectory } from './support/temporary-directory.js';

interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate that signed itself, for a name and for 127.0.0.1. */
async function selfSigned(name: string): Promise<Pair> {
  await using directory = await temporaryDirectory();
  const at = (file: string): string => join(directory.path, file);
  const how = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  const names = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name},IP:127.0.0.1`];
  execFileSync('openssl', [...how, ...names, '-keyout', at('key'), '-out', at('crt')], { stdio: 'ignore' });
  return { certificate: readFileSync(at('crt'), 'utf8'), key: readFileSync(at('key'), 'utf8') };
}

/** What a proxy answers to whoever does not know the cluster yet. */
async function proxy(web: Pair, body: string | (() => string)) {
  const server = https.createServer({ cert: web.certificate, key: web.key }, (_, response) =>
    response.end(typeof body === 'string' ? body : body()),
  );
  server.on('tlsClientError', () => {});
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    address: { host: '127.0.0.1', port },
    [Symbol.asyncDispose]: () =>
      new Promise<void>((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

const info = (...authorities: readonly Pair[]): string =>
  JSON.stringify({
    name: 'access.example.com',
    version: '1',
    authorities: authorities.map(({ certificate }) => certificate),
    pins: authorities.map(({ certificate }) => authorityPin(certificate)),
  });

describe('discovering a cluster', function () {
  let web: Pair, first: Pair, second: Pair;
  before(async () => {
    [web, first, second] = await Promise.all([selfSigned('web'), selfSigned('first'), selfSigned('second')]);
  });

  it('with a pin keeps the one authority that it names', async () => {
    await using server = await proxy(web, info(first, second));
    const found = await discover(server.address, authorityPin(second.certificate));
    assert.deepEqual(found, { name: 'access.example.com', authorities: second.certificate });
  });

  it('somebody in between with an authority of his own is refused', async () => {
    await using server = await proxy(web, info(second));
    await assert.rejects(discover(server.address, authorityPin(first.certificate)), { code: 'unauthenticated' });
  });

  it('somebody in between who claims the pin without its authority is refused', async () => {
    const lie = { ...(JSON.parse(info(second)) as object), pins: [authorityPin(first.certificate)] };
    await using server = await proxy(web, JSON.stringify(lie));
    await assert.rejects(discover(server.address, authorityPin(first.certificate)), { code: 'unauthenticated' });
  });

  it('without a pin, nobody is trusted on first use', async () => {
    await using server = await proxy(web, info(first));
    await assert.rejects(discover(server.address, undefined), { code: 'unauthenticated', message: /--ca-pin/ });
  });

  it('refuses a pin that is none', async () => {
    await using server = await proxy(web, info(first));
    await assert.rejects(discover(server.address, 'sha256:1234'), { code: 'invalid_argument' });
  });

  for (const [what, body] of [
    ['another web server', '<html></html>'],
    ['an answer that lacks something', '{"name":"access.example.com"}'],
  ] as const)
    it(`${what} is no cluster`, async () => {
      await using server = await proxy(web, body);
      await assert.rejects(discover(server.address, authorityPin(first.certificate)), { code: 'unavailable' });
    });

  it('reads no more than a cluster has to say', async () => {
    await using server = await proxy(web, () => 'x'.repeat(4 * 1024 * 1024));
    await assert.rejects(discover(server.address, undefined), { code: 'unavailable', message: /too much/ });
  });

  it('says where nobody listens', async () => {
    await assert.rejects(discover({ host: '127.0.0.1', port: 1 }, undefined), {
      code: 'unavailable',
      message: /cannot reach the cluster at 127\.0\.0\.1:1/,
    });
  });

  it('a server that is not the one that the cluster certified gets nothing', async () => {
    await using server = await proxy(web, '');
    const target = { proxy: server.address, servername: 'auth.access.example.com', authorities: first.certificate };
    await assert.rejects(connectTls(target), { code: 'unauthenticated', message: /is not auth\.access\.example\.com/ });
    // Of the right authority, with another name.
    await assert.rejects(connectTls({ ...target, authorities: web.certificate }), { code: 'unauthenticated' });
  });
});

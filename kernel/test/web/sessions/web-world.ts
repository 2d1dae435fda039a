import { generateKeyPairSync } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';
import { testPassword, type TestCluster } from '../../../../test/support/cluster.js';
import type { ResourceName, WebLogin, WebSessions } from '../../../src/web/sessions/index.js';

/** Where browsers of tests are, unless they are elsewhere. */
export const home = '192.0.2.10';

export const one: ResourceName = { kind: 'lines', name: 'one' };

/** The code that a promise rejects with, or `ok`. */
export const outcome = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'ok',
    (cause: unknown) => PosternError.from(cause).code,
  );

/** Logs a browser in; resolves with its cookie. */
export async function enter(
  cluster: TestCluster,
  user: string,
  { from = home, ...more }: Partial<WebLogin> & { readonly from?: string } = {},
): Promise<string> {
  const { cookie } = await cluster.running.auth.web.login({ user, password: testPassword, ...more }, from);
  return cookie;
}

export interface TestKeys {
  readonly publicKey: string;
  readonly key: string;
}

/** A fresh key of a proxy. */
export function proxyKeys(): TestKeys {
  const { privateKey: key, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { format: 'pem', type: 'spki' },
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
  });
  return { publicKey, key };
}

/** What a proxy does for a browser: gets a certificate for a fresh key. */
export async function certify(
  sessions: WebSessions,
  cookie: string,
  { resource = one, from = home }: { readonly resource?: ResourceName; readonly from?: string } = {},
): Promise<{ readonly certificate: string; readonly key: string; readonly expires: Date }> {
  const { publicKey, key } = proxyKeys();
  const { certificate, expires } = await sessions.certificate({ cookie, resource, publicKey, address: from });
  return { certificate, key, expires };
}

/** Whether a cookie is somebody's from this address. */
export const isIn = async (sessions: WebSessions, cookie: string, from = home): Promise<boolean> =>
  (await sessions.session(cookie, from)) !== undefined;

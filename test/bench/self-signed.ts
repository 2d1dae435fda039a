import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from '../../plugins/postgres/test/support/program.js';

/** PEM of a P-256 key and a certificate for it, which no client checks here. */
export async function selfSigned(directory: string): Promise<{ readonly key: string; readonly certificate: string }> {
  const { privateKey: key } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { format: 'pem', type: 'spki' },
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
  });
  const file = join(directory, 'relay.key');
  await writeFile(file, key, { mode: 0o600 });
  const certificate = await succeed('openssl', ['req', '-x509', '-key', file, '-days', '2', '-subj', '/CN=relay']);
  return { key, certificate };
}

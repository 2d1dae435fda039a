import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { certifyDatabaseServer, getAuthority } from '../../api/contract/authorities.js';
import { writePrivateFile } from '../profile/private-file.js';
import { withAdmin, type AdminOptions } from './with-admin.js';

/** `postern ca export KIND`: the public halves, as servers want them in a file. */
export async function exportAuthority(kind: string, options: AdminOptions): Promise<void> {
  const { x509, openSsh } = await withAdmin(options, (client) => client.call(getAuthority, { kind: kind as 'user' }));
  const text = x509.length > 0 ? x509.join('') : openSsh.map((line) => `${line}\n`).join('');
  if (text === '')
    throw PosternError.public('not_found', `the ${kind} authority has nothing that a server could install`);
  process.stdout.write(text);
}

/** `postern ca server NAME…`: a key made here, and its certificate, as files for a database server. */
export async function certifyServer(
  names: readonly string[],
  { out = '.', ...options }: AdminOptions & { readonly out?: string },
): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { format: 'pem', type: 'spki' },
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
  });
  const [made, clients] = await withAdmin(options, async (client) => [
    await client.call(certifyDatabaseServer, { names: [...names], publicKey }),
    await client.call(getAuthority, { kind: 'db_client' }),
  ]);
  await writePrivateFile(join(out, 'server.key'), privateKey);
  await writePrivateFile(join(out, 'server.crt'), made.certificate);
  await writePrivateFile(join(out, 'clients.crt'), clients.x509.join(''));
  process.stdout.write(
    `${join(out, 'server.key')} and server.crt are good for ${names.join(', ')} until ${made.expires};\n` +
      `${join(out, 'clients.crt')} is the authority whose clients the server should trust\n`,
  );
}

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Authority } from '../../../plugins/kubernetes/test/support/authority.js';

/** Writes the certificate that a cluster shows to browsers; its two files, as `proxy.web` names them. */
export async function webCertificate(authority: Authority, directory: string, names: readonly [string, ...string[]]) {
  const shown = authority.issue(
    names[0],
    names.map((name) => `DNS:${name}`),
  );
  const files = { certificate: join(directory, 'web.pem'), key: join(directory, 'web.key') };
  await writeFile(files.certificate, shown.certificate + authority.certificate);
  await writeFile(files.key, shown.key, { mode: 0o600 });
  return files;
}

import { readFile } from 'node:fs/promises';
import { PosternError } from '@postern/plugin-sdk';
import { ApiClient } from '../../api/api-client.js';
import type { Profile } from './profile.js';
import { connectTls } from './tls-connection.js';

export interface AuthTarget {
  readonly cluster: string;
  readonly proxy: { readonly host: string; readonly port: number };
  /** PEM of the host authorities: nothing else is believed. */
  readonly authorities: string;
  /** PEM, after a login. */
  readonly certificate?: string;
  readonly key?: string;
}

/** A client of the Auth Service, end to end through the proxy, which cannot read what is said. */
export function authClient({ cluster, ...target }: AuthTarget): ApiClient {
  const servername = `auth.${cluster}`;
  return new ApiClient(`https://${servername}`, () => connectTls({ ...target, servername, alpn: ['h2'] }));
}

/** The same, with the certificate of a profile. */
export async function profileClient(profile: Profile): Promise<ApiClient> {
  profile.assureValid();
  const { data, files } = profile;
  const { cluster, proxy } = data;
  return authClient({ cluster, proxy, ...(await credentialsOf(files)) });
}

/** The PEM texts of a profile. Rejects with `not_found` where one is missing. */
export async function credentialsOf(
  files: Profile['files'],
): Promise<Required<Pick<AuthTarget, 'authorities' | 'certificate' | 'key'>>> {
  const read = (path: string): Promise<string> =>
    readFile(path, 'utf8').catch((cause: unknown) => {
      throw PosternError.public('not_found', `${path} cannot be read; log in again: psh login`, cause);
    });
  const [authorities, certificate, key] = await Promise.all([
    read(files.authority),
    read(files.certificate),
    read(files.key),
  ]);
  return { authorities, certificate, key };
}

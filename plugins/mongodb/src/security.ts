import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { PosternError, type Grant } from '@postern/plugin-sdk';
import type { Mongodb, MongodbSpec } from './protocol.js';

/** How to speak TLS to a server as `user`; undefined where it is spoken to in clear. */
export async function securityFor(
  grant: Grant<Mongodb>,
  { host, tls: wanted, auth }: MongodbSpec,
  user: string | undefined,
): Promise<tls.ConnectionOptions | undefined> {
  if (wanted.mode === 'disable') return undefined;
  const presents = auth.method === 'certificate' && user !== undefined;
  const needsAuthority = wanted.mode.startsWith('verify') && wanted.ca === undefined;
  const name = wanted.server_name ?? host;
  if (!presents && !needsAuthority) return { ...verification(wanted.mode, name), ...trusted(wanted.ca) };
  const { authority, certificate, key } = await grant.credentials.tls(user ?? watcher);
  return {
    ...verification(wanted.mode, name),
    ...trusted(needsAuthority ? authority : wanted.ca),
    ...(presents && { cert: certificate, key }),
  };
}

/** The name in a certificate that is never shown to anybody: only the authority beside it is used. */
const watcher = 'postern';

/** Whom to trust: the given authority, or those of the system. */
export const trusted = (ca: string | undefined): tls.ConnectionOptions =>
  ca === undefined || ca === 'system' ? {} : { ca };

/** How to verify the server's certificate, which bears `name`. */
export function verification(mode: MongodbSpec['tls']['mode'], name: string): tls.ConnectionOptions {
  return {
    host: name,
    // An address cannot be sent as a server name.
    ...(net.isIP(name) === 0 && { servername: name }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: mode !== 'require',
    ...(mode !== 'verify-full' && { checkServerIdentity: () => undefined }),
  };
}

/** Rejects with `upstream_unreachable` where the server has no TLS, or not the certificate that it should have. */
export async function encrypt(socket: Duplex, options: tls.ConnectionOptions): Promise<tls.TLSSocket> {
  const secure = tls.connect({ ...options, socket });
  await new Promise<void>((resolve, reject) => {
    const failed = (cause?: Error): void =>
      reject(
        new PosternError(
          'upstream_unreachable',
          `tls to the server failed: ${cause?.message ?? 'the connection was closed'}`,
          {
            publicMessage: 'the server could not be reached securely: its TLS or its certificate is not as expected',
            cause,
          },
        ),
      );
    secure
      .on('error', () => {})
      .once('secureConnect', resolve)
      .once('error', failed)
      .once('close', () => failed());
  });
  return secure;
}

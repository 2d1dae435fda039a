import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import type { Credentials } from './credentials.js';
import { PosternError } from './errors.js';
import type { UpstreamSpec, UpstreamTls } from './upstream-spec.js';

/**
 * How a session speaks TLS to its resource; `undefined` where the resource says
 * `disable`. With `presents` it shows the cluster's client certificate for that
 * name. `name` is whom the session becomes: a credential for it is asked for
 * also where only the cluster's authority is needed, and at most once.
 */
export async function upstreamTlsOptions(
  { host, tls: wanted }: UpstreamSpec,
  credentials: Pick<Credentials, 'tls'>,
  { name, presents }: { readonly name: string; readonly presents: boolean },
): Promise<tls.ConnectionOptions | undefined> {
  if (wanted.mode === 'disable') return undefined;
  const needsAuthority = wanted.mode.startsWith('verify') && wanted.ca === undefined;
  const credential = presents || needsAuthority ? await credentials.tls(name) : undefined;
  return {
    ...verification(wanted.mode, wanted.server_name ?? host),
    ...trusting(needsAuthority ? credential?.authority : wanted.ca),
    ...(presents && { cert: credential?.certificate, key: credential?.key }),
  };
}

/**
 * The same for a probe, which has no user and therefore no credential: the
 * certificate is verified only where the resource names its authority.
 */
export function probeTlsOptions({ host, tls: wanted }: UpstreamSpec): tls.ConnectionOptions | undefined {
  if (wanted.mode === 'disable') return undefined;
  const mode = wanted.ca === undefined ? 'require' : wanted.mode;
  return { ...verification(mode, wanted.server_name ?? host), ...trusting(wanted.ca) };
}

/** Whom to trust: the given authority, or those of the system. */
const trusting = (ca: string | undefined): tls.ConnectionOptions => (ca === undefined || ca === 'system' ? {} : { ca });

/** How to verify the server's certificate, which bears `name`. */
function verification(mode: UpstreamTls['mode'], name: string): tls.ConnectionOptions {
  return {
    host: name,
    // An address cannot be sent as a server name.
    ...(net.isIP(name) === 0 && { servername: name }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: mode !== 'require',
    ...(mode !== 'verify-full' && { checkServerIdentity: () => undefined }),
  };
}

/**
 * Begins TLS as the client on a connection on which nothing else is said;
 * `whom` is what the other side is called in messages, such as `the database`.
 * Rejects with `upstream_unreachable` where it has no TLS, or not the
 * certificate that it should have.
 */
export async function encryptUpstream(
  socket: Duplex,
  options: tls.ConnectionOptions,
  whom: string,
): Promise<tls.TLSSocket> {
  const secure = tls.connect({ ...options, socket });
  // What fails later is followed by `close`, which is what relays wait for.
  secure.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    const failed = (cause?: Error): void =>
      reject(
        upstreamUnreachable(
          `tls to ${whom} failed: ${cause?.message ?? 'the connection was closed'}`,
          `${whom} could not be reached securely: its TLS or its certificate is not as expected`,
          cause,
        ),
      );
    secure
      .once('secureConnect', resolve)
      .once('error', failed)
      .once('close', () => failed());
  });
  return secure;
}

/** `upstream_unreachable`: words for the operator, and words for the client. */
export const upstreamUnreachable = (message: string, publicMessage: string, cause?: unknown): PosternError =>
  new PosternError('upstream_unreachable', message, { publicMessage, cause });

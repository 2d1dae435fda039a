import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { PosternError, type Grant } from '@postern/plugin-sdk';
import { readReply } from './login-reply.js';
import type { Redis, RedisSpec } from './protocol.js';
import { encodeCommand } from './wire.js';

/** A connection to the server on which the user of the grant is logged in. */
export interface Upstream {
  readonly stream: Duplex;
  /** TLS version, or `none`. */
  readonly tlsVersion: string;
}

export interface DialOptions {
  readonly grant: Grant<Redis>;
  readonly spec: RedisSpec;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Connects and logs in. Rejects with `upstream_unreachable` or `upstream_auth`. */
export async function openUpstream({ grant, spec, timeoutMs, signal }: DialOptions): Promise<Upstream> {
  const password = await passwordFor(grant, spec.auth);
  const options = spec.tls.mode === 'disable' ? undefined : await tlsOptions(grant, spec);
  const socket = await grant.dial();
  let late = false;
  const stop = (): void => void socket.destroy();
  const timer = setTimeout(() => {
    late = true;
    stop();
  }, timeoutMs).unref();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) stop();
    const stream = options ? await encrypt(socket, options) : socket;
    if (password !== undefined) await logIn(stream, grant.ask.user, password);
    return { stream, tlsVersion: (stream as Partial<tls.TLSSocket>).getProtocol?.() ?? 'none' };
  } catch (cause) {
    stop();
    if (late) throw unreachable(`no login within ${timeoutMs} ms`, 'the server did not answer in time', cause);
    throw cause;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

async function passwordFor(grant: Grant<Redis>, { method, secret }: RedisSpec['auth']): Promise<string | undefined> {
  if (method !== 'password' || secret === undefined) return undefined;
  const { user } = grant.ask;
  const name = typeof secret === 'string' ? secret : Object.hasOwn(secret, user) ? secret[user] : undefined;
  if (name === undefined) throw PosternError.public('upstream_auth', `the resource names no secret for ${user}`);
  return grant.credentials.secret(name);
}

/** `AUTH user password`; servers before version 6 know one user only, and no name for it. */
async function logIn(stream: Duplex, user: string, password: string): Promise<void> {
  const words = user === 'default' ? ['AUTH', password] : ['AUTH', user, password];
  const answer = await readReply(stream, encodeCommand(words));
  if (answer === 'OK') return;
  // The server's words name no password, but they are not the client's business either.
  throw new PosternError('upstream_auth', `the server refused ${user}: ${answer}`, {
    publicMessage: `the server refused the login of ${user}`,
  });
}

async function tlsOptions(grant: Grant<Redis>, { host, tls: wanted, auth }: RedisSpec): Promise<tls.ConnectionOptions> {
  const presents = auth.method === 'certificate';
  const needsAuthority = wanted.mode.startsWith('verify') && wanted.ca === undefined;
  const credential = presents || needsAuthority ? await grant.credentials.tls(grant.ask.user) : undefined;
  return {
    ...verification(wanted.mode, wanted.server_name ?? host),
    ...trusted(needsAuthority ? credential?.authority : wanted.ca),
    ...(presents && { cert: credential?.certificate, key: credential?.key }),
  };
}

/** Whom to trust: the given authority, or those of the system. */
export const trusted = (ca: string | undefined): tls.ConnectionOptions =>
  ca === undefined || ca === 'system' ? {} : { ca };

/** How to verify the server's certificate, which bears `name`. */
export function verification(mode: RedisSpec['tls']['mode'], name: string): tls.ConnectionOptions {
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
        unreachable(
          `tls to the server failed: ${cause?.message ?? 'the connection was closed'}`,
          'the server could not be reached securely: its TLS or its certificate is not as expected',
          cause,
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

const unreachable = (message: string, publicMessage: string, cause?: unknown): PosternError =>
  new PosternError('upstream_unreachable', message, { publicMessage, cause });

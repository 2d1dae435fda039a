import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { FrameReader, PosternError, write, type Grant } from '@postern/plugin-sdk';
import { serialize } from 'pg-protocol';
import { tlsServerEndPoint } from './channel-binding.js';
import { logIn, type LoginOptions, type Welcome } from './login.js';
import type { Postgres, PostgresSpec } from './protocol.js';
import { startupMessage } from './startup.js';
import { cancelRequest } from './wire.js';

/** A connection to the server on which nothing was said yet. */
interface Line {
  readonly stream: Duplex;
  readonly tls: tls.TLSSocket | undefined;
}

/** A session at the server. */
export interface Upstream extends Welcome {
  readonly stream: Duplex;
  /** TLS version, or `none`. */
  readonly tlsVersion: string;
}

export interface DialOptions {
  readonly grant: Grant<Postgres>;
  readonly spec: PostgresSpec;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly checkIntervalMs: LoginOptions['checkIntervalMs'];
}

/**
 * Connects to the database of a grant and logs in as its user, with the
 * client's settings. Rejects with `upstream_unreachable`, `upstream_auth`, or
 * an UpstreamRefusal.
 */
export async function openUpstream(options: DialOptions, parameters: ReadonlyMap<string, string>): Promise<Upstream> {
  const { grant, spec } = options;
  const password = await passwordFor(grant, spec.auth);
  return withLine(options, async (line) => {
    const certificate = line.tls?.getPeerX509Certificate()?.raw;
    const welcome = await logIn(line.stream, {
      startup: startupMessage(grant.ask, parameters),
      user: grant.ask.user,
      auth: spec.auth,
      password,
      binding: certificate && tlsServerEndPoint(certificate),
      encrypted: line.tls !== undefined,
      checkIntervalMs: ownsCheck(grant, parameters) ? undefined : options.checkIntervalMs,
    });
    return { ...welcome, stream: line.stream, tlsVersion: line.tls?.getProtocol() ?? 'none' };
  });
}

/** Who replicates has a time-out for that, and who set the interval has a reason. */
const ownsCheck = ({ ask }: Grant<Postgres>, parameters: ReadonlyMap<string, string>): boolean =>
  ask.replication || parameters.has('client_connection_check_interval');

/** Asks the server, on a connection of its own, to cancel what the session with this key runs. */
export async function cancelUpstream(options: DialOptions, key: Buffer): Promise<void> {
  await withLine(options, async ({ stream }) => {
    await write(stream, cancelRequest(key));
    // The server closes once it has sent the signal; until then a new statement could be hit.
    await new Promise<void>((resolve) => stream.once('close', resolve).resume().end());
  });
}

async function passwordFor(grant: Grant<Postgres>, auth: PostgresSpec['auth']): Promise<string | undefined> {
  if (auth.method === 'trust' || auth.secret === undefined) return undefined;
  const { user } = grant.ask;
  const name = typeof auth.secret === 'string' ? auth.secret : ownValue(auth.secret, user);
  if (name === undefined) throw PosternError.public('upstream_auth', `the resource names no secret for ${user}`);
  return grant.credentials.secret(name);
}

const ownValue = (record: Readonly<Record<string, string>>, key: string): string | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;

/** Dials, encrypts and uses a connection within the time for a login; a failure closes it. */
async function withLine<T>(
  { grant, spec, timeoutMs, signal }: DialOptions,
  use: (line: Line) => Promise<T>,
): Promise<T> {
  const options = spec.tls.mode === 'disable' ? undefined : await tlsOptions(grant, spec);
  const socket = await grant.dial();
  // A failure is followed by `close`, which is what everybody here waits for.
  socket.on('error', () => {});
  let late = false;
  const stop = (): void => void socket.destroy();
  const timer = setTimeout(() => {
    late = true;
    stop();
  }, timeoutMs).unref();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) stop();
    return await use(options ? await encrypt(socket, options) : { stream: socket, tls: undefined });
  } catch (cause) {
    stop();
    if (late) throw unreachable(`no login within ${timeoutMs} ms`, 'the database did not answer in time', cause);
    const { code, message } = PosternError.from(cause);
    if (code === 'protocol_violation' || code === 'aborted' || code === 'limit_exceeded')
      throw unreachable(`the login broke off: ${message}`, 'the database broke off the login', cause);
    throw cause;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

const unreachable = (message: string, publicMessage: string, cause?: unknown): PosternError =>
  new PosternError('upstream_unreachable', message, { publicMessage, cause });

/** What the spec asks of the server's certificate, and what we show of our own. */
async function tlsOptions(grant: Grant<Postgres>, spec: PostgresSpec): Promise<tls.ConnectionOptions> {
  const { host, tls: wanted, auth } = spec;
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
export function verification(mode: PostgresSpec['tls']['mode'], name: string): tls.ConnectionOptions {
  return {
    host: name,
    // An address cannot be sent as a server name.
    ...(net.isIP(name) === 0 && { servername: name }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: mode !== 'require',
    ...(mode !== 'verify-full' && { checkServerIdentity: () => undefined }),
  };
}

/** Asks for TLS and begins it. Rejects with `upstream_unreachable` where the server has none, or the wrong certificate. */
export async function encrypt(socket: Duplex, options: tls.ConnectionOptions): Promise<Line & { tls: tls.TLSSocket }> {
  const reader = new FrameReader(socket, 1);
  await write(socket, serialize.requestSsl());
  const answer = (await reader.bytes(1)).toString('latin1');
  // What follows in clear was put there by somebody in between (CVE-2021-23222).
  const injected = reader.release().length > 0;
  if (answer !== 'S' && answer !== 'N')
    throw new PosternError('protocol_violation', 'the answer to SSLRequest is neither S nor N');
  if (answer === 'N') throw unreachable('the database has no TLS', 'the database does not support TLS');
  if (injected) throw unreachable('bytes in clear follow the answer to SSLRequest', 'the database broke the protocol');
  const secure = tls.connect({ ...options, socket });
  secure.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    const failed = (cause?: Error): void =>
      reject(
        unreachable(
          `tls to the database failed: ${cause?.message ?? 'the connection was closed'}`,
          'the database could not be reached securely: its TLS or its certificate is not as expected',
          cause,
        ),
      );
    secure
      .once('secureConnect', resolve)
      .once('error', failed)
      .once('close', () => failed());
  });
  return { stream: secure, tls: secure };
}

import type { Duplex } from 'node:stream';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import {
  encryptUpstream,
  FrameReader,
  PosternError,
  secretOf,
  upstreamTlsOptions,
  upstreamUnreachable,
  withinLogin,
  write,
  type Grant,
} from '@postern/plugin-sdk';
import { serialize } from 'pg-protocol';
import { tlsServerEndPoint } from './channel-binding.js';
import { logIn, type LoginOptions, type Welcome } from './login.js';
import type { Postgres, PostgresSpec } from './protocol.js';
import { startupMessage } from './startup.js';
import { cancelRequest } from './wire.js';

const whom = 'the database';

/** A connection to the server on which nothing was said yet. */
interface Line {
  readonly stream: Duplex;
  readonly tls: TLSSocket | undefined;
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
  return secretOf(grant.credentials, auth.secret, grant.ask.user);
}

/** Dials, encrypts and uses a connection within the time for a login; a failure closes it. */
async function withLine<T>(
  { grant, spec, timeoutMs, signal }: DialOptions,
  use: (line: Line) => Promise<T>,
): Promise<T> {
  const presents = spec.auth.method === 'certificate';
  const options = await upstreamTlsOptions(spec, grant.credentials, { name: grant.ask.user, presents });
  return withinLogin({ dial: () => grant.dial(), timeoutMs, signal, whom }, async (socket) =>
    use(options ? await encrypt(socket, options) : { stream: socket, tls: undefined }),
  );
}

/** Asks for TLS and begins it. Rejects with `upstream_unreachable` where the server has none, or the wrong certificate. */
export async function encrypt(socket: Duplex, options: ConnectionOptions): Promise<Line & { tls: TLSSocket }> {
  const reader = new FrameReader(socket, 1);
  await write(socket, serialize.requestSsl());
  const answer = (await reader.bytes(1)).toString('latin1');
  // What follows in clear was put there by somebody in between (CVE-2021-23222).
  const injected = reader.release().length > 0;
  if (answer !== 'S' && answer !== 'N')
    throw new PosternError('protocol_violation', 'the answer to SSLRequest is neither S nor N');
  if (answer === 'N') throw upstreamUnreachable('the database has no TLS', 'the database does not support TLS');
  if (injected)
    throw upstreamUnreachable('bytes in clear follow the answer to SSLRequest', 'the database broke the protocol');
  const secure = await encryptUpstream(socket, options, whom);
  return { stream: secure, tls: secure };
}

import type { Duplex } from 'node:stream';
import type { Credentials } from './credentials.js';
import { PosternError, type ErrorCode } from './errors.js';
import type { Health, ProbeContext } from './plugin.js';
import type { AnyProtocol } from './protocol.js';
import type { SecretByUser } from './upstream-spec.js';
import { upstreamUnreachable } from './upstream-tls.js';

export interface LoginOptions {
  /** Connects: `() => grant.dial()`. */
  readonly dial: () => Promise<Duplex>;
  /** From the connection to the end of `use`. */
  readonly timeoutMs: number;
  /** Ends the attempt by closing the connection. */
  readonly signal: AbortSignal;
  /** What the other side is called in messages, such as `the database`. */
  readonly whom: string;
}

const brokenOff: ReadonlySet<ErrorCode> = new Set(['protocol_violation', 'aborted', 'limit_exceeded']);

/**
 * Dials and gives the connection to `use`, which logs in there. A failure
 * closes it. Rejects with `upstream_unreachable` where the time is over or the
 * other side breaks the protocol, closes, or says too much; with what `use`
 * rejects otherwise.
 */
export async function withinLogin<T>(
  { dial, timeoutMs, signal, whom }: LoginOptions,
  use: (socket: Duplex) => Promise<T>,
): Promise<T> {
  const socket = await dial();
  let late = false;
  const stop = (): void => void socket.destroy();
  // A failure is followed by `close`, which is what everybody waits for.
  socket.on('error', () => {});
  const timer = setTimeout(() => {
    late = true;
    stop();
  }, timeoutMs).unref();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) stop();
    return await use(socket);
  } catch (cause) {
    stop();
    if (late) throw upstreamUnreachable(`no login within ${timeoutMs} ms`, `${whom} did not answer in time`, cause);
    const { code, message } = PosternError.from(cause);
    if (brokenOff.has(code))
      throw upstreamUnreachable(`the login broke off: ${message}`, `${whom} broke off the login`, cause);
    throw cause;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

/** The secret that a resource names for a user. Rejects with `upstream_auth` where it names none. */
export async function secretOf(
  credentials: Pick<Credentials, 'secret'>,
  secret: SecretByUser,
  user: string,
): Promise<string> {
  const name = typeof secret === 'string' ? secret : Object.hasOwn(secret, user) ? secret[user] : undefined;
  if (name === undefined) throw PosternError.public('upstream_auth', `the resource names no secret for ${user}`);
  return credentials.secret(name);
}

/**
 * A probe of one connection: dials, asks, and closes, also where it is aborted.
 * A connection that fails is `unreachable`; what `ask` rejects with is
 * `protocol`, so that it catches what means something else.
 */
export async function probeUpstream<P extends AnyProtocol>(
  context: Pick<ProbeContext<P>, 'dial' | 'signal'>,
  ask: (socket: Duplex) => Promise<Health>,
): Promise<Health> {
  const { signal } = context;
  let socket: Duplex;
  try {
    socket = await context.dial();
  } catch (cause) {
    return { ok: false, reason: 'unreachable', detail: PosternError.from(cause).message };
  }
  const stop = (): void => void socket.destroy();
  socket.on('error', stop);
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) stop();
    return await ask(socket);
  } catch (cause) {
    return { ok: false, reason: 'protocol', detail: PosternError.from(cause).message };
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

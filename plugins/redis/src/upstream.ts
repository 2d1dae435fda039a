import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import {
  encryptUpstream,
  PosternError,
  secretOf,
  upstreamTlsOptions,
  withinLogin,
  type Grant,
} from '@postern/plugin-sdk';
import { readReply } from './login-reply.js';
import type { Redis, RedisSpec } from './protocol.js';
import { encodeCommand } from './wire.js';

/** What the other side is called in messages. */
export const whom = 'the server';

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
  const { method, secret } = spec.auth;
  const { user } = grant.ask;
  const password =
    method === 'password' && secret !== undefined ? await secretOf(grant.credentials, secret, user) : undefined;
  const presents = method === 'certificate';
  const options = await upstreamTlsOptions(spec, grant.credentials, { name: user, presents });
  return withinLogin({ dial: () => grant.dial(), timeoutMs, signal, whom }, async (socket) => {
    const stream = options ? await encryptUpstream(socket, options, whom) : socket;
    if (password !== undefined) await logIn(stream, user, password);
    return { stream, tlsVersion: (stream as Partial<TLSSocket>).getProtocol?.() ?? 'none' };
  });
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

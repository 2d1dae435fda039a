import { createHash, type X509Certificate } from 'node:crypto';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { FrameReader, PosternError, write } from '@postern/plugin-sdk';
import type { Account } from './client-info.js';
import { authenticate, maxCredSspBytes } from './credssp.js';
import { elementLength } from './der.js';
import { subjectPublicKey } from './inner-certificate.js';
import type { RdpSpec } from './protocol.js';
import { connectionRequest, maxRequestBytes, readConnectionConfirm, requestLength, security } from './x224.js';

/** A desktop to which everything was said that comes before the conference. */
export interface Upstream {
  readonly stream: tls.TLSSocket;
  readonly selectedProtocol: number;
  readonly security: 'nla' | 'tls';
  readonly tlsVersion: string;
  /** SHA-256 of the certificate, in hexadecimal. */
  readonly certificate: string;
}

export interface UpstreamOptions {
  readonly spec: RdpSpec;
  readonly dial: () => Promise<Duplex>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Connects to a desktop: X.224, TLS, and NLA where the desktop selects it.
 * Rejects with `upstream_unreachable` and `upstream_auth`; a failure closes the
 * connection.
 */
export async function openUpstream(options: UpstreamOptions, account: Account): Promise<Upstream> {
  return withLine(options, async (socket) => {
    const selected = await negotiate(socket, options.spec, account.user);
    const { line, certificate } = await encrypt(socket, options.spec);
    if (selected === security.hybrid) await logIn(line, certificate, account);
    return {
      stream: line,
      selectedProtocol: selected,
      security: selected === security.hybrid ? 'nla' : 'tls',
      tlsVersion: line.getProtocol() ?? '',
      certificate: createHash('sha256').update(certificate.raw).digest('hex'),
    };
  });
}

/** Reaches a desktop as far as TLS, without an account. */
export async function probeUpstream(options: UpstreamOptions): Promise<void> {
  await withLine(options, async (socket) => {
    await negotiate(socket, options.spec, '');
    (await encrypt(socket, options.spec)).line.destroy();
  });
}

async function withLine<T>(
  { dial, timeoutMs, signal }: UpstreamOptions,
  use: (socket: Duplex) => Promise<T>,
): Promise<T> {
  const socket = await dial();
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
    return await use(socket);
  } catch (cause) {
    stop();
    if (late) throw unreachable(`no login within ${timeoutMs} ms`, 'the desktop did not answer in time', cause);
    if (PosternError.is(cause) && (cause.code === 'upstream_auth' || cause.code === 'upstream_unreachable'))
      throw cause;
    throw unreachable(
      `the login broke off: ${PosternError.from(cause).message}`,
      'the desktop broke off the login',
      cause,
    );
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

const unreachable = (message: string, publicMessage: string, cause?: unknown): PosternError =>
  new PosternError('upstream_unreachable', message, { publicMessage, cause });

/** What to offer: never RDP's own encryption, and nothing weaker than the resource wants. */
const offers = { any: security.tls | security.hybrid, nla: security.hybrid, tls: security.tls } as const;

async function negotiate(socket: Duplex, spec: RdpSpec, user: string): Promise<number> {
  const offered = offers[spec.security];
  await write(socket, connectionRequest(offered, user));
  const reader = new FrameReader(socket, maxRequestBytes);
  const head = await reader.bytes(4);
  const body = await reader.bytes(requestLength(head) - 4);
  const answer = readConnectionConfirm(Buffer.concat([head, body]));
  // What follows in clear was put there by somebody in between.
  if (reader.release().length > 0)
    throw unreachable('bytes in clear follow the negotiation', 'the desktop broke the protocol');
  if (answer.kind === 'failed')
    throw unreachable(
      `the desktop refused the negotiation with code ${answer.code}`,
      'the desktop does not offer the security that it is registered with',
    );
  if (answer.protocol === 0 || (answer.protocol & offered) !== answer.protocol)
    throw unreachable(
      `the desktop selected protocol ${answer.protocol}, which was not offered`,
      'the desktop offers no encryption that can be trusted',
    );
  return answer.protocol;
}

interface Encrypted {
  readonly line: tls.TLSSocket;
  readonly certificate: X509Certificate;
}

async function encrypt(socket: Duplex, { host, tls: wanted }: RdpSpec): Promise<Encrypted> {
  const name = wanted.server_name ?? host;
  const line = tls.connect({
    socket,
    host: name,
    ...(net.isIP(name) === 0 && { servername: name }),
    ...(wanted.ca !== 'system' && { ca: wanted.ca }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: wanted.mode === 'verify-full',
  });
  line.on('error', () => {});
  const failed = (cause?: Error): PosternError =>
    unreachable(
      `tls to the desktop failed: ${cause?.message ?? 'the connection was closed'}`,
      'the desktop could not be reached securely: its TLS or its certificate is not as expected',
      cause,
    );
  await new Promise<void>((resolve, reject) => {
    line
      .once('secureConnect', resolve)
      .once('error', (cause: Error) => reject(failed(cause)))
      .once('close', () => reject(failed()));
  });
  // Asked for once: a second call finds nothing.
  const certificate = line.getPeerX509Certificate();
  if (!certificate) throw failed(new Error('no certificate was shown'));
  const shown = createHash('sha256').update(certificate.raw).digest('hex');
  if (wanted.mode === 'fingerprint' && !wanted.fingerprints.includes(shown))
    throw failed(new Error(`the certificate's sha-256 is ${shown}`));
  return { line, certificate };
}

async function logIn(line: tls.TLSSocket, certificate: X509Certificate, account: Account): Promise<void> {
  const reader = new FrameReader(line, maxCredSspBytes);
  const read = async (): Promise<Buffer> => {
    let head = await reader.bytes(2);
    let length: number | undefined;
    while ((length = elementLength(head, maxCredSspBytes)) === undefined)
      head = Buffer.concat([head, await reader.bytes(1)]);
    return Buffer.concat([head, await reader.bytes(length - head.length)]);
  };
  try {
    await authenticate({ read, write: (message) => write(line, message) }, subjectPublicKey(certificate), account);
  } catch (cause) {
    // Some servers just hang up on a wrong password.
    const hungUp = PosternError.is(cause) && (cause.code === 'aborted' || cause.code === 'protocol_violation');
    if (!hungUp) throw cause;
    throw new PosternError('upstream_auth', `the desktop hung up during NLA: ${cause.message}`, {
      publicMessage: 'the desktop refused the account that the agent logs in with',
      cause,
    });
  } finally {
    const rest = reader.release();
    if (rest.length > 0) line.unshift(rest);
  }
}

import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { PosternError } from '@postern/plugin-sdk';
import type { HttpsSpec } from './protocol.js';

export interface ConnectOptions {
  readonly spec: HttpsSpec;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly dial: () => Promise<Duplex>;
}

/** A connection to the application, encrypted where its resource says so. Rejects with `upstream_unreachable`. */
export async function connectTarget({ spec, timeoutMs, signal, dial }: ConnectOptions): Promise<Duplex> {
  const socket = await dial();
  socket.on('error', () => {});
  if (spec.tls.mode === 'disable') return socket;
  const secure = tls.connect({ ...tlsOptions(spec), socket });
  // A failure is followed by `close`, which is what everybody here waits for.
  secure.on('error', () => {});
  const stop = (): void => void secure.destroy();
  const timer = setTimeout(stop, timeoutMs).unref();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) stop();
    await handshake(secure);
    return secure;
  } catch (cause) {
    stop();
    socket.destroy();
    throw cause;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

function tlsOptions({ host, tls: { mode, ca, server_name } }: HttpsSpec): tls.ConnectionOptions {
  const name = server_name ?? host.replace(/^\[|\]$/g, '');
  return {
    host: name,
    // An address cannot be sent as a server name.
    ...(net.isIP(name) === 0 && { servername: name }),
    ...(ca !== undefined && ca !== 'system' && { ca }),
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
    rejectUnauthorized: mode !== 'require',
    ...(mode !== 'verify-full' && { checkServerIdentity: () => undefined }),
  };
}

function handshake(secure: tls.TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause?: Error): void =>
      reject(
        new PosternError(
          'upstream_unreachable',
          `tls to the application failed: ${cause?.message ?? 'the connection was closed'}`,
          { publicMessage: 'the application could not be reached securely', cause },
        ),
      );
    secure
      .once('secureConnect', () => resolve())
      .once('error', failed)
      .once('close', () => failed());
  });
}

/** What the application is called by default. */
export function hostOf({ host, port, tls: { mode }, host_header }: HttpsSpec): string {
  if (host_header !== undefined) return host_header;
  const name = net.isIPv6(host) ? `[${host}]` : host;
  return port === (mode === 'disable' ? 80 : 443) ? name : `${name}:${port}`;
}

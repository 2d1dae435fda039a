import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { PosternError } from '@postern/plugin-sdk';
import type { ConfigOf } from '@postern/plugin-sdk';
import type { Kubernetes, KubernetesSpec } from './protocol.js';
import { readAccountFile } from './token-source.js';

export interface ConnectOptions {
  readonly spec: KubernetesSpec;
  readonly config: ConfigOf<Kubernetes>;
  readonly signal: AbortSignal;
  readonly dial: () => Promise<Duplex>;
}

/**
 * A TLS connection to the API server, whose certificate is always verified: it
 * is about to be given a bearer token. Nobody logs in on it; each request says
 * who makes it, so that one that was smuggled in would be anonymous. Rejects
 * with `upstream_unreachable`.
 */
export async function connectUpstream({ spec, config, signal, dial }: ConnectOptions): Promise<tls.TLSSocket> {
  const { host } = spec;
  const ca = await authorityOf(spec, config);
  const name = spec.tls.server_name ?? host;
  const socket = await dial();
  socket.on('error', () => {});
  const secure = tls.connect({
    socket,
    host: name,
    ...(net.isIP(name) === 0 && { servername: name }),
    ...(ca !== undefined && { ca }),
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
  });
  // A failure is followed by `close`, which is what everybody here waits for.
  secure.on('error', () => {});
  const stop = (): void => void secure.destroy();
  const timer = setTimeout(stop, config.connect_timeout_seconds * 1000).unref();
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

function handshake(secure: tls.TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause?: Error): void =>
      reject(
        new PosternError(
          'upstream_unreachable',
          `tls to the api server failed: ${cause?.message ?? 'the connection was closed'}`,
          { publicMessage: 'the API server could not be reached securely', cause },
        ),
      );
    secure
      .once('secureConnect', () => resolve())
      .once('error', failed)
      .once('close', () => failed());
  });
}

async function authorityOf(spec: KubernetesSpec, config: ConfigOf<Kubernetes>): Promise<string | undefined> {
  const { ca } = spec.tls;
  if (ca === 'system') return undefined;
  if (ca !== undefined) return ca;
  return spec.auth.method === 'service_account' ? readAccountFile(config.service_account.ca_file) : undefined;
}

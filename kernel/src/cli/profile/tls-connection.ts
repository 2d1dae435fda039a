import tls from 'node:tls';
import { PosternError } from '@postern/plugin-sdk';
import { addressText } from './proxy-address.js';

export interface TlsTarget {
  readonly proxy: { readonly host: string; readonly port: number };
  /** The name that routes, and that the certificate at the other end must bear. */
  readonly servername: string;
  readonly alpn?: readonly string[];
  /** PEM. */
  readonly authorities: string;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

const handshakeMs = 20_000;

/** Opens TLS through the proxy to whoever has a name, verified by the cluster's own authorities alone. */
export function connectTls({
  proxy,
  servername,
  alpn,
  authorities,
  certificate,
  key,
}: TlsTarget): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      ...proxy,
      servername,
      ca: authorities,
      minVersion: 'TLSv1.3',
      ...(alpn && { ALPNProtocols: [...alpn] }),
      ...(certificate !== undefined && { cert: certificate, key }),
    });
    const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), handshakeMs).unref();
    const fail = (cause: Error): void => {
      clearTimeout(timer);
      reject(unreachable(proxy, cause));
    };
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

export function unreachable(proxy: TlsTarget['proxy'], cause: Error): PosternError {
  const reason = cause instanceof AggregateError ? (cause.errors as Error[])[0]?.message : cause.message;
  return PosternError.public('unavailable', `cannot reach the cluster at ${addressText(proxy)}: ${reason}`, cause);
}

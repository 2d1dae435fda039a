import tls from 'node:tls';
import { PosternError } from '@postern/plugin-sdk';
import { unreachable } from './unreachable.js';

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
      if (isDistrusted(cause)) reject(distrusted(servername, cause));
      else reject(isUnknownName(cause) ? unknown(servername, cause) : unreachable(proxy, cause));
    };
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

/** How OpenSSL and Node say that a certificate does not hold. */
const isDistrusted = ({ code = '' }: NodeJS.ErrnoException): boolean =>
  /CERT|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE/.test(code) && !code.startsWith('ERR_SSL');

/** The alert `unrecognized_name` (RFC 6066, section 3), by which the proxy says that a name leads nowhere. */
const isUnknownName = ({ code }: NodeJS.ErrnoException): boolean => code === 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME';

const unknown = (servername: string, cause: Error): PosternError =>
  PosternError.public('not_found', `nobody in the cluster serves ${servername}; see: psh ls`, cause);

const distrusted = (servername: string, cause: Error): PosternError =>
  PosternError.public(
    'unauthenticated',
    `whoever answers is not ${servername} of the cluster that you know: ${cause.message}\n` +
      'if the cluster was made anew, get its pin from its administrator and use psh login --ca-pin',
    cause,
  );

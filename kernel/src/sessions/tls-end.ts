import { createSecureContext, TLSSocket, type SecureContext } from 'node:tls';
import type { X509Certificate } from 'node:crypto';
import { constants } from 'node:crypto';
import type net from 'node:net';
import { PosternError } from '@postern/plugin-sdk';

/** PEM: what a TLS end shows, and whose clients it asks for a certificate. */
export interface TlsEndOptions {
  readonly certificate: string;
  readonly key: string;
  readonly clientAuthorities: readonly string[];
  /** The only server name that is answered. */
  readonly name: string;
  /** The protocols that a client may offer; one that offers none is welcome too. */
  readonly alpn: readonly string[];
}

const handshakeMs = 10_000;

/**
 * Ends the TLS of one resource's clients. TLS 1.3 only, and no resumption: a
 * resumed session would be one whose certificate nobody has looked at. A client
 * without a certificate, or with a wrong one, still completes the handshake, so
 * that its refusal can be said in its own protocol's words.
 */
export class TlsEnd {
  readonly #context: SecureContext;

  constructor(private readonly options: TlsEndOptions) {
    this.#context = createSecureContext({
      cert: options.certificate,
      key: options.key,
      ca: [...options.clientAuthorities],
      minVersion: 'TLSv1.3',
      secureOptions: constants.SSL_OP_NO_TICKET,
    });
  }

  /** Resolves after the handshake; rejects with `protocol_violation` or `timeout`, and the socket is then destroyed. */
  accept(
    socket: net.Socket,
  ): Promise<{ readonly stream: TLSSocket; readonly certificate: X509Certificate | undefined }> {
    const { alpn, name } = this.options;
    const stream = new TLSSocket(socket, {
      isServer: true,
      secureContext: this.#context,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNCallback: ({ protocols }) => protocols.find((offered) => alpn.includes(offered)),
    });
    return new Promise((resolve, reject) => {
      const fail = (error: PosternError): void => {
        clearTimeout(timer);
        stream.destroy();
        socket.destroy();
        reject(error);
      };
      const timer = setTimeout(() => fail(new PosternError('timeout', 'the TLS handshake took too long')), handshakeMs);
      stream.on('error', (cause: Error) =>
        fail(new PosternError('protocol_violation', `the TLS handshake failed: ${cause.message}`, { cause })),
      );
      stream.once('close', () => fail(new PosternError('aborted', 'the client left in the middle of the handshake')));
      stream.once('secure', () => {
        clearTimeout(timer);
        if (servernameOf(stream) !== name)
          return fail(new PosternError('protocol_violation', 'the server name changed after it was routed'));
        resolve({ stream, certificate: stream.getPeerX509Certificate() });
      });
    });
  }
}

/** What the client asked for in TLS, lower case; `false` where it named nobody. */
const servernameOf = (stream: TLSSocket): string | false =>
  typeof stream.servername === 'string' ? stream.servername.toLowerCase().replace(/\.$/, '') : false;

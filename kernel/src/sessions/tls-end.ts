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
  /** The resource's own name. */
  readonly name: string;
  /** The cluster's name: names below it are others', and never answered. */
  readonly cluster: string;
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

  /**
   * Resolves after the handshake; rejects with `protocol_violation`, `timeout`, or
   * `aborted` where nobody waits for it any more, and the socket is then destroyed.
   */
  accept(
    socket: net.Socket,
    signal: AbortSignal,
  ): Promise<{ readonly stream: TLSSocket; readonly certificate: X509Certificate | undefined }> {
    const { alpn } = this.options;
    const stream = new TLSSocket(socket, {
      isServer: true,
      secureContext: this.#context,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNCallback: ({ protocols }) => protocols.find((offered) => alpn.includes(offered)),
    });
    return new Promise((resolve, reject) => {
      const settled = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stopped);
      };
      const fail = (error: PosternError): void => {
        settled();
        stream.destroy();
        socket.destroy();
        reject(error);
      };
      const stopped = (): void => fail(new PosternError('aborted', 'nobody waits for the handshake any more'));
      const timer = setTimeout(() => fail(new PosternError('timeout', 'the TLS handshake took too long')), handshakeMs);
      stream.on('error', (cause: Error) =>
        fail(new PosternError('protocol_violation', `the TLS handshake failed: ${cause.message}`, { cause })),
      );
      stream.once('close', () => fail(new PosternError('aborted', 'the client left in the middle of the handshake')));
      stream.once('secure', () => {
        settled();
        if (!this.#answers(servernameOf(stream)))
          return fail(new PosternError('protocol_violation', 'the client asked for somebody else by name'));
        resolve({ stream, certificate: stream.getPeerX509Certificate() });
      });
      if (signal.aborted) return stopped();
      signal.addEventListener('abort', stopped, { once: true });
    });
  }

  /** A client of a port that leads here alone may name nobody, or the address that it dialled; never a neighbour. */
  #answers(servername: string | false): boolean {
    const { name, cluster } = this.options;
    return servername === false || servername === name || !`.${servername}`.endsWith(`.${cluster}`);
  }
}

/** What the client asked for in TLS, lower case; `false` where it named nobody. */
const servernameOf = (stream: TLSSocket): string | false =>
  typeof stream.servername === 'string' ? stream.servername.toLowerCase().replace(/\.$/, '') : false;

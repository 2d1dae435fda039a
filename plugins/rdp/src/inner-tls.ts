import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { PosternError, token } from '@postern/plugin-sdk';
import { innerCertificate, type InnerCertificate } from './inner-certificate.js';

/** The TLS that native clients begin inside of the mutual TLS: one key for all sessions of this agent's process. */
export class InnerTls {
  readonly certificate: InnerCertificate = innerCertificate(new Date());
  readonly #context = tls.createSecureContext({ key: this.certificate.key, cert: this.certificate.certificate });

  /** Takes TLS on a stream, right behind what was written to it. Rejects with `protocol_violation`. */
  async accept(stream: Duplex): Promise<tls.TLSSocket> {
    // The types ask for a socket; any stream will do, and sockets are wrapped without a detour.
    const socket = new tls.TLSSocket(stream, { isServer: true, secureContext: this.#context });
    socket.on('error', () => {});
    const ended = once(stream, 'close').then(() => {
      throw new PosternError('aborted', 'the client left during the inner tls');
    });
    ended.catch(() => {});
    try {
      await Promise.race([once(socket, 'secure'), ended]);
    } catch (cause) {
      socket.destroy();
      if (PosternError.is(cause)) throw cause;
      throw new PosternError('protocol_violation', `the inner tls failed: ${String(cause)}`, { cause });
    }
    return socket;
  }
}
export const InnerTlsToken = token<InnerTls>('rdp.InnerTls');

import { acceptedSignatures } from './algorithms.js';
import type { Transport } from './transport.js';
import { message, WireWriter } from './wire.js';

/**
 * Announces which signatures are accepted (RFC 8308, `server-sig-algs`) in
 * place of ssh2, whose own list lacks a comma, so that RSA certificates with
 * SHA-2 are never tried, and contains SHA-1 and DSA.
 */
export function announceSignatures(transport: Transport): void {
  const protocol = transport.inside._protocol;
  let wanted = false;
  protocol._hostKeys = new Proxy(protocol._hostKeys, {
    get: (keys, algorithm: string) => {
      wanted ||= protocol._kex.remoteExtInfoEnabled;
      protocol._kex.remoteExtInfoEnabled = false;
      return keys[algorithm];
    },
  });
  transport.connection.once('handshake', () => {
    if (!wanted) return;
    const list = new WireWriter().string('server-sig-algs').string(acceptedSignatures.join(','));
    transport.send(new WireWriter().byte(message.extensionInfo).uint32(1).raw(list.end()).end());
  });
}

import { createHash, X509Certificate } from 'node:crypto';
import { chromium, type Browser } from 'playwright-core';

/**
 * Debian's Chromium, without a window. Every name leads to this machine, so
 * that nothing is asked of the world outside; certificates of the given
 * authorities (PEM) are believed, and no others.
 */
export function openChromium(program: string, authorities: readonly string[]): Promise<Browser> {
  const trusted = authorities.map((pem) => {
    const key = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
    return createHash('sha256').update(key).digest('base64');
  });
  return chromium.launch({
    executablePath: program,
    args: [
      '--host-resolver-rules=MAP * 127.0.0.1',
      `--ignore-certificate-errors-spki-list=${trusted.join(',')}`,
      '--disable-gpu',
    ],
    timeout: 60_000,
  });
}

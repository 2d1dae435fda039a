import { createHash, timingSafeEqual, X509Certificate } from 'node:crypto';
import { PosternError } from '@postern/plugin-sdk';

const format = /^sha256:([0-9a-f]{64})$/;

/** A CA pin: `sha256:` and the SHA-256, in hexadecimal, of the authority's SubjectPublicKeyInfo. */
export const authorityPin = (certificate: X509Certificate | string): string =>
  `sha256:${digest(certificate).toString('hex')}`;

/** Whether one of the pins is the authority's. Rejects with `invalid_argument` for what is no pin. */
export function matchesPin(pins: readonly string[], certificate: X509Certificate | string): boolean {
  const actual = digest(certificate);
  // Every pin is compared, in constant time: what matched, and how much of it, takes no shorter way.
  return pins.map((pin) => timingSafeEqual(parsePin(pin), actual)).includes(true);
}

function parsePin(pin: string): Buffer {
  const hex = format.exec(pin.toLowerCase())?.[1];
  if (hex === undefined) throw PosternError.public('invalid_argument', 'a CA pin is sha256: and 64 hexadecimal digits');
  return Buffer.from(hex, 'hex');
}

function digest(certificate: X509Certificate | string): Buffer {
  const { publicKey } = typeof certificate === 'string' ? new X509Certificate(certificate) : certificate;
  return createHash('sha256')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest();
}

import { Secret, TOTP } from 'otpauth';

/** RFC 6238 as every authenticator application has it: SHA-1, six digits, thirty seconds. */
const parameters = { algorithm: 'SHA1', digits: 6, period: 30 } as const;

/** A fresh seed, in base32. */
export const newTotpSecret = (): string => new Secret({ size: 20 }).base32;

/** What authenticator applications read, usually from a QR code. */
export function totpUri(secret: string, user: string, cluster: string): string {
  return new TOTP({
    ...parameters,
    issuer: `Postern ${cluster}`,
    label: user,
    secret: Secret.fromBase32(secret),
  }).toString();
}

/**
 * The time step that a code belongs to, or `undefined` where it is wrong. One
 * step of clock skew either way is accepted, but no step at or before
 * `lastStep`: a code that was seen once is worth nothing (RFC 6238, section 5.2).
 */
export function verifyTotp(secret: string, code: string, at: Date, lastStep = 0): number | undefined {
  if (!/^\d{6}$/.test(code)) return undefined;
  const totp = new TOTP({ ...parameters, secret: Secret.fromBase32(secret) });
  const delta = totp.validate({ token: code, timestamp: at.getTime(), window: 1 });
  if (delta === null) return undefined;
  const step = Math.floor(at.getTime() / 1000 / parameters.period) + delta;
  return step > lastStep ? step : undefined;
}

/** The current code: for tests and for clients that hold the seed. */
export const totpCode = (secret: string, at: Date): string =>
  new TOTP({ ...parameters, secret: Secret.fromBase32(secret) }).generate({ timestamp: at.getTime() });

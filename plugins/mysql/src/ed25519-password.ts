import { createHash } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';

const sha512 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

const { BASE, Fn } = ed25519.Point;

/** A little-endian number modulo the order of the group. */
const scalar = (bytes: Uint8Array): bigint =>
  Fn.create(BigInt(`0x${Buffer.from(bytes).reverse().toString('hex') || '0'}`));

const littleEndian = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();

/**
 * MariaDB's `client_ed25519`: an Ed25519 signature (RFC 8032) of the server's
 * nonce, except that the SHA-512 of the password is the expanded key and not
 * that of a seed, for which node:crypto has no form.
 */
export function signNonce(password: string, nonce: Buffer): Buffer {
  const expanded = sha512(Buffer.from(password));
  const clamped = Buffer.from(expanded.subarray(0, 32));
  clamped[0] = (clamped[0] ?? 0) & 0xf8;
  clamped[31] = ((clamped[31] ?? 0) & 0x3f) | 0x40;
  const secret = scalar(clamped);
  const publicKey = BASE.multiply(secret).toBytes();
  const ephemeral = scalar(sha512(expanded.subarray(32), nonce));
  const commitment = BASE.multiply(ephemeral).toBytes();
  const challenge = scalar(sha512(commitment, publicKey, nonce));
  return Buffer.concat([commitment, littleEndian(Fn.create(ephemeral + challenge * secret))]);
}

import { z } from 'zod';
import { endpoint } from './endpoint.js';

export const userName = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[a-z0-9][a-z0-9._@+-]*$/i, 'letters, digits and . _ @ + - only');

/** Seconds are enough for people; certificates count in seconds too. */
export const seconds = z.int().positive();

/** A verified user, as the API shows it. */
export const identityView = z.object({
  user: z.string(),
  cluster: z.string(),
  roles: z.array(z.string()),
  traits: z.record(z.string(), z.array(z.string())),
  principals: z.record(z.string(), z.array(z.string())),
  serial: z.string(),
  expires: z.iso.datetime(),
});

/** Everything that a login leaves on the user's disk besides the private keys, which never leave it. */
export const issued = z.object({
  identity: identityView,
  /** PEM chain for the TLS key that the request brought. */
  certificate: z.string(),
  /** An OpenSSH certificate line for the OpenSSH key that the request brought. */
  sshCertificate: z.string(),
  authorities: z.object({
    /** PEM bundle: servers of this cluster. */
    host: z.string(),
    /** OpenSSH public key lines of the host authorities. */
    sshHost: z.array(z.string()),
  }),
});

export const login = endpoint({
  method: 'POST',
  path: '/v1/login',
  summary: 'Proves who somebody is and signs short-lived certificates for the public keys of the request.',
  access: 'public',
  input: z.object({
    user: userName,
    password: z.string().min(1).max(1024),
    /** The current TOTP code, where the user has enrolled a device: without it the answer is `mfa_required`. */
    code: z.string().max(16).optional(),
    /** Replaces a one-time password: without it the answer to one is `password_change_required`. */
    newPassword: z.string().min(1).max(1024).optional(),
    /** SPKI PEM, ECDSA P-256. */
    tlsPublicKey: z.string().max(4096),
    /** One OpenSSH public key line, Ed25519. */
    sshPublicKey: z.string().max(4096),
    /** A shorter life than the roles allow. */
    ttl: seconds.optional(),
  }),
  output: issued,
});

export const getMe = endpoint({
  method: 'GET',
  path: '/v1/me',
  summary: 'Shows who the caller is.',
  access: 'user',
  input: z.object({}),
  output: identityView,
});

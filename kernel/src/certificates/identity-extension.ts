import type { Identity } from '@postern/plugin-sdk';
import { isIP } from 'node:net';
import { z } from 'zod';
import { decodeDocument, encodeDocument, extensionArc, unwrapExtension, wrapExtension } from './extension-json.js';
import { clusterName, userName } from './name-grammar.js';

/** Where an X.509 user certificate says who the user is: not critical, or other programs would refuse the certificate. */
export const identityOid = `${extensionArc}.1`;

/** Where an OpenSSH user certificate says the same. */
export const identityExtensionName = 'identity@postern';

/** What a certificate says of its holder, beyond what every plugin sees. */
export interface CertifiedIdentity extends Identity {
  /** The only resource that this certificate opens. */
  readonly resource?: { readonly kind: string; readonly name: string };
  /** The browser's session that the certificate was issued to: it outlives the certificate, and what was opened with it. */
  readonly web?: { readonly session: string; readonly expires: Date };
}

/** The part of an identity that the extension carries; the certificate itself says the rest. */
export type IdentityClaims = Omit<CertifiedIdentity, 'serial' | 'expires'>;

const text = z.string().min(1).max(1024);
const texts = z.array(text).max(1024).readonly();
const key = z.string().min(1).max(256);
// The schema leaves out a key named __proto__, which would become the prototype of the object that it is read into.
const lists = z.record(key, texts).readonly();
const word = z.string().regex(/^[a-z][a-z0-9-]{0,30}$/);

const schema = z.strictObject({
  v: z.literal(1),
  user: userName,
  cluster: clusterName,
  roles: texts,
  traits: lists,
  principals: lists,
  generation: z.int().nonnegative(),
  mfa: z.strictObject({ device: text, at: z.iso.datetime() }).readonly().optional(),
  requests: texts,
  pinnedAddress: z
    .string()
    .max(45)
    .refine((address) => isIP(address) !== 0 && !address.includes('%'), 'not an IP address')
    .optional(),
  via: word.optional(),
  resource: z
    .strictObject({ kind: word, name: z.string().min(1).max(256) })
    .readonly()
    .optional(),
  web: z
    .strictObject({ session: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/), expires: z.iso.datetime() })
    .readonly()
    .optional(),
});

const what = 'the identity extension';

/** The JSON of both kinds of certificate. Rejects with `invalid_argument` for what no certificate may say. */
export function encodeIdentity(claims: IdentityClaims): string {
  const { mfa, web, ...rest } = claims;
  return encodeDocument(what, schema, {
    v: 1,
    ...rest,
    ...(mfa && { mfa: { device: mfa.device, at: mfa.at.toISOString() } }),
    ...(web && { web: { session: web.session, expires: web.expires.toISOString() } }),
  });
}

/** Reads {@link encodeIdentity}'s JSON. Rejects with `unauthenticated`. */
export function decodeIdentity(json: string): IdentityClaims {
  const { v: _, mfa, pinnedAddress, via, resource, web, ...rest } = decodeDocument(what, schema, json);
  return {
    ...rest,
    ...(mfa && { mfa: { device: mfa.device, at: new Date(mfa.at) } }),
    ...(pinnedAddress !== undefined && { pinnedAddress }),
    ...(via !== undefined && { via }),
    ...(resource && { resource }),
    ...(web && { web: { session: web.session, expires: new Date(web.expires) } }),
  };
}

/** The value of the X.509 extension {@link identityOid}. */
export const encodeIdentityExtension = (claims: IdentityClaims): Buffer => wrapExtension(encodeIdentity(claims));

/** Reads the value of the X.509 extension {@link identityOid}. Rejects with `unauthenticated`. */
export const decodeIdentityExtension = (value: Buffer): IdentityClaims => decodeIdentity(unwrapExtension(what, value));

import { z } from 'zod';
import { decodeDocument, encodeDocument, extensionArc, unwrapExtension, wrapExtension } from './extension-json.js';
import { clusterName, serviceName } from './name-grammar.js';

/** Where an X.509 certificate says which service its holder is. No user's certificate carries it. */
export const serviceOid = `${extensionArc}.2`;

/** What a running program of the cluster may be. One program may be several. */
export const serviceRoles = ['auth', 'proxy', 'agent'] as const;
export type ServiceRole = (typeof serviceRoles)[number];

/** Which service a verified certificate says the other side is. */
export interface ServiceIdentity {
  readonly cluster: string;
  readonly name: string;
  readonly services: readonly ServiceRole[];
  /** Lower-case hexadecimal; names the certificate in locks and in the audit log. */
  readonly serial: string;
  readonly expires: Date;
}

/** The part of a service's identity that the extension carries. */
export type ServiceClaims = Omit<ServiceIdentity, 'serial' | 'expires'>;

const schema = z.strictObject({
  v: z.literal(1),
  cluster: clusterName,
  name: serviceName,
  services: z.array(z.enum(serviceRoles)).min(1).max(serviceRoles.length).readonly(),
});

const what = 'the service extension';

/** The value of the X.509 extension {@link serviceOid}. Rejects with `invalid_argument`. */
export const encodeServiceExtension = (claims: ServiceClaims): Buffer =>
  wrapExtension(encodeDocument(what, schema, { v: 1, ...claims }));

/** Reads the value of the X.509 extension {@link serviceOid}. Rejects with `unauthenticated`. */
export function decodeServiceExtension(value: Buffer): ServiceClaims {
  const { v: _, ...claims } = decodeDocument(what, schema, unwrapExtension(what, value));
  return claims;
}

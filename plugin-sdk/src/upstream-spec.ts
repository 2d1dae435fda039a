import { z } from 'zod';

/** Parts of `resource` schemas that protocols share, so that a document says the same thing in the same words everywhere. */

/** A DNS name or an IP address, as the agent sees it. */
export const hostName = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[^\s/\\@,]+$/, 'write a DNS name or an IP address');

/** A reference to a secret: never the secret, never a path. */
export const secretName = z.string().regex(/^[a-z0-9_-]{1,64}$/i, 'name an entry of the `secrets` of the agent');

/** `tls` of a resource: how the agent speaks TLS to it, and whom it believes. `verify-full` unless it says otherwise. */
export const upstreamTls = z
  .strictObject({
    mode: z
      .enum(['verify-full', 'verify-ca', 'require', 'disable'])
      .default('verify-full')
      .describe(
        '`verify-full`: the certificate must come from `ca` and bear the name. `verify-ca`: any name. `require`: encrypted, but whoever stands in between can read along. `disable`: in clear.',
      ),
    ca: z
      .union([z.literal('system'), z.string().regex(/^\s*-----BEGIN CERTIFICATE-----/, 'write a certificate in PEM')])
      .optional()
      .describe(
        'Who signs the certificate: PEM, `system` for the authorities of the agent’s system, the cluster’s own by default.',
      ),
    server_name: hostName.optional().describe('The name in the certificate, where it is not `host`.'),
  })
  .prefault({});

/** The output of {@link upstreamTls}. */
export type UpstreamTls = z.output<typeof upstreamTls>;

/** What TLS towards it needs to know of a resource. */
export interface UpstreamSpec {
  readonly host: string;
  readonly tls: UpstreamTls;
}

/** A password of a resource: one secret for all users, or one by user. */
export type SecretByUser = string | Readonly<Record<string, string>>;

import { PosternError } from '@postern/plugin-sdk';
import { z } from 'zod';

/**
 * A user's name. It becomes a subject, a file name and a log field, so it is
 * one line of unambiguous ASCII: no comma, slash, quote, space or control
 * character, and no longer than a common name may be (X.520: 64).
 */
export const userName = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._@+-]{0,63}$/, 'use up to 64 letters, digits and . _ @ + -');

/** The name of one running service of the cluster: an agent, a proxy or an Auth Service. */
export const serviceName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'use up to 64 letters, digits and . _ -');

/** A database user: what {@link userName} admits, and the `$` of generated accounts. */
export const databaseUserName = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._@+$-]{0,63}$/, 'use up to 64 letters, digits and . _ @ + $ -');

const label = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const dnsPattern = new RegExp(`^${label}(?:\\.${label})*$`);

/** A DNS name in lower case, without a final dot and without a wildcard. */
export const dnsName = z.string().max(253).regex(dnsPattern, 'use a DNS name in lower case');

/** A cluster's name: a DNS name that fits an organization name (X.520: 64). */
export const clusterName = dnsName.max(64);

/** Checks one value against a grammar; `what` begins the error's message, which shows the value quoted. */
export function checkName(grammar: z.ZodType<string>, what: string, value: string): string {
  const result = grammar.safeParse(value);
  if (result.success) return result.data;
  const shown = JSON.stringify(value.slice(0, 80));
  throw PosternError.public('invalid_argument', `${what} ${shown}: ${result.error.issues[0]?.message ?? 'invalid'}`);
}

/** Whether a DNS name is the cluster's own or lies below it. */
export const isInsideCluster = (name: string, cluster: string): boolean =>
  name === cluster || name.endsWith(`.${cluster}`);

/** The names of one server certificate: at least one, at most 64, each of them the cluster's own. */
export function checkServerNames(names: readonly string[], cluster: string): readonly string[] {
  if (names.length === 0 || names.length > 64)
    throw PosternError.public('invalid_argument', 'a server certificate carries 1 to 64 names');
  for (const name of names) {
    checkName(dnsName, 'server name', name);
    if (!isInsideCluster(name, cluster))
      throw PosternError.public('invalid_argument', `server name ${JSON.stringify(name)} is not inside ${cluster}`);
  }
  return [...new Set(names)];
}

import { z } from 'zod';
import { endpoint } from './endpoint.js';

/** What a client must know before it trusts anybody. Useless to an attacker, and checked against a pin or a chain. */
export const clusterInfo = z.object({
  name: z.string(),
  version: z.string(),
  /** PEM certificates of the host authorities. */
  authorities: z.array(z.string()),
  /** `sha256:<hex>` of each host authority's public key, as `--ca-pin` takes it. */
  pins: z.array(z.string()),
});

export const getCluster = endpoint({
  method: 'GET',
  path: '/v1/cluster',
  summary: 'Names the cluster and shows its host authorities.',
  access: 'public',
  input: z.object({}),
  output: clusterInfo,
});

export const getStatus = endpoint({
  method: 'GET',
  path: '/v1/status',
  summary: 'Shows the services of this process and the health of what they depend on.',
  access: 'user',
  input: z.object({}),
  output: z.object({
    cluster: z.string(),
    version: z.string(),
    started: z.iso.datetime(),
    ready: z.boolean(),
    checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
    sessions: z.number(),
  }),
});

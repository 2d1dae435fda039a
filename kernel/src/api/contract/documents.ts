import { z } from 'zod';
import { endpoint } from './endpoint.js';

const name = z.string().min(1).max(128);
const labels = z.record(z.string(), z.string());

/** Whether a session could start, as far as the agent's last probe knows. Absent where none was made. */
const health = z.object({
  ok: z.boolean(),
  reason: z.enum(['unreachable', 'tls', 'auth', 'protocol']).optional(),
  /** In words. */
  detail: z.string(),
  at: z.iso.datetime(),
});

/**
 * How clients reach resources of a kind, as its protocol declares it: for programs
 * that do not have the plugin. Data, and never anything to run.
 */
const transport = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('tls'),
    /** What to offer in ALPN. */
    alpn: z.array(z.string().min(1).max(255)).max(16).optional(),
    forward: z.enum(['socket', 'port']).optional(),
  }),
  z.object({ kind: z.literal('native'), credential: z.literal('openssh') }),
]);

/** What a user connects to. `kind` is a protocol's id; `spec` is checked by that protocol. */
export const resourceView = z.object({
  kind: z.string(),
  name: z.string(),
  labels,
  spec: z.unknown(),
  /** The name that routes to it. */
  hostname: z.string(),
  /** Whom the caller may become there. */
  principals: z.array(z.string()),
  transport: transport.optional(),
  health: health.optional(),
});

export const listResources = endpoint({
  method: 'GET',
  path: '/v1/resources',
  summary: 'Lists the resources that the caller may reach.',
  access: 'user',
  input: z.object({ kind: z.string().optional() }),
  output: z.array(resourceView),
});

/**
 * A document of the cluster: a role, or a resource of some protocol's kind.
 * `revision` and a resource's `health` are told by the cluster and not written.
 */
export const document = z
  .object({ kind: z.string(), name, revision: z.int().optional(), health: health.optional() })
  .catchall(z.unknown());

export const listDocuments = endpoint({
  method: 'GET',
  path: '/v1/documents/{kind}',
  summary: 'Lists the documents of one kind.',
  access: { kind: 'document', verb: 'list' },
  input: z.object({ kind: z.string() }),
  output: z.array(document),
});

export const getDocument = endpoint({
  method: 'GET',
  path: '/v1/documents/{kind}/{name}',
  summary: 'Shows one document.',
  access: { kind: 'document', verb: 'read' },
  input: z.object({ kind: z.string(), name }),
  output: document,
});

export const putDocument = endpoint({
  method: 'PUT',
  path: '/v1/documents/{kind}/{name}',
  summary: 'Creates or replaces a document; with `revision`, only if it is still at that revision.',
  access: { kind: 'document', verb: 'update' },
  input: z.object({ kind: z.string(), name, document, force: z.boolean().default(true) }),
  output: z.object({ document, created: z.boolean(), warnings: z.array(z.string()) }),
});

export const deleteDocument = endpoint({
  method: 'DELETE',
  path: '/v1/documents/{kind}/{name}',
  summary: 'Deletes a document.',
  access: { kind: 'document', verb: 'delete' },
  input: z.object({ kind: z.string(), name }),
  output: z.object({}),
});

export const explainAccess = endpoint({
  method: 'POST',
  path: '/v1/explain',
  summary: 'Decides an access without making it, and says which role and clause decide.',
  access: { kind: 'role', verb: 'read' },
  input: z.object({ user: z.string(), kind: z.string(), name, ask: z.record(z.string(), z.unknown()) }),
  output: z.object({
    allowed: z.boolean(),
    summary: z.string(),
    /** The summary and every reason, a line each. */
    text: z.string(),
    reasons: z.array(z.string()),
    options: z.record(z.string(), z.unknown()).optional(),
  }),
});

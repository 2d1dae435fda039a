import { defineProtocol, event, field, matchesAny } from '@postern/plugin-sdk';
import { z } from 'zod';

const secretName = z.string().regex(/^[a-z0-9_-]{1,64}$/i, 'name an entry of the `secrets` of the agent');
const hostName = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[^\s/\\@,]+$/, 'write a DNS name or an IP address');

const tls = z
  .strictObject({
    ca: z
      .union([z.literal('system'), z.string().regex(/^\s*-----BEGIN CERTIFICATE-----/, 'write a certificate in PEM')])
      .optional()
      .describe(
        'Who signs the API server’s certificate: PEM, or `system` for the public authorities. By default that of the service account, where the agent has one.',
      ),
    server_name: hostName.optional().describe('The name in the certificate, where it is not `host`.'),
  })
  .prefault({});

const auth = z
  .strictObject({
    method: z
      .enum(['token', 'service_account'])
      .default('service_account')
      .describe('`service_account`: that of the agent’s own pod. `token`: a bearer token among the agent’s secrets.'),
    secret: secretName.optional().describe('The token: the name of an entry of the `secrets` of the agent.'),
  })
  .prefault({});

const resource = z
  .strictObject({
    host: hostName.default('kubernetes.default.svc').describe('The API server, as seen by the agent.'),
    port: z.int().min(1).max(65_535).default(443),
    tls,
    auth,
  })
  .refine(({ auth: { method, secret } }) => method !== 'token' || secret !== undefined, {
    path: ['auth', 'secret'],
    error: 'a token needs a `secret`',
  });

/** What can stand in a header: no control characters, and no spaces at the ends, which are cut off there. */
const subject = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, 'write a name of visible characters');

/**
 * Whom the request is made as, and what it is. Without `verb` and `path` it is
 * the opening of a connection; with `path` it is no resource that is asked for.
 */
const ask = z.strictObject({
  user: subject,
  groups: z.array(subject).max(64).default([]),
  verb: z.string().max(32).optional(),
  /** `pods`, `pods/log`, `deployments.apps`, `deployments.apps/scale`. */
  resource: z.string().max(600).optional(),
  /** Empty for what belongs to no namespace, and for all namespaces at once. */
  namespace: z.string().max(253).optional(),
  path: z.string().max(2048).optional(),
});

const pattern = z.string().min(1).max(256);
const access = z.strictObject({
  users: z.array(pattern).default([]).describe('Kubernetes users whom one may be; `*` stands for any characters.'),
  groups: z.array(pattern).default([]).describe('Groups in which one may be.'),
  namespaces: z
    .array(pattern)
    .default([])
    .describe('Namespaces. `*` also names what belongs to none, and requests over all of them.'),
  verbs: z
    .array(pattern)
    .default([])
    .describe('`get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.'),
  resources: z
    .array(pattern)
    .default([])
    .describe('`pods`, `pods/exec`, `deployments.apps`, `deployments.apps/scale`; `*` stands for any characters.'),
  paths: z
    .array(pattern)
    .default([])
    .describe('What is no resource, such as `/metrics`. Discovery and health need no rule.'),
});

export type KubernetesSpec = z.output<typeof resource>;
export type KubernetesAsk = z.output<typeof ask>;
export type KubernetesAccess = z.output<typeof access>;

const permitsSubject = (allowed: KubernetesAccess, { user, groups }: KubernetesAsk): boolean =>
  matchesAny(allowed.users, user) && groups.every((group) => matchesAny(allowed.groups, group));

function permits(allowed: KubernetesAccess, wanted: KubernetesAsk): boolean {
  if (!permitsSubject(allowed, wanted)) return false;
  const { verb, resource: kind, namespace, path } = wanted;
  if (path !== undefined) return matchesAny(allowed.paths, path);
  if (verb === undefined) return kind === undefined && namespace === undefined;
  return (
    kind !== undefined &&
    namespace !== undefined &&
    matchesAny(allowed.verbs, verb) &&
    matchesAny(allowed.resources, kind) &&
    matchesAny(allowed.namespaces, namespace)
  );
}

const names = (patterns: readonly string[], text: string | undefined): boolean =>
  text !== undefined && matchesAny(patterns, text);

/** Lists over all namespaces look like lists of what belongs to none; these are known to be the latter. */
const ofNoNamespace: ReadonlySet<string> = new Set([
  'namespaces',
  'nodes',
  'persistentvolumes',
  'apiservices.apiregistration.k8s.io',
  'certificatesigningrequests.certificates.k8s.io',
  'clusterrolebindings.rbac.authorization.k8s.io',
  'clusterroles.rbac.authorization.k8s.io',
  'customresourcedefinitions.apiextensions.k8s.io',
  'ingressclasses.networking.k8s.io',
  'nodes.metrics.k8s.io',
  'priorityclasses.scheduling.k8s.io',
  'runtimeclasses.node.k8s.io',
  'storageclasses.storage.k8s.io',
]);

/** A request over all namespaces is one over those that are denied, too. */
const reaches = (denied: readonly string[], { verb, namespace, resource: kind }: KubernetesAsk): boolean =>
  denied.length > 0 &&
  namespace === '' &&
  kind !== undefined &&
  ['list', 'watch', 'deletecollection'].includes(verb ?? '') &&
  !ofNoNamespace.has(kind);

const forbids = (denied: KubernetesAccess, wanted: KubernetesAsk): boolean =>
  matchesAny(denied.users, wanted.user) ||
  wanted.groups.some((group) => matchesAny(denied.groups, group)) ||
  names(denied.namespaces, wanted.namespace) ||
  reaches(denied.namespaces, wanted) ||
  names(denied.verbs, wanted.verb) ||
  names(denied.resources, wanted.resource) ||
  names(denied.paths, wanted.path);

/** How a group stands among the names that certificates carry; users have no such beginning. */
export const groupPrefix = 'group:';

const sequence = field.public(z.int().describe('Counts the requests of a connection.'));
const connection = field.public(z.int().describe('Tells the connections of a session apart.'));

export const kubernetes = defineProtocol({
  id: 'kubernetes',
  title: 'Kubernetes clusters',
  posture: 'hostile-client-and-upstream',
  transport: { kind: 'tls', alpn: ['http/1.1'] },
  session: { per: 'certificate', idleSeconds: 60 },
  config: z.strictObject({
    service_account: z
      .strictObject({
        token_file: z.string().min(1).default('/var/run/secrets/kubernetes.io/serviceaccount/token'),
        ca_file: z.string().min(1).default('/var/run/secrets/kubernetes.io/serviceaccount/ca.crt'),
      })
      .prefault({})
      .describe('Where the service account of the agent’s own pod lies.'),
    connect_timeout_seconds: z.int().min(1).max(120).default(10).describe('How long a connection may take to be made.'),
    head_timeout_seconds: z
      .int()
      .min(1)
      .max(300)
      .default(20)
      .describe('How long a request’s head may take from its first byte to its last.'),
    record_exec: z
      .enum(['terminals', 'all', 'none'])
      .default('terminals')
      .describe('Which `exec` and `attach` are recorded; without a terminal it may be whole archives (`kubectl cp`).'),
  }),
  auth: {
    resource,
    endpoints: ({ host, port }) => [{ host, port }],
    ask,
    access,
    permits,
    forbids,
    preset: {
      users: ['{{internal.kubernetes_users}}'],
      groups: ['{{internal.kubernetes_groups}}'],
      namespaces: ['*'],
      verbs: ['*'],
      resources: ['*'],
    },
    principals: ({ users, groups }) => [...users, ...groups.map((group) => `${groupPrefix}${group}`)],
  },
  audit: {
    request: event('A request was sent to the API server.', {
      connection,
      sequence,
      method: field.public(z.string()),
      verb: field.public(z.string().optional().describe('As Kubernetes names it: `get`, `list`, `watch`, `create`, …')),
      resource: field.public(
        z.string().optional().describe('With its group and subresource: `deployments.apps/scale`.'),
      ),
      namespace: field.public(z.string().optional().describe('Absent for what belongs to none.')),
      name: field.public(z.string().optional()),
      path: field.public(z.string().optional().describe('Where it is no resource that was asked for.')),
      user: field.public(z.string().describe('Whom the API server takes for its maker.')),
      groups: field.public(z.array(z.string())),
      chosen: field.public(z.boolean().optional().describe('True where the client chose whom to be, as with `--as`.')),
      container: field.public(z.string().optional()),
      command: field.sensitive(z.array(z.string()).optional().describe('What `exec` runs, up to 4096 characters.')),
      tty: field.public(z.boolean().optional()),
      stdin: field.public(z.boolean().optional()),
      truncated: field.public(z.boolean().optional()),
    }),
    response: event('The API server answered a request.', {
      connection,
      sequence,
      status: field.public(z.int()),
      durationMs: field.public(z.number().describe('Until the head of the answer.')),
      stream: field.public(z.string().optional().describe('What follows it in both directions, such as `SPDY/3.1`.')),
    }),
    stream: event('What ran in both directions, as in `exec` or `port-forward`, has ended.', {
      connection,
      sequence,
      bytesIn: field.public(z.number().describe('From the client, as they were sent.')),
      bytesOut: field.public(z.number()),
      durationMs: field.public(z.number()),
      exit: field.public(z.string().optional().describe('How the command ended: `Success`, or its exit code.')),
      recorded: field.public(z.boolean()),
    }),
  },
  recordings: {
    requests: { title: 'Requests', format: 'lines', shared: true },
    terminal: { title: 'Terminal', format: 'terminal' },
  },
});

export type Kubernetes = typeof kubernetes;

import { z } from 'zod';
import { duration } from '../rbac/duration.js';
import { secretSource } from './secret-source.js';
import { storage } from './storage.js';

/** `host:port`, `[v6]:port` or `:port`. */
export const listenAddress = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^:[\]\s]*):\d{1,5}$/, 'write an address and a port, for example 0.0.0.0:3080')
  .transform((text) => {
    const at = text.lastIndexOf(':');
    return { host: text.slice(0, at).replace(/^\[|\]$/g, '') || '0.0.0.0', port: Number(text.slice(at + 1)) };
  })
  .refine(({ port }) => port <= 65_535, 'ports end at 65535');

export type Address = z.output<typeof listenAddress>;

const clusterName = z
  .string()
  .max(200)
  .regex(/^(?=.*\.)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, {
    message: 'write a DNS name in lower case with at least one dot, such as access.example.com',
  });

const auth = z.strictObject({
  enabled: z.boolean().default(true).describe('Run the Auth Service in this process.'),
  wrapping_key: z
    .string()
    .optional()
    .describe('File that holds the key which encrypts private keys in the store. Created with mode 0600.'),
});

const web = z
  .strictObject({
    certificate: z
      .string()
      .optional()
      .describe('PEM file with the chain that browsers are shown; one of the cluster’s own authority by default.'),
    key: z.string().optional().describe('PEM file with its private key. Both files are read again when they change.'),
    apps_domain: clusterName
      .optional()
      .describe('Applications are at <name>.<apps_domain>. Best a domain of its own, and no part of another site.'),
  })
  .refine(({ certificate, key }) => (certificate === undefined) === (key === undefined), {
    message: 'write both certificate and key, or neither',
  });

const proxy = z.strictObject({
  enabled: z.boolean().default(true).describe('Run the Proxy Service in this process.'),
  listen: listenAddress.prefault('127.0.0.1:3080').describe('The one public port.'),
  public_address: listenAddress.optional().describe('What clients connect to, where that differs from `listen`.'),
  trusted_proxies: z
    .array(z.string())
    .default([])
    .describe('Networks in CIDR form from which a PROXY protocol header is believed.'),
  connections_per_address: z.int().positive().default(1000),
  ports: z
    .array(
      z.strictObject({
        listen: listenAddress,
        kind: z.string().describe('The kind of resource that is reached here.'),
        resource: z.string().optional().describe('The only resource that is reached here.'),
      }),
    )
    .default([])
    .describe('More ports, for clients that cannot say in TLS whom they want.'),
  web: web.prefault({}).describe('Browsers.'),
});

const agent = z.strictObject({
  enabled: z.boolean().default(true).describe('Run an agent in this process.'),
  name: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/)
    .max(63)
    .optional()
    .describe('This agent’s name; the host name by default.'),
  resources: z
    .array(z.looseObject({ kind: z.string(), name: z.string() }))
    .default([])
    .describe('Resource documents that this agent serves.'),
  accept: z
    .strictObject({
      labels: z.record(z.string(), z.union([z.string(), z.array(z.string())])).default({ '*': '*' }),
      deny_addresses: z
        .array(z.string())
        .default(['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::254/128'])
        .describe(
          'Never dialled, whatever is allowed; by default link-local addresses, where clouds hand out secrets.',
        ),
      allow_addresses: z.array(z.string()).default(['0.0.0.0/0', '::/0']),
    })
    .prefault({})
    .describe('Which resources registered at the cluster this agent serves; addresses are checked after DNS.'),
  probes: z
    .strictObject({
      enabled: z.boolean().default(true).describe('Ask now and then whether a session could start at each resource.'),
      interval: duration.default('60s').describe('How long from one probe of a resource to the next, about.'),
      timeout: duration.default('10s').describe('How long one probe may take.'),
      concurrency: z.int().positive().max(64).default(4).describe('How many resources are probed at once.'),
    })
    .prefault({})
    .describe('The health of resources, as psh ls shows it.'),
  secrets: z
    .record(z.string().regex(/^[a-z0-9_-]{1,64}$/i), secretSource)
    .default({})
    .describe('Secrets that resource documents may name.'),
});

/** The whole of `postern.yaml`. Every key has a default that works for one machine. */
export const configuration = z.strictObject({
  cluster: clusterName.default('postern.localhost').describe('The cluster’s immutable name.'),
  data: z.string().default('.postern').describe('Directory for everything this process keeps; relative to this file.'),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
      format: z.enum(['text', 'json']).default('text'),
    })
    .prefault({}),
  diagnostics: z
    .strictObject({
      listen: listenAddress
        .optional()
        .describe('Address for monitoring alone: /metrics, /healthz and /readyz over plain HTTP. Nothing by default.'),
    })
    .prefault({}),
  storage,
  auth: auth.prefault({}),
  proxy: proxy.prefault({}),
  agent: agent.prefault({}),
  plugins: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .default({})
    .describe('One section per protocol. `package` or `path` names a plugin that is not part of Postern.'),
});

export type Configuration = z.output<typeof configuration>;

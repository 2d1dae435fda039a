import { defineProtocol, event, field, matchesAny, secretName, upstreamTls } from '@postern/plugin-sdk';
import { z } from 'zod';
import { ownHeader } from './own-header.js';

const hostName = z
  .string()
  .min(1)
  .max(253)
  .regex(/^(?:[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?)$/, 'write a DNS name or an IP address');
const headerName = z
  .string()
  .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/, 'write the name of a header')
  .refine((name) => !ownHeader(name), 'this header is ours to set');
const headerValue = z
  .string()
  .max(4096)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, 'write visible characters');

const tls = upstreamTls
  .unwrap()
  .extend({
    mode: z
      .enum(['verify-full', 'verify-ca', 'require', 'disable'])
      .default('disable')
      .describe(
        '`disable`: http. `verify-full`: https, the certificate must come from `ca` and bear the name. `verify-ca`: any name. `require`: encrypted, but whoever stands in between can read along.',
      ),
    ca: upstreamTls
      .unwrap()
      .shape.ca.describe('Who signs the certificate: PEM; by default, and with `system`, those of the agent’s system.'),
  })
  .prefault({});

const assertion = z
  .strictObject({
    enabled: z.boolean().default(true),
    header: headerName.default('Postern-Assertion').describe('The header in which the application finds the token.'),
    audience: z.string().min(1).max(256).optional().describe('The claim `aud`; the name of the resource by default.'),
  })
  .prefault({})
  .describe('A signed statement (JWT) about the user, renewed before it ends.');

const resource = z.strictObject({
  host: hostName.describe('DNS name or address of the application, as seen by the agent.'),
  port: z.int().min(1).max(65_535).default(80),
  tls,
  host_header: z
    .string()
    .max(260)
    .regex(/^[A-Za-z0-9.:[\]_-]+$/, 'write a name, with a port where it needs one')
    .optional()
    .describe('What the application sees as `Host`; its own address by default.'),
  path_prefix: z
    .string()
    .max(256)
    .regex(/^(?:\/[A-Za-z0-9._~-]+)+$/, 'write a path such as `/app`')
    .refine((path) => !/\/\.{1,2}(?:\/|$)/.test(path), 'write a path without `.` and `..`')
    .optional()
    .describe('Where the application begins on its server: put before every path.'),
  path_parameters: z
    .boolean()
    .default(false)
    .describe('Paths with `;`, which servers read in different ways, are refused unless this is set.'),
  headers: z.record(headerName, headerValue).default({}).describe('Headers to set on every request.'),
  secret_headers: z
    .record(headerName, secretName)
    .default({})
    .describe('Headers whose values are entries of the `secrets` of the agent.'),
  assertion,
  health_path: z
    .string()
    .max(1024)
    .regex(/^\/[\x21\x22\x24-\x7e]*$/, 'write a path')
    .default('/')
    .describe('What the probe asks for.'),
});

/** Without method and path it is the opening of a connection. */
const ask = z.strictObject({
  method: z.string().max(32).optional(),
  /** Decoded, without the query. */
  path: z.string().max(4096).optional(),
});

const pattern = z.string().min(1).max(1024);
const access = z.strictObject({
  methods: z.array(pattern).default([]).describe('`GET`, `POST`, …; `*` stands for any.'),
  paths: z
    .array(pattern)
    .default([])
    .describe('Decoded paths without the query; `*` stands for any characters, `/` among them.'),
});

export type HttpsSpec = z.output<typeof resource>;
export type HttpsAsk = z.output<typeof ask>;
export type HttpsAccess = z.output<typeof access>;

function permits(allowed: HttpsAccess, { method, path }: HttpsAsk): boolean {
  if (method === undefined || path === undefined)
    return method === path && allowed.methods.length > 0 && allowed.paths.length > 0;
  return matchesAny(allowed.methods, method) && matchesAny(allowed.paths, path);
}

/** Who is denied everything need not come in at all. */
const names = (patterns: readonly string[], text: string | undefined): boolean =>
  text === undefined ? patterns.includes('*') : matchesAny(patterns, text);

const forbids = (denied: HttpsAccess, { method, path }: HttpsAsk): boolean =>
  names(denied.methods, method) || names(denied.paths, path);

const seconds = (most: number, usual: number) => z.int().min(1).max(most).default(usual);

export const https = defineProtocol({
  id: 'https',
  title: 'Web applications',
  posture: 'hostile-client-and-upstream',
  transport: { kind: 'tls', alpn: ['http/1.1'], appHost: true },
  session: { per: 'certificate', idleSeconds: 300 },
  config: z.strictObject({
    connect_timeout_seconds: seconds(120, 10).describe('How long a connection to the application may take.'),
    response_timeout_seconds: seconds(3600, 300).describe('How long an application may take to begin its answer.'),
    head_timeout_seconds: seconds(300, 20).describe('How long a request’s head may take from its first byte on.'),
    body_timeout_seconds: seconds(3600, 60).describe('How long a body may stand still while the application waits.'),
    keep_alive_seconds: seconds(3600, 75).describe('How long a connection may be idle between two requests.'),
    half_closed_seconds: seconds(60, 5).describe(
      'How long an answer may take that a client waits for which has ended its half: most have simply gone.',
    ),
    max_head_bytes: z.int().min(4096).max(65_536).default(32_768).describe('The longest head of a request.'),
    max_query_characters: z.int().min(0).max(8192).default(1024).describe('How much of a query an event shows.'),
  }),
  auth: {
    resource,
    endpoints: ({ host, port }) => [{ host: host.replace(/^\[|\]$/g, ''), port }],
    ask,
    access,
    permits,
    forbids,
    preset: { methods: ['*'], paths: ['*'] },
  },
  audit: {
    request: event('A request was sent to the application.', {
      connection: field.public(z.int().describe('Tells the connections of a session apart.')),
      sequence: field.public(z.int().describe('Counts the requests of a connection.')),
      method: field.public(z.string()),
      path: field.public(z.string().describe('Decoded, without the query.')),
      query: field.sensitive(z.string().optional().describe('As it was sent, cut where it is long.')),
      host: field.public(z.string().optional().describe('What the client called the application.')),
      agent: field.public(z.string().optional().describe('What the client called itself.')),
      upgrade: field.public(z.literal('websocket').optional()),
      truncated: field.public(z.boolean().optional()),
    }),
  },
  recordings: { requests: { title: 'Requests', format: 'lines', shared: true } },
});

export type Https = typeof https;

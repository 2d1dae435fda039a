import { defineProtocol, event, field, matchesAny } from '@postern/plugin-sdk';
import { z } from 'zod';

const hostName = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[^\s/\\@,]+$/, 'write a DNS name or an IP address');

// Logins travel in a cookie that ends with its line.
const login = z.string().regex(/^[^\s\0*]{1,128}$/, 'a login has no blanks and no `*`');
const secretName = z.string().regex(/^[a-z0-9_-]{1,64}$/i, 'name an entry of the `secrets` of the agent');

const account = z.strictObject({
  login: login.describe('The account on the desktop; users ask for it, and roles name it.'),
  domain: z.string().max(255).default('').describe('Its Windows domain.'),
  secret: secretName.describe('The password: the name of an entry of the `secrets` of the agent.'),
});

const fingerprint = z
  .string()
  .transform((text) => text.toLowerCase().replaceAll(':', ''))
  .refine((text) => /^[0-9a-f]{64}$/.test(text), 'write a SHA-256 as 64 hexadecimal digits');

const tls = z
  .strictObject({
    mode: z
      .enum(['verify-full', 'fingerprint', 'require'])
      .default('verify-full')
      .describe(
        '`verify-full`: the certificate must come from `ca` and bear the name. `fingerprint`: it must be one of `fingerprints`. `require`: any, where the desktop proves itself by NLA.',
      ),
    ca: z
      .union([z.literal('system'), z.string().regex(/^\s*-----BEGIN CERTIFICATE-----/, 'write a certificate in PEM')])
      .default('system'),
    server_name: hostName.optional().describe('The name in the certificate, where it is not `host`.'),
    fingerprints: z.array(fingerprint).max(16).default([]).describe('SHA-256 of the certificate in DER.'),
  })
  .prefault({});

const resource = z
  .strictObject({
    host: hostName.describe('DNS name or address, as seen by the agent.'),
    port: z.int().min(1).max(65_535).default(3389),
    security: z
      .enum(['any', 'nla', 'tls'])
      .default('any')
      .describe('How to log in: by NLA (CredSSP) or inside of TLS alone; `any` leaves the choice to the desktop.'),
    tls,
    accounts: z.array(account).min(1).max(64),
    recording: z
      .enum(['screen', 'none'])
      .default('screen')
      .describe('`screen`: everything is shown as bitmaps and recorded. `none`: nothing is, and all graphics pass.'),
    record_input: z.boolean().default(false).describe('Whether recordings hold keys and mouse: passwords among them.'),
  })
  .refine(({ tls: { mode }, security }) => mode !== 'require' || security === 'nla', {
    path: ['security'],
    error: 'a certificate that nobody verifies needs `security: nla`',
  })
  .refine(({ tls: { mode, fingerprints } }) => mode !== 'fingerprint' || fingerprints.length > 0, {
    path: ['tls', 'fingerprints'],
    error: 'name at least one fingerprint',
  })
  .refine(({ accounts }) => new Set(accounts.map((one) => one.login.toLowerCase())).size === accounts.length, {
    path: ['accounts'],
    error: 'two accounts have the same login',
  });

/** What a client may use besides screen, keys and mouse. */
const uses = ['clipboard', 'drives', 'printers', 'smartcards', 'ports', 'sound', 'channel'] as const;
export type Use = (typeof uses)[number];

const ask = z.strictObject({
  login: z.string().min(1).max(128),
  use: z.enum(uses).optional(),
  /** The name of a channel, for the use of that name. */
  channel: z.string().min(1).max(256).optional(),
});

const pattern = z.string().min(1).max(256);
const access = z.strictObject({
  logins: z.array(pattern).default([]).describe('Accounts on the desktop; `*` stands for any characters.'),
  clipboard: z.boolean().default(false).describe('Copying and pasting, files too, in both directions.'),
  drives: z.boolean().default(false).describe('Directories of the client, as drives.'),
  printers: z.boolean().default(false),
  smartcards: z.boolean().default(false),
  ports: z.boolean().default(false).describe('Serial and parallel ports.'),
  sound: z.boolean().default(false).describe('Output and input of sound.'),
  channels: z.array(pattern).default([]).describe('Other channels by their names; `*` stands for any characters.'),
});

export type RdpSpec = z.output<typeof resource>;
export type RdpAsk = z.output<typeof ask>;
export type RdpAccess = z.output<typeof access>;

/** True where `access` names the use of an ask. */
function names(listed: RdpAccess, { use, channel }: RdpAsk): boolean {
  if (use === undefined) return false;
  if (use === 'channel') return channel !== undefined && matchesAny(listed.channels, channel);
  return listed[use];
}

const permits = (allowed: RdpAccess, wanted: RdpAsk): boolean =>
  matchesAny(allowed.logins, wanted.login) && (wanted.use === undefined || names(allowed, wanted));

const forbids = (denied: RdpAccess, wanted: RdpAsk): boolean =>
  matchesAny(denied.logins, wanted.login) || names(denied, wanted);

export const rdp = defineProtocol({
  id: 'rdp',
  title: 'Remote desktops (RDP)',
  posture: 'hostile-client-and-upstream',
  transport: { kind: 'tls', alpn: ['rdp'], forward: 'port', web: true },
  config: z.strictObject({
    login_timeout_seconds: z.int().min(1).max(120).default(20).describe('How long a desktop may take to log in.'),
    handshake_timeout_seconds: z
      .int()
      .min(5)
      .max(300)
      .default(60)
      .describe('How long a client and a desktop may take to agree, until the first picture can come.'),
  }),
  auth: {
    resource,
    endpoints: ({ host, port }) => [{ host, port }],
    ask,
    access,
    permits,
    forbids,
    preset: { logins: ['{{internal.logins}}'] },
    principals: (allowed) => allowed.logins,
  },
  audit: {
    login: event('The agent connected to the desktop for this session and presented the account.', {
      login: field.public(z.string()),
      client: field.public(z.enum(['native', 'web'])),
      security: field.public(z.enum(['nla', 'tls'])),
      tls: field.public(z.string()),
      certificate: field.public(z.string().describe('SHA-256 of the certificate of the desktop.')),
    }),
    channel: event('The client opened a channel besides screen, keys and mouse.', {
      name: field.public(z.string()),
      use: field.public(z.string()),
      dynamic: field.public(z.boolean()),
    }),
    device: event('The client offered one of its devices to the desktop.', {
      use: field.public(z.string()),
      name: field.sensitive(z.string()),
    }),
    clipboard: event('Data went through the clipboard.', {
      direction: field.public(z.enum(['to_desktop', 'from_desktop'])),
      kind: field.public(z.enum(['data', 'file'])),
      bytes: field.public(z.int()),
    }),
    disconnect: event('The desktop told why it ends the session.', {
      code: field.public(z.int()),
    }),
  },
  recordings: { screen: { title: 'Screen', format: 'packets' } },
});

export type Rdp = typeof rdp;

import { resolve } from 'node:path';
import { z } from 'zod';
import { duration } from '../rbac/duration.js';
import { secretSource } from './secret-source.js';

const certificateFiles = {
  authorities: z.string().optional().describe('PEM file with the authorities of the server; the system’s by default.'),
  certificate: z.string().optional().describe('PEM file with the certificate that this process shows.'),
  key: z.string().optional().describe('PEM file with its private key. Files are read again when they are renewed.'),
};

const bothOrNeither = ({ certificate, key }: { certificate?: string | undefined; key?: string | undefined }): boolean =>
  (certificate === undefined) === (key === undefined);
const pair = { message: 'write both certificate and key, or neither' };

const patience = duration
  .default('2m')
  .describe('How long decisions are made from what is known while the storage is away; then the process ends.');

const sqlite = z.strictObject({ kind: z.literal('sqlite') });

const postgres = z.strictObject({
  kind: z.literal('postgres'),
  host: z.string().min(1).describe('A name, an address, or the directory of a unix socket.'),
  port: z.int().min(1).max(65_535).default(5432),
  database: z.string().min(1).default('postern'),
  user: z.string().min(1).default('postern'),
  password: secretSource.optional().describe('Where the password lies: { file: … } or { env: … }.'),
  schema: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,47}$/, 'write lower case letters, digits and underscores')
    .default('postern')
    .describe('The schema that belongs to this cluster alone. Created where it is missing.'),
  tls: z
    .strictObject({
      enabled: z.boolean().default(true).describe('Encrypt, and verify the server. A unix socket never is.'),
      server_name: z.string().optional().describe('The name in the server’s certificate, where it is not the host.'),
      ...certificateFiles,
    })
    .refine(bothOrNeither, pair)
    .prefault({}),
  patience,
});

const member = z
  .url({ protocol: /^https?$/, hostname: /./, error: 'write https://host:port', abort: true })
  .refine((text) => {
    const { username, password, pathname, search } = new URL(text);
    return username === '' && password === '' && pathname === '/' && search === '';
  }, 'write https://host:port and nothing else; a password has a key of its own');

const etcd = z
  .strictObject({
    kind: z.literal('etcd'),
    endpoints: z.array(member).min(1).describe('Every member, as https://host:port.'),
    prefix: z
      .string()
      .regex(/^[\w./-]{1,64}\/$/, 'write letters, digits and -_./, with a slash at the end')
      .default('postern/')
      .describe('What the keys that belong to this cluster alone begin with.'),
    user: z.string().min(1).optional(),
    password: secretSource.optional().describe('Where the password lies: { file: … } or { env: … }.'),
    tls: z.strictObject(certificateFiles).refine(bothOrNeither, pair).prefault({}),
    patience,
    keep: z
      .union([duration, z.literal('forever')])
      .default('10m')
      .describe('How long the past is kept. etcd is compacted as a whole; with `forever` somebody else must do it.'),
  })
  .refine(({ user, password }) => (user === undefined) === (password === undefined), {
    message: 'write both user and password, or neither',
  })
  .refine(({ password, endpoints }) => password === undefined || endpoints.every((url) => url.startsWith('https:')), {
    message: 'a password is sent over https alone',
    path: ['endpoints'],
  });

/** Where the cluster's state is kept. */
export const storage = z
  .discriminatedUnion('kind', [sqlite, postgres, etcd])
  .default({ kind: 'sqlite' })
  .describe('Where the state is: { kind: sqlite } in the data directory; postgres or etcd for several Auth Services.');

export type StorageConfiguration = z.output<typeof storage>;

/** The same with its paths resolved against a directory. */
export function resolveStorage(configuration: StorageConfiguration, base: string): StorageConfiguration {
  if (configuration.kind === 'sqlite') return configuration;
  const { password, tls } = configuration;
  const at = (path: string | undefined): string | undefined => path && resolve(base, path);
  const files = { authorities: at(tls.authorities), certificate: at(tls.certificate), key: at(tls.key) };
  const found = password && 'file' in password ? { file: resolve(base, password.file) } : password;
  const resolved = { ...(found && { password: found }) };
  return configuration.kind === 'postgres'
    ? { ...configuration, ...resolved, tls: { ...configuration.tls, ...files } }
    : { ...configuration, ...resolved, tls: { ...configuration.tls, ...files } };
}

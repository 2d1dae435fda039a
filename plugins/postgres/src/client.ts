import { isIP } from 'node:net';
import {
  PosternError,
  type Addition,
  type ClientModule,
  type ClientProfile,
  type ClientTarget,
  type ConnectOptions,
} from '@postern/plugin-sdk';
import type { Postgres } from './protocol.js';

/** libpq's settings, in the order in which people read them. */
type Settings = Readonly<Record<string, string>>;

/** libpq reads service files line by line, and older versions take no longer lines. */
const maxLine = 1023;

/** How libpq reaches a target: never a secret, the key is a file. */
function settingsFor(profile: ClientProfile, target: ClientTarget<Postgres>): Settings {
  const address = addressOf(profile, target.hostname);
  return {
    host: target.hostname,
    ...(address !== undefined && { hostaddr: address }),
    port: String(profile.proxy.port),
    sslmode: 'verify-full',
    sslrootcert: profile.files.authority,
    sslcert: profile.files.certificate,
    sslkey: profile.files.key,
    gssencmode: 'disable',
  };
}

/** Where the proxy is, for machines on which the target's name does not resolve. */
function addressOf(profile: ClientProfile, hostname: string): string | undefined {
  const { proxy } = profile;
  if (profile.resolves(hostname)) return undefined;
  if (isIP(proxy.host) !== 0) return proxy.host;
  return proxy.host === 'localhost' ? '127.0.0.1' : undefined;
}

/** Whom to become, where there is no choice. */
function onlyUser({ principals }: ClientTarget<Postgres>): string | undefined {
  const names = principals.filter((name) => !name.includes('*'));
  return names.length === 1 && names.length === principals.length ? names[0] : undefined;
}

/** A section of a service file; undefined where a value has no form in which it could stand there. */
function serviceSection(profile: ClientProfile, target: ClientTarget<Postgres>): string | undefined {
  const user = onlyUser(target);
  const { database } = target.resource.spec;
  const settings = {
    ...settingsFor(profile, target),
    ...(user !== undefined && { user }),
    ...(database !== undefined && { dbname: database }),
  };
  const lines = [`[${target.resource.name}]`, ...Object.entries(settings).map(([name, value]) => `${name}=${value}`)];
  const sound = lines.every((line) => line.length <= maxLine && !/[\r\n\0]/.test(line));
  return sound && !target.resource.name.includes(']') ? `${lines.join('\n')}\n` : undefined;
}

function configure(profile: ClientProfile, targets: readonly ClientTarget<Postgres>[]): { additions: Addition[] } {
  const sections = targets.flatMap((target) => {
    const { name } = target.resource;
    const text = serviceSection(profile, target);
    // A service that the user wrote is the user's: the first of two with one name would win, whichever that is.
    const pattern = new RegExp(`^\\s*\\[${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\]`, 'm');
    return text === undefined ? [] : [{ name, text, pattern }];
  });
  return { additions: [{ file: '.pg_service.conf', comment: '#', place: 'bottom', text: '', sections }] };
}

function chosen(target: ClientTarget<Postgres>, { user, options }: ConnectOptions): Settings {
  const name = user ?? onlyUser(target);
  if (name === undefined)
    throw PosternError.public(
      'invalid_argument',
      `choose a database user with --user: ${target.principals.join(', ') || 'your roles name none'}`,
    );
  const database = options['database'] ?? target.resource.spec.database ?? name;
  return { user: name, dbname: database };
}

/** A connection string: `key='value'`, where quotes and backslashes are escaped. */
const conninfo = (settings: Settings): string =>
  Object.entries(settings)
    .map(([name, value]) =>
      /^[\w./:@-]+$/.test(value) ? `${name}=${value}` : `${name}='${value.replace(/['\\]/g, '\\$&')}'`,
    )
    .join(' ');

const variables: Readonly<Record<string, string>> = {
  host: 'PGHOST',
  hostaddr: 'PGHOSTADDR',
  port: 'PGPORT',
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  gssencmode: 'PGGSSENCMODE',
  user: 'PGUSER',
  dbname: 'PGDATABASE',
};

export const postgresClient: ClientModule<Postgres> = {
  configure,
  connect(profile, target, options) {
    const settings = { ...settingsFor(profile, target), ...chosen(target, options) };
    return { program: 'psql', args: [conninfo(settings), ...options.args] };
  },
  env(profile, target, options) {
    const settings = { ...settingsFor(profile, target), ...chosen(target, options) };
    return Object.fromEntries(Object.entries(settings).map(([name, value]) => [variables[name] ?? name, value]));
  },
};

import {
  PosternError,
  type Addition,
  type ClientModule,
  type ClientProfile,
  type ClientTarget,
  type ConnectOptions,
} from '@postern/plugin-sdk';
import type { Mysql } from './protocol.js';

/** Whom to become, where there is no choice. */
function onlyUser({ principals }: ClientTarget<Mysql>): string | undefined {
  const names = principals.filter((name) => !name.includes('*'));
  return names.length === 1 && names.length === principals.length ? names[0] : undefined;
}

/** A value of an option file: in quotes, where backslashes are escapes. */
const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;

/**
 * The client group of one target, read with `--defaults-group-suffix=-NAME`.
 * Clients of this protocol cannot ask for a server by its name: they connect to
 * the socket at which `psh proxy` serves the target.
 */
function group(target: ClientTarget<Mysql>): string | undefined {
  const { name, spec } = target.resource;
  const user = onlyUser(target);
  const { socket } = target;
  if (socket === undefined || !/^[\w.-]+$/.test(name) || /[\r\n\0]/.test(socket)) return undefined;
  return [
    `[client-${name}]`,
    `socket=${quoted(socket)}`,
    'protocol=socket',
    ...(user === undefined ? [] : [`user=${quoted(user)}`]),
    '',
    ...(spec.database === undefined ? [] : [`[mysql-${name}]`, `database=${quoted(spec.database)}`, '']),
  ].join('\n');
}

function configure(_profile: ClientProfile, targets: readonly ClientTarget<Mysql>[]): { additions: Addition[] } {
  const sections = targets.flatMap((target) => {
    const text = group(target);
    const { name } = target.resource;
    const pattern = new RegExp(`^\\s*\\[(client|mysql)-${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\]`, 'm');
    return text === undefined ? [] : [{ name, text, pattern }];
  });
  return { additions: [{ file: '.my.cnf', comment: '#', place: 'bottom', text: '', sections }] };
}

function chosen(target: ClientTarget<Mysql>, { user, options }: ConnectOptions) {
  const name = user ?? onlyUser(target);
  if (name === undefined)
    throw PosternError.public(
      'invalid_argument',
      `choose a database user with --user: ${target.principals.join(', ') || 'your roles name none'}`,
    );
  return { name, database: options['database'] ?? target.resource.spec.database };
}

export const mysqlClient: ClientModule<Mysql> = {
  configure,
  connect(_profile, target, options) {
    const { local, args } = options;
    if (local?.kind !== 'socket') throw new PosternError('internal', 'there is no local socket to connect to');
    const { name, database } = chosen(target, options);
    return {
      program: 'mysql',
      // The user's own file may name a password or a host, which is not meant for here.
      args: [
        '--no-defaults',
        `--socket=${local.path}`,
        '--protocol=socket',
        `--user=${name}`,
        ...(database === undefined ? [] : [`--database=${database}`]),
        ...args,
      ],
    };
  },
};

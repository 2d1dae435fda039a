import { PosternError, type ClientModule, type ClientTarget, type ConnectOptions } from '@postern/plugin-sdk';
import type { Redis } from './protocol.js';

/** Whom to become, where it has to be said: servers call the user `default` whom nobody names. */
function chosen({ resource, principals }: ClientTarget<Redis>, { user }: ConnectOptions): string | undefined {
  if (user !== undefined) return user;
  if (principals.some((name) => name.includes('*') || name === resource.spec.user)) return undefined;
  const [only, ...others] = principals;
  if (only !== undefined && others.length === 0) return only;
  throw PosternError.public(
    'invalid_argument',
    `choose a user of the server with --user: ${principals.join(', ') || 'your roles name none'}`,
  );
}

/**
 * redis-cli has no configuration file, and does not compare the name in a
 * server's certificate. It is therefore connected through a local socket, and
 * the user's program verifies.
 */
export const redisClient: ClientModule<Redis> = {
  configure: () => ({}),
  connect(_profile, target, options) {
    const { local, args } = options;
    if (local?.kind !== 'socket') throw new PosternError('internal', 'there is no local socket to connect to');
    const user = chosen(target, options);
    return {
      program: 'redis-cli',
      args: ['-s', local.path, ...(user === undefined ? [] : ['--user', user]), ...args],
      // It sends AUTH with a user only where there is a password; the agent takes no notice of what it is.
      ...(user !== undefined && { env: { REDISCLI_AUTH: 'none' } }),
    };
  },
};

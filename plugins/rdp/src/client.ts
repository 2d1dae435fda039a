import { PosternError, type ClientModule, type ClientTarget, type ConnectOptions } from '@postern/plugin-sdk';
import type { Rdp } from './protocol.js';

/** Whom to become, where the user did not say and there is no choice. */
function loginFor({ resource, principals }: ClientTarget<Rdp>, { user }: ConnectOptions): string {
  if (user !== undefined) return user;
  const logins = resource.spec.accounts.map(({ login }) => login);
  const own = logins.filter((login) => principals.includes(login) || principals.includes('*'));
  const [only] = own.length > 0 ? own : logins;
  if (only !== undefined && (own.length === 1 || logins.length === 1)) return only;
  throw PosternError.public('invalid_argument', `choose an account with --user: ${logins.join(', ')}`);
}

export const rdpClient: ClientModule<Rdp> = {
  /** RDP clients keep nothing by which they could find a desktop behind a forwarder: there is nothing to write. */
  configure: () => ({}),

  connect(_profile, target, options) {
    const { local } = options;
    if (local?.kind !== 'port') throw new PosternError('internal', 'a desktop is reached through a local port');
    return {
      program: 'xfreerdp',
      args: [
        `/v:${local.host}:${local.port}`,
        `/u:${loginFor(target, options)}`,
        // Anything but nothing, so that the client does not ask for it: the agent has the real one.
        '/p:vaulted',
        '/sec:tls',
        // The gateway has proved itself by the mutual TLS around this, which the forwarder holds as long as the
        // client runs; the certificate inside is of no authority, and comparing it would prove nothing more.
        '/cert:ignore',
        '/bpp:32',
        `/t:${target.resource.name}`,
        ...options.args,
      ],
    };
  },
};

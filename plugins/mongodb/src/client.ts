import {
  PosternError,
  type ClientModule,
  type ClientProfile,
  type ClientTarget,
  type ConnectOptions,
} from '@postern/plugin-sdk';
import type { Mongodb } from './protocol.js';

type Options = Partial<Pick<ConnectOptions, 'user' | 'options' | 'local'>>;

/** Whom to become, where it has to be said. */
function chosen({ resource, principals }: ClientTarget<Mongodb>, user: string | undefined): string | undefined {
  if (user !== undefined) return user;
  if (resource.spec.user !== undefined) return resource.spec.user;
  const names = principals.filter((name) => !name.includes('*'));
  return names.length === 1 && names.length === principals.length ? names[0] : undefined;
}

/**
 * A connection string, in which there are paths and no secret. Drivers are told
 * that there is one server, whatever it may say of others; they say whom they
 * want to be, and the certificate proves that they may.
 */
function address(
  profile: ClientProfile,
  target: ClientTarget<Mongodb>,
  { user, options = {}, local }: Options,
): string {
  const name = chosen(target, user);
  const { proxy, files } = profile;
  const host = local?.kind === 'port' ? `${local.host}:${local.port}` : `${target.hostname}:${proxy.port}`;
  const database = options['database'] ?? target.resource.spec.database ?? '';
  const settings: Record<string, string> = {
    directConnection: 'true',
    authMechanism: 'MONGODB-X509',
    authSource: '$external',
    // Through a local port, TLS begins behind it.
    ...(local ? { tls: 'false' } : { tls: 'true', tlsCAFile: files.authority, tlsCertificateKeyFile: files.identity }),
  };
  const query = Object.entries(settings).map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
  const userPart = name === undefined ? '' : `${encodeURIComponent(name)}@`;
  return `mongodb://${userPart}${host}/${encodeURIComponent(database)}?${query.join('&')}`;
}

function assureUser(target: ClientTarget<Mongodb>, { user }: Options): void {
  if (chosen(target, user) !== undefined) return;
  const names = target.principals.join(', ') || 'your roles name none';
  throw PosternError.public('invalid_argument', `choose a database user with --user: ${names}`);
}

export const mongodbClient: ClientModule<Mongodb> = {
  /** One file for each target, for programs that take a connection string: `mongosh "$(cat …/mongodb/NAME.uri)"`. */
  configure(profile, targets) {
    const sound = targets.filter(({ resource }) => /^[\w.-]+$/.test(resource.name));
    return {
      files: Object.fromEntries(
        sound.map((target) => [`mongodb/${target.resource.name}.uri`, `${address(profile, target, {})}\n`]),
      ),
    };
  },
  connect(profile, target, options) {
    assureUser(target, options);
    const { local } = options;
    if (local?.kind !== 'port') throw new PosternError('internal', 'there is no local port to connect to');
    return { program: 'mongosh', args: [address(profile, target, options), ...options.args] };
  },
  env(profile, target, options) {
    assureUser(target, options);
    return { MONGODB_URI: address(profile, target, options) };
  },
};

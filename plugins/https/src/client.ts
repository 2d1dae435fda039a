import { isIP } from 'node:net';
import type { ClientModule, ClientProfile, ClientTarget } from '@postern/plugin-sdk';
import type { Https } from './protocol.js';

/** curl reads options from files, one to a line, values in quotes. */
const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;

const fileOf = (name: string): string => `app/${encodeURIComponent(name)}.curlrc`;

const urlOf = ({ proxy }: ClientProfile, { hostname }: ClientTarget<Https>): string =>
  `https://${hostname}${proxy.port === 443 ? '' : `:${proxy.port}`}`;

/** Where the name resolves to nothing, curl is told where to connect; the name is verified all the same. */
function route(profile: ClientProfile, { hostname }: ClientTarget<Https>): string | undefined {
  const { host, port } = profile.proxy;
  if (profile.resolves(hostname)) return undefined;
  return `${hostname}:${port}:${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** How curl proves who the user is, and verifies the application. */
function options(profile: ClientProfile, target: ClientTarget<Https>): readonly (readonly [string, string])[] {
  const { certificate, key, authority } = profile.files;
  const to = route(profile, target);
  return [
    ['cert', certificate],
    ['key', key],
    ['cacert', authority],
    ...(to === undefined ? [] : [['connect-to', to] as const]),
  ];
}

/** An argument that names a place in the application: `/path`, but not an option. */
const isPath = (argument: string): boolean => argument.startsWith('/');

export const httpsClient: ClientModule<Https> = {
  configure: (profile, targets) => ({
    files: Object.fromEntries(
      targets.map((target) => [
        fileOf(target.resource.name),
        options(profile, target)
          .map(([name, value]) => `${name} = ${quoted(value)}\n`)
          .join(''),
      ]),
    ),
  }),
  connect(profile, target, { args }) {
    const url = urlOf(profile, target);
    const last = args.findLast(isPath);
    const others = args.filter((argument) => argument !== last);
    return {
      program: 'curl',
      args: [
        // Its meter stands between the lines of whatever reads what it prints.
        '--no-progress-meter',
        ...options(profile, target).flatMap(([name, value]) => [`--${name}`, value]),
        ...others,
        `${url}${last ?? '/'}`,
      ],
    };
  },
  env: (profile, target) => {
    const to = route(profile, target);
    return {
      APP_URL: urlOf(profile, target),
      APP_CERT: profile.files.certificate,
      APP_KEY: profile.files.key,
      APP_CA: profile.files.authority,
      ...(to !== undefined && { APP_CONNECT_TO: to }),
    };
  },
};

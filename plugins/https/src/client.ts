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

/** Short options of curl whose value is the next argument, where it does not follow at once. */
const shortWithValue = /^-[^-AbcCdDeEFhHKmoPQrtTuUwxXyYz]*[AbcCdDeEFhHKmoPQrtTuUwxXyYz]$/;
/** Long ones that have no value: after any other, a file's name is more likely than a place. */
const longAlone =
  /^--(?:compressed|fail|fail-with-body|get|globoff|head|include|location|no-.+|path-as-is|show-error|silent|verbose)$/;

const takesValue = (option = ''): boolean =>
  shortWithValue.test(option) || (option.startsWith('--') && option !== '--' && !longAlone.test(option));

/** Where the argument stands that names a place in the application: `/path`, but not an option's value. */
const placeIn = (args: readonly string[]): number =>
  args.findLastIndex((argument, at) => argument.startsWith('/') && !takesValue(args[at - 1]));

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
    const place = placeIn(args);
    const others = args.filter((_, at) => at !== place);
    return {
      program: 'curl',
      args: [
        // Its meter stands between the lines of whatever reads what it prints.
        '--no-progress-meter',
        ...options(profile, target).flatMap(([name, value]) => [`--${name}`, value]),
        ...others,
        `${url}${args[place] ?? '/'}`,
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

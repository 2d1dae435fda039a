import type { z } from 'zod';
import { PosternError } from '@postern/plugin-sdk';
import type { ApiClient } from '../../api/api-client.js';
import { getCluster } from '../../api/contract/cluster.js';
import {
  createUser,
  deleteUser,
  listUsers,
  resetUser,
  unlockUser,
  updateUser,
  type invitation,
  type userView,
} from '../../api/contract/users.js';
import type { Format } from '../output/formats.js';
import { showFields, showRows, showValue } from '../output/show.js';
import { relativeTime } from '../output/words.js';
import { withAdmin, type AdminOptions } from './with-admin.js';

type Options = AdminOptions & { readonly format: Format };
type Changes = {
  readonly role?: readonly string[];
  readonly trait?: Readonly<Record<string, readonly string[]>>;
};

export async function listAll(options: Options): Promise<void> {
  const users = await withAdmin(options, (client) => client.call(listUsers, {}));
  await showRows(
    users,
    [
      { title: 'NAME', value: ({ name }) => name },
      { title: 'ROLES', value: ({ roles }) => roles.join(', ') },
      { title: 'TRAITS', value: ({ traits }) => traitText(traits) },
      { title: 'STATE', value: stateOf },
    ],
    options.format,
  );
}

export async function add(name: string, { role = [], trait = {}, ...options }: Options & Changes): Promise<void> {
  await invite(options, (client) => client.call(createUser, { name, roles: [...role], traits: copy(trait) }));
}

export async function update(
  name: string,
  { role, trait, disable, enable, ...options }: Options & Changes & { readonly disable?: true; readonly enable?: true },
): Promise<void> {
  if (disable && enable) throw PosternError.public('invalid_argument', 'either --disable or --enable');
  const changes = {
    ...(role && { roles: [...role] }),
    ...(trait && { traits: copy(trait) }),
    ...((disable ?? enable) && { disabled: disable === true }),
  };
  if (Object.keys(changes).length === 0) throw PosternError.public('invalid_argument', 'nothing to change; see --help');
  await showUser(await withAdmin(options, (client) => client.call(updateUser, { name, ...changes })), options.format);
}

export async function reset(name: string, options: Options): Promise<void> {
  await invite(options, (client) => client.call(resetUser, { name }));
}

export async function unlock(name: string, options: Options): Promise<void> {
  await showUser(await withAdmin(options, (client) => client.call(unlockUser, { name })), options.format);
}

export async function remove(name: string, options: Options): Promise<void> {
  await withAdmin(options, (client) => client.call(deleteUser, { name }));
  if (options.format === 'table') process.stdout.write(`user ${name} deleted\n`);
}

/** Makes an invitation and shows it with the pin, without which not everybody could believe the link. */
async function invite(
  options: Options,
  make: (client: ApiClient) => Promise<z.output<typeof invitation>>,
): Promise<void> {
  const [made, { pins }] = await withAdmin(options, async (client) => [
    await make(client),
    await client.call(getCluster, {}),
  ]);
  if (options.format !== 'table') return showValue(made, options.format);
  const { user, url, expires } = made;
  process.stdout.write(
    `Give ${user} this command. It works once, and until ${expires} (${relativeTime(new Date(expires), new Date())}):\n\n` +
      `    psh accept '${url}' --ca-pin=${pins[0] ?? ''}\n`,
  );
}

const showUser = (user: z.output<typeof userView>, format: Format): Promise<void> =>
  showFields(
    user,
    [
      ['name', user.name],
      ['roles', user.roles.join(', ')],
      ['traits', traitText(user.traits)],
      ['state', stateOf(user)],
    ],
    format,
  );

function stateOf({ disabled, activated, lockedOutUntil, totp }: z.output<typeof userView>): string {
  if (disabled) return 'disabled';
  if (lockedOutUntil !== undefined) return `locked out until ${lockedOutUntil}`;
  if (!activated) return 'invited';
  return totp ? 'active, second factor' : 'active';
}

const traitText = (traits: Readonly<Record<string, readonly string[]>>): string =>
  Object.entries(traits)
    .map(([name, values]) => `${name}=${values.join(',')}`)
    .join(' ');

const copy = (traits: Readonly<Record<string, readonly string[]>>): Record<string, string[]> =>
  Object.fromEntries(Object.entries(traits).map(([name, values]) => [name, [...values]]));

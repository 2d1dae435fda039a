import { PosternError } from '@postern/plugin-sdk';
import type { z } from 'zod';
import { totpUri, type Invitations, type Lockout, type User, type UserService } from '../../identity/index.js';
import { callerName } from '../caller.js';
import {
  acceptInvite,
  createUser,
  deleteUser,
  getInvite,
  listUsers,
  resetUser,
  unlockUser,
  updateUser,
  type invitation,
  type userView,
} from '../contract/index.js';
import { implement, type Handler } from '../handler.js';

export interface UserHandlersOptions {
  readonly users: UserService;
  readonly invitations: Invitations;
  readonly lockout: Lockout;
  readonly cluster: string;
  /** Where an invitation's page is: the token goes behind it. */
  inviteUrl(token: string): string;
}

export function userHandlers(options: UserHandlersOptions): readonly Handler[] {
  const { users } = options;
  const view = async (user: User): Promise<z.input<typeof userView>> => {
    const until = await options.lockout.lockedUntil(user.name);
    return { ...user, ...(until && { lockedOutUntil: until.toISOString() }) };
  };
  const linkOf = (user: string, { token, expires }: { readonly token: string; readonly expires: Date }) =>
    ({ user, token, url: options.inviteUrl(token), expires: expires.toISOString() }) satisfies z.input<
      typeof invitation
    >;
  return [
    implement(listUsers, async () => Promise.all((await users.list()).map(view))),
    implement(createUser, async (wanted, { caller }) =>
      linkOf(wanted.name, await users.create(wanted, callerName(caller))),
    ),
    implement(updateUser, async ({ name, ...change }, { caller }) =>
      view(await users.update(name, change, callerName(caller))),
    ),
    implement(resetUser, async ({ name }, { caller }) => linkOf(name, await users.reset(name, callerName(caller)))),
    implement(unlockUser, async ({ name }, { caller }) => {
      await users.unlock(name, callerName(caller));
      const user = await users.get(name);
      if (!user) throw PosternError.public('not_found', `there is no user ${name}`);
      return view(user);
    }),
    implement(deleteUser, async ({ name }, { caller }) => {
      await users.delete(name, callerName(caller));
      return {};
    }),
    ...inviteHandlers(options),
  ];
}

function inviteHandlers({ users, invitations, cluster }: UserHandlersOptions): readonly Handler[] {
  return [
    implement(getInvite, async ({ token }) => {
      const { user, purpose, expires, totpSecret } = await invitations.get(token);
      const totp = { secret: totpSecret, uri: totpUri(totpSecret, user, cluster) };
      return { user, purpose, expires: expires.toISOString(), totp };
    }),
    implement(acceptInvite, async ({ token, ...chosen }, { caller }) => {
      const { name, totp } = await users.accept(token, chosen, caller.source);
      return { user: name, totp };
    }),
  ];
}

import type { Identity } from '@postern/plugin-sdk';
import type { AuthorityBundle } from '../../certificates/index.js';
import type { LoginService } from '../../cluster/login-service.js';
import type { identityView } from '../contract/login.js';
import type { z } from 'zod';
import { getMe, login } from '../contract/index.js';
import { implement, type Handler } from '../handler.js';
import { requireUser } from '../require-user.js';

export interface LoginHandlersOptions {
  readonly logins: LoginService;
  readonly hostAuthorities: () => AuthorityBundle<'host'>;
}

export function loginHandlers({ logins, hostAuthorities }: LoginHandlersOptions): readonly Handler[] {
  return [
    implement(login, async ({ ttl, ...request }, { caller }) => {
      const { identity, certificate, sshCertificate } = await logins.login(
        { ...request, ttlMs: ttl === undefined ? undefined : ttl * 1000 },
        caller.source,
      );
      const { x509, openSsh } = hostAuthorities();
      const authorities = { host: x509.join(''), sshHost: [...openSsh] };
      return { identity: viewOf(identity), certificate, sshCertificate, authorities };
    }),
    implement(getMe, (_, { caller }) => viewOf(requireUser(caller))),
  ];
}

function viewOf(identity: Identity): z.input<typeof identityView> {
  const { user, cluster, roles, traits, principals, serial, expires } = identity;
  return {
    user,
    cluster,
    roles: [...roles],
    traits: copy(traits),
    principals: copy(principals),
    serial,
    expires: expires.toISOString(),
  };
}

const copy = (lists: Readonly<Record<string, readonly string[]>>): Record<string, string[]> =>
  Object.fromEntries(Object.entries(lists).map(([name, values]) => [name, [...values]]));

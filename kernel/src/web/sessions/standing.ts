import { PosternError, type Denial, type Identity } from '@postern/plugin-sdk';
import type { ClusterView } from '../../cluster/cluster-view.js';
import { decideCaller, denialError, mergeOptions, type Subject } from '../../rbac/index.js';
import type { SessionRecord } from './session-record.js';

/** Who asks, in a session of a browser, as decisions want to know it. */
export function subjectOf(
  view: ClusterView,
  record: Omit<SessionRecord, 'id' | 'created' | 'lastUsed'>,
  { address, now }: { readonly address: string; readonly now: Date },
): Subject {
  const { user, roles, traits, generation, mfa, expires } = record;
  const { pinAddress } = mergeOptions(roles.flatMap((role) => view.roles.get(role)?.options ?? []));
  const identity: Identity = {
    user,
    cluster: view.cluster,
    roles,
    traits,
    principals: {},
    generation,
    serial: '',
    expires: new Date(expires),
    requests: [],
    via: 'web',
    ...(mfa && { mfa: { device: mfa.device, at: new Date(mfa.at) } }),
    ...(pinAddress && { pinnedAddress: record.address }),
  };
  return { identity, source: address, now, user: view.user(user), roles: view.roles, locks: view.locks };
}

/** Why the session is not good (any more), or not from where it is used; `undefined` where it is. */
export function standing(subject: Subject): PosternError | undefined {
  const decision = decideCaller(subject);
  return decision.allowed ? undefined : forPages(denialError(decision));
}

/** Denials after which a session does not come back, even if their reason goes away. */
const final: readonly Denial['code'][] = ['locked', 'unauthenticated', 'expired', 'mfa_required'];

export const isFinal = ({ code }: PosternError): boolean => final.some((one) => one === code);

/** Without the commands of a terminal. */
export const forPages = (error: PosternError): PosternError =>
  new PosternError(error.code, error.message, {
    cause: error,
    publicMessage: error.publicMessage.replace(': psh login', ''),
  });

import { PosternError, type Identity } from '@postern/plugin-sdk';
import type { HeaderFields } from '@postern/plugin-sdk/http1';
import { groupPrefix } from './protocol.js';

/** Whom the API server shall take for the maker of a request. */
export interface Subject {
  readonly user: string;
  readonly groups: readonly string[];
  /** True where the client said so, by `kubectl --as`. */
  readonly chosen: boolean;
}

const isIdentityField = (name: string): boolean =>
  name === 'authorization' || name.startsWith('impersonate-') || name.startsWith('x-remote-');

/** A browser that cannot set Authorization puts a token among the sub-protocols of its WebSocket. */
const tokenProtocol = 'base64url.bearer.authorization.k8s.io.';

/** Without everything by which a client could pass for somebody else. */
export function withoutIdentity(fields: HeaderFields): HeaderFields {
  const clean = fields.without(isIdentityField);
  const protocols = clean.all('sec-websocket-protocol').flatMap((value) => value.split(',').map((one) => one.trim()));
  if (!protocols.some((one) => one.toLowerCase().startsWith(tokenProtocol))) return clean;
  const kept = protocols.filter((one) => !one.toLowerCase().startsWith(tokenProtocol));
  const without = clean.without((name) => name === 'sec-websocket-protocol');
  return kept.length === 0 ? without : without.with({ name: 'Sec-WebSocket-Protocol', value: kept.join(', ') });
}

/**
 * Whom a request is made as: whom it names, or who the user is by their roles.
 * That it is allowed is decided elsewhere. Throws `invalid_argument` where
 * there is a choice and the client made none.
 */
export function subjectOf(fields: HeaderFields, identity: Identity): Subject {
  const users = fields.all('impersonate-user');
  const groups = fields.all('impersonate-group');
  if (users.length > 1) throw PosternError.public('invalid_argument', 'a request is made as one user');
  const [user] = users;
  if (groups.length > 64) throw PosternError.public('invalid_argument', 'a request is made in at most 64 groups');
  if (user === undefined && groups.length === 0) return { ...ownSubject(identity), chosen: false };
  return {
    user: user ?? ownSubject(identity).user,
    // Who becomes somebody else leaves their own groups behind, as in Kubernetes itself.
    groups: [...new Set(groups)],
    chosen: true,
  };
}

function ownSubject({ user, principals }: Identity): Omit<Subject, 'chosen'> {
  const all = (principals['kubernetes'] ?? []).map((name) => ({ name, group: name.startsWith(groupPrefix) }));
  const literal = all.filter(({ name }) => !name.includes('*'));
  const groups = literal.filter(({ group }) => group).map(({ name }) => name.slice(groupPrefix.length));
  const users = literal.filter(({ group }) => !group).map(({ name }) => name);
  const [only, ...others] = users;
  // Whoever may be anybody, or one of several among whom they are, is themselves.
  if (only === undefined || users.includes(user)) return { user, groups };
  if (others.length === 0) return { user: only, groups };
  throw PosternError.public('invalid_argument', `choose whom to be with --as: ${users.join(', ')}`);
}

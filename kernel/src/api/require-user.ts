import { PosternError, type Identity } from '@postern/plugin-sdk';
import type { Caller } from './caller.js';

/** The caller's identity. Rejects with `unauthenticated` for a caller that is no user, such as the local administrator. */
export function requireUser({ who }: Caller): Identity {
  if (who.kind === 'user') return who.identity;
  throw PosternError.public('unauthenticated', 'this is about a user of the cluster: log in with psh login');
}

import { PosternError, type Denial, type Identity } from '@postern/plugin-sdk';
import type { Outcome } from '@postern/plugin-sdk/host';

type Fields = Readonly<Record<string, unknown>>;

/** What `session.start` says. */
export const startFields = (
  connection: number,
  { roles, serial, mfa, requests, via }: Identity,
  ask: unknown,
): Fields => ({
  connection,
  ask,
  roles,
  serial,
  ...(mfa && { mfa: mfa.device }),
  ...(requests.length > 0 && { requests }),
  ...(via !== undefined && { via }),
});

/** What `session.denied` says. */
export const deniedFields = (
  connection: number,
  { code, message }: Denial,
  { identity, ask }: { readonly identity: Identity | undefined; readonly ask: unknown },
): Fields => ({
  connection,
  code,
  message,
  ask,
  ...(identity && { roles: identity.roles, serial: identity.serial }),
});

/** What `session.end` says of the reason. */
export function outcomeFields(outcome: Outcome): Fields {
  if (outcome.kind === 'ended') return { reason: 'ended' };
  if (outcome.kind === 'failed') {
    const { code, message } = PosternError.from(outcome.error);
    return { reason: 'failed', code, message };
  }
  return { reason: outcome.kind, ...outcome.denial };
}

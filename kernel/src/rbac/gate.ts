import type { Denial } from '@postern/plugin-sdk';
import { isSameAddress } from './address.js';
import type { CompiledRole } from './compile-role.js';
import type { Denied, Question, Reason } from './decision.js';
import { describeTarget, lockedBy } from './lock.js';
import { mergeOptions, type EffectiveOptions } from './options.js';
import { printable } from './printable.js';
import { existingRoles, type Subject } from './subject.js';

/** Why somebody is refused, whatever they ask for. */
interface Refusal {
  readonly code: Denial['code'];
  readonly reason: Reason;
  /** For the user: what it is, and what to do next. */
  readonly remedy: string;
}

/** Somebody whose roles may be read, and what these say about sessions. */
export interface Entrant {
  readonly allowed: true;
  readonly roles: readonly CompiledRole[];
  readonly options: EffectiveOptions;
}

/** What is asked for, as far as a certificate may be tied to it. */
export type Destination = { readonly kind: string; readonly name: string } | 'api';

/**
 * What is checked before any entry of a role is read: locks first, then the
 * user's state and generation, the certificate's end, the resource and the
 * address that it is tied to, and the second factor that the roles demand.
 */
export function enter(subject: Subject, question: Question, destination: Destination): Entrant | Denied {
  const roles = existingRoles(question.roles, subject.roles);
  const options = mergeOptions(roles.map((role) => role.options));
  const refusal =
    locked(subject, destination) ??
    outdated(subject) ??
    expired(subject, options) ??
    bound(subject, destination) ??
    elsewhere(subject, options) ??
    withoutSecondFactor(subject, options);
  if (!refusal) return { allowed: true, roles, options };
  return { allowed: false, question, code: refusal.code, remedy: refusal.remedy, because: [refusal.reason] };
}

const loginAgain = 'log in again: psh login';

function locked({ identity, locks, now }: Subject, destination: Destination): Refusal | undefined {
  const resource = destination === 'api' ? undefined : destination;
  const lock = lockedBy({ identity, resource }, locks, now);
  if (!lock) return undefined;
  const target = describeTarget(lock.target);
  const message = lock.message ? `: ${printable(lock.message, 512)}` : '';
  return refusal('locked', 'lock', `a lock on ${target} is in force${message}`, {
    remedy: `a lock on ${printable(target)} is in force${message}. Ask an administrator`,
  });
}

function outdated({ identity, user }: Subject): Refusal | undefined {
  const name = printable(identity.user);
  if (user === 'foreign') return undefined;
  if (user === 'absent')
    return refusal('unauthenticated', 'user', `there is no user ${name}`, {
      remedy: `there is no user ${name} any more. Ask an administrator`,
    });
  if (user.disabled !== false)
    return refusal('unauthenticated', 'user', `${name} is disabled`, {
      remedy: `${name} is disabled. Ask an administrator`,
    });
  if (identity.generation >= user.generation) return undefined;
  return refusal(
    'expired',
    'user',
    `the certificate is of generation ${identity.generation}, ${name} is at ${user.generation}`,
    { remedy: `the roles or credentials of ${name} have changed; ${loginAgain}` },
  );
}

function expired({ identity, now, stage }: Subject, options: EffectiveOptions): Refusal | undefined {
  // A browser's certificate is there to open; what was opened lasts as long as the browser's session.
  const expires = (stage === 'session' ? identity.web?.expires : undefined) ?? identity.expires;
  if (expires > now) return undefined;
  if (stage === 'session' && !options.endAtExpiry) return undefined;
  const when = Number.isNaN(expires.getTime()) ? '' : ` at ${expires.toISOString()}`;
  return refusal('expired', 'certificate', `the certificate expired${when}`, {
    remedy: `your certificate expired${when}; ${loginAgain}`,
  });
}

function bound({ identity: { resource } }: Subject, destination: Destination): Refusal | undefined {
  if (!resource) return undefined;
  const isHere = destination !== 'api' && destination.kind === resource.kind && destination.name === resource.name;
  if (isHere) return undefined;
  const only = printable(`${resource.kind}/${resource.name}`);
  return refusal('access_denied', 'certificate', `the certificate opens ${only} and nothing else`, {
    remedy: `this certificate opens ${only} and nothing else`,
  });
}

function elsewhere({ identity, source }: Subject, options: EffectiveOptions): Refusal | undefined {
  const { pinnedAddress } = identity;
  if (pinnedAddress === undefined && !options.pinAddress) return undefined;
  if (pinnedAddress === undefined)
    return refusal('expired', 'address', 'the roles demand a certificate that is tied to an address, this one is not', {
      remedy: `your roles now demand a certificate that is tied to your address; ${loginAgain}`,
    });
  if (source !== undefined && isSameAddress(source, pinnedAddress)) return undefined;
  return refusal(
    'access_denied',
    'address',
    `the certificate is tied to ${pinnedAddress}, the client is at ${source ?? 'an unknown address'}`,
    { remedy: `your certificate may be used only from the address where you logged in; ${loginAgain}` },
  );
}

function withoutSecondFactor({ identity }: Subject, options: EffectiveOptions): Refusal | undefined {
  if (!options.requireMfa || identity.mfa) return undefined;
  return refusal('mfa_required', 'mfa', 'the roles demand a second factor, the certificate was issued without one', {
    remedy: 'your roles demand a second factor: add one with psh mfa add, then log in again: psh login',
  });
}

function refusal(
  code: Refusal['code'],
  part: Reason['part'],
  detail: string,
  { remedy }: { readonly remedy: string },
): Refusal {
  return { code, reason: { clause: 'deny', part, detail }, remedy };
}

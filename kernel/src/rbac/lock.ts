import type { Identity } from '@postern/plugin-sdk';
import { z } from 'zod';
import { roleName } from './role.js';

const name = z.string().min(1).max(256);

/** What a lock is about: exactly one of these. */
export const lockTarget = z
  .strictObject({
    user: name.optional(),
    role: roleName.optional(),
    /** A certificate's serial number in hexadecimal, with or without colons. */
    serial: z
      .string()
      .regex(/^[0-9A-Fa-f]{1,2}(:?[0-9A-Fa-f]{1,2}){0,31}$/, 'use hexadecimal digits')
      .optional(),
    mfa_device: name.optional(),
    request: name.optional(),
    /** `<kind>/<name>`: nobody reaches this resource. */
    resource: name.optional(),
  })
  .refine((target) => Object.values(target).filter((value) => value !== undefined).length === 1, {
    message: 'name exactly one of user, role, serial, mfa_device, request and resource',
  });

/** A lock cuts the live sessions of whatever it is about and refuses new ones, until it expires or is removed. */
export const lockDocument = z.strictObject({
  kind: z.literal('lock'),
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'use up to 63 letters, digits and . _ -'),
  target: lockTarget,
  /** Shown to whom it concerns. */
  message: z.string().max(512).default(''),
  created: z.iso.datetime().optional(),
  created_by: name.optional(),
  expires: z.iso.datetime().optional(),
});

export type LockTarget = z.output<typeof lockTarget>;

/** What a decision needs to know of a lock. */
export interface Lock {
  readonly target: LockTarget;
  readonly message?: string | undefined;
  readonly expires?: string | undefined;
}

/** Whom and what a lock may be about; without a resource, only the person is asked about. */
interface Concerned {
  readonly identity: Identity;
  readonly resource?: { readonly kind: string; readonly name: string } | undefined;
}

const concerns: Readonly<Record<string, (concerned: Concerned, value: unknown) => boolean>> = {
  user: ({ identity }, value) => identity.user === value,
  role: ({ identity }, value) => identity.roles.includes(String(value)),
  serial: ({ identity }, value) => plainSerial(identity.serial) === plainSerial(String(value)),
  mfa_device: ({ identity }, value) => identity.mfa?.device === value,
  request: ({ identity }, value) => identity.requests.includes(String(value)),
  resource: ({ resource }, value) => resource !== undefined && `${resource.kind}/${resource.name}` === value,
};

/**
 * The first lock in force that is about this identity, or about the resource
 * that it is to reach. A lock whose target or
 * end this version cannot read is about everybody and never ends, since it may
 * be about anybody.
 */
export const lockedBy = (concerned: Concerned, locks: readonly Lock[], now: Date): Lock | undefined =>
  locks.find((lock) => isInForce(lock, now) && isAbout(lock, concerned));

/** `user alice`, as a lock is spoken of. */
export function describeTarget(target: LockTarget): string {
  const parts = Object.entries(target).filter(([, value]) => value !== undefined);
  if (parts.length === 0) return 'everybody';
  return parts.map(([kind, value]) => `${kind.replace('_', ' ')} ${String(value)}`).join(', ');
}

function isInForce({ expires }: Lock, now: Date): boolean {
  if (expires === undefined) return true;
  return !(Date.parse(expires) <= now.getTime());
}

function isAbout({ target }: Lock, concerned: Concerned): boolean {
  const parts = Object.entries(target).filter(([, value]) => value !== undefined);
  if (parts.length === 0) return true;
  return parts.some(([kind, value]) => !Object.hasOwn(concerns, kind) || concerns[kind]?.(concerned, value) === true);
}

const plainSerial = (serial: string): string =>
  serial
    .toLowerCase()
    .replaceAll(':', '')
    .replace(/^0+(?=.)/, '');

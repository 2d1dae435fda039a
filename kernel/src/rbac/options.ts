import { z } from 'zod';
import { duration, parseDuration } from './duration.js';

/** What a role says about the sessions and certificates of its holders. An absent option is no opinion. */
export const roleOptions = z
  .strictObject({
    max_certificate_ttl: duration.describe('The longest life of a certificate; 12h unless a role says otherwise.'),
    max_session_ttl: duration.describe('The longest life of a session.'),
    idle_timeout: duration.describe('Ends a session in which nothing was sent for this long.'),
    end_at_expiry: z.boolean().describe('Ends sessions with the certificate; true unless a role says otherwise.'),
    max_connections: z.int().positive().describe('Sessions that one user may have at a time in the cluster.'),
    max_sessions: z
      .int()
      .positive()
      .describe('Sessions that one connection may carry, where the protocol has several.'),
    pin_address: z.boolean().describe('Ties certificates to the address from which the user logged in.'),
    require_mfa: z.boolean().describe('Demands that the certificate was issued with a second factor.'),
    audit: z.enum(['spool', 'strict']).describe('How durable an event is before its effect is let through.'),
    recording: z
      .enum(['off', 'on', 'strict'])
      .describe('Whether sessions are recorded; strict ends a session whose recording fails.'),
  })
  .partial();

export type RoleOptions = z.output<typeof roleOptions>;

/** The options of all of a user's roles together. */
export interface EffectiveOptions {
  /** Absent where no role says anything. */
  readonly maxCertificateTtlMs?: number;
  readonly maxSessionTtlMs?: number;
  readonly idleTimeoutMs?: number;
  readonly maxConnections?: number;
  readonly maxSessions?: number;
  readonly endAtExpiry: boolean;
  readonly pinAddress: boolean;
  readonly requireMfa: boolean;
  readonly audit: 'spool' | 'strict';
  readonly recording: 'off' | 'on' | 'strict';
}

/**
 * Merges the options of several roles: the most restrictive opinion wins, in
 * any order of the roles. That is the smallest number and the shortest time;
 * `true` for `pin_address`, `require_mfa` and `end_at_expiry`; the later one of
 * `spool < strict` and of `off < on < strict`. Where no role has an opinion:
 * no limits, `end_at_expiry: true`, `spool`, `on`, and `false` for the rest. A
 * default is no opinion: one role that says `end_at_expiry: false` is enough,
 * unless another says `true`.
 */
export function mergeOptions(all: readonly RoleOptions[]): EffectiveOptions {
  return {
    ...least('maxCertificateTtlMs', all, ({ max_certificate_ttl: text }) => milliseconds(text)),
    ...least('maxSessionTtlMs', all, ({ max_session_ttl: text }) => milliseconds(text)),
    ...least('idleTimeoutMs', all, ({ idle_timeout: text }) => milliseconds(text)),
    ...least('maxConnections', all, (options) => options.max_connections),
    ...least('maxSessions', all, (options) => options.max_sessions),
    endAtExpiry: strictest([false, true], all, (options) => options.end_at_expiry) ?? true,
    pinAddress: strictest([false, true], all, (options) => options.pin_address) ?? false,
    requireMfa: strictest([false, true], all, (options) => options.require_mfa) ?? false,
    audit: strictest(['spool', 'strict'], all, (options) => options.audit) ?? 'spool',
    recording: strictest(['off', 'on', 'strict'], all, (options) => options.recording) ?? 'on',
  };
}

/** When a session of this certificate has to end, or nothing where only its peers end it. */
export function sessionEnd(options: EffectiveOptions, certificateExpires: Date, started: Date): Date | undefined {
  const ends = [
    ...(options.endAtExpiry ? [certificateExpires.getTime()] : []),
    ...(options.maxSessionTtlMs === undefined ? [] : [started.getTime() + options.maxSessionTtlMs]),
  ];
  return ends.length === 0 ? undefined : new Date(Math.min(...ends));
}

type Limit = 'maxCertificateTtlMs' | 'maxSessionTtlMs' | 'idleTimeoutMs' | 'maxConnections' | 'maxSessions';

function least(
  name: Limit,
  all: readonly RoleOptions[],
  read: (options: RoleOptions) => number | undefined,
): Partial<Record<Limit, number>> {
  const values = all.map(read).filter((value) => value !== undefined);
  return values.length === 0 ? {} : { [name]: Math.min(...values) };
}

/** The opinion that stands last in `order`. */
function strictest<T>(
  order: readonly T[],
  all: readonly RoleOptions[],
  read: (options: RoleOptions) => T | undefined,
): T | undefined {
  return order.findLast((value) => all.some((options) => read(options) === value));
}

const milliseconds = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : parseDuration(text);

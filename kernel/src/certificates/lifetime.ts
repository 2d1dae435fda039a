import { PosternError } from '@postern/plugin-sdk';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** How far back a certificate begins, for clocks that are a little slow. */
export const clockSkewMs = minute;

/** A certificate authority's own lifetime. */
export const authorityLifetimeMs = 3650 * day;

/** What is issued when nothing is asked for, and the longest that is ever issued. */
export interface LifetimeLimit {
  readonly defaultMs: number;
  readonly maximumMs: number;
}

/** A role may say less. */
export const userLifetime: LifetimeLimit = { defaultMs: 12 * hour, maximumMs: 30 * hour };
/** What an agent presents to a resource on behalf of a session. */
export const upstreamLifetime: LifetimeLimit = { defaultMs: hour, maximumMs: hour };
export const assertionLifetime: LifetimeLimit = { defaultMs: 5 * minute, maximumMs: hour };
/** Agents and proxies renew theirs long before the end; an Auth Service that is away for a day stops nobody. */
export const serviceLifetime: LifetimeLimit = { defaultMs: 7 * day, maximumMs: 30 * day };
/** Installed by hand on a database server or a host that runs no agent. */
export const installedLifetime: LifetimeLimit = { defaultMs: 90 * day, maximumMs: 397 * day };

export interface Period {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/**
 * The validity of a new certificate. A request past the limit is cut to it and
 * not refused, so that a role's limit and a user's wish need not agree; the
 * end never lies past the issuer's own. Rejects with `invalid_argument` for a
 * lifetime that is no positive number, and with `unavailable` once the issuer
 * has ended.
 */
export function validityPeriod(
  limit: LifetimeLimit,
  requestedMs: number | undefined,
  now: Date,
  issuerEnd = new Date(8.64e15),
): Period {
  const wanted = requestedMs ?? limit.defaultMs;
  if (!(wanted >= 1000)) throw PosternError.public('invalid_argument', 'a lifetime is at least one second');
  if (now >= issuerEnd)
    throw new PosternError('unavailable', `the issuing authority ended at ${issuerEnd.toISOString()}`);
  const end = Math.min(now.getTime() + Math.min(wanted, limit.maximumMs), issuerEnd.getTime());
  return { notBefore: wholeSecond(now.getTime() - clockSkewMs), notAfter: wholeSecond(end) };
}

/** Certificates count in seconds; rounding down never lengthens one. */
const wholeSecond = (ms: number): Date => new Date(Math.floor(ms / 1000) * 1000);
